"""Figure of a trajectory: temperature and potential energy against time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.errors import InputError
from vitrion.report.panels import Axis, Curve, Panel

if TYPE_CHECKING:
    from vitrion.dynamics.trajectory import Trajectory

MOST_POINTS = 2000
"""Longer trajectories are subsampled to about this number of frames."""


def trajectory_panels(trajectory: Trajectory) -> tuple[Panel, Panel]:
    """Describe temperature and potential energy per atom of a trajectory against time.

    Raises
    ------
    InputError
        If the trajectory has no frames.
    """
    if not len(trajectory):
        raise InputError("The trajectory has no frames.")
    frames = slice(None, None, max(1, len(trajectory) // MOST_POINTS))
    times, n_atoms = trajectory.times_ps(frames), len(trajectory.symbols)
    time = Axis("{t} (ps)")
    temperature = Curve(times, trajectory.temperatures(frames), color="series-0", width=1.0)
    energy = Curve(times, trajectory.energies(frames) / n_atoms, color="series-1", width=1.0)
    return (
        Panel(time, Axis("{T} (K)"), (temperature,)),
        Panel(time, Axis("potential energy (eV/atom)"), (energy,)),
    )
