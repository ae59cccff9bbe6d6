"""Result of a run, read from its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from vitrion.dynamics.checkpoint import FILE_NAME, Checkpoint, read_checkpoint
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.progress_bar import ns_per_day
from vitrion.dynamics.start import VELOCITIES
from vitrion.dynamics.trajectory import SUFFIX, Trajectory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

TRAJECTORY_NAME = "md" + SUFFIX
EQUILIBRATION = "segment-000"
"""Folder of the equilibration segment, which is not analyzed."""


@dataclass(frozen=True)
class MDResult:
    """Result of a run, complete or not.

    Attributes
    ----------
    directory, trajectory, checkpoint : Path
        Paths of the files.
    settings : MDSettings
    potential : dict
        Identity of the potential.
    evaluated_by : sequence of (int, str)
        First step and name of each implementation that evaluated the potential.
    complete : bool
        Whether all steps are done.
    n_steps, n_frames : int
        Number of steps done and frames saved.
    elapsed_s, ns_per_day : float
        Wall time spent on steps, summed over all restarts, and speed.
    structure : Structure
        Last state, with the site property ``velocities`` in A/fs.
    energy_eV : float
        Potential energy of the last state.
    temperature_K, temperature_std_K : float
        Mean and standard deviation over the frames.
    pressure_GPa : float or None
        Mean over the frames; None if not computed.
    volume_A3 : float
        Mean over the frames.
    energy_drift_meV_per_atom_ps : float or None
        Slope of the conserved quantity; None for fewer than three frames.
    msd_A2 : dict
        Mean square displacement of each element since the start in A2, after removing the drift of
        the center of mass; a quick check, not a diffusivity.
    """

    directory: Path
    trajectory: Path
    checkpoint: Path
    settings: MDSettings
    potential: dict[str, Any]
    evaluated_by: Sequence[tuple[int, str]]
    complete: bool
    n_steps: int
    n_frames: int
    elapsed_s: float
    ns_per_day: float
    structure: Structure
    energy_eV: float
    temperature_K: float
    temperature_std_K: float
    pressure_GPa: float | None
    volume_A3: float
    energy_drift_meV_per_atom_ps: float | None
    msd_A2: dict[str, float]


def load_result(directory: str | Path) -> MDResult:
    """Read the result of the run in a directory.

    Raises
    ------
    InputError
        If the directory does not contain a run.
    """
    directory = Path(directory)
    checkpoint = read_checkpoint(directory / FILE_NAME)
    settings = MDSettings(**checkpoint.settings)
    path = directory / TRAJECTORY_NAME
    with Trajectory(path) as trajectory:
        frames = slice(0, checkpoint.n_frames)
        temperatures = trajectory.temperatures(frames)
        pressures = trajectory.pressures(frames)
        known = pressures[np.isfinite(pressures)]
        volumes = np.abs(np.linalg.det(trajectory.cells(frames)))
        drift = _drift(trajectory.times_ps(frames), trajectory.conserved(frames))
    state = checkpoint.state
    return MDResult(
        directory=directory,
        trajectory=path,
        checkpoint=directory / FILE_NAME,
        settings=settings,
        potential=checkpoint.potential,
        evaluated_by=checkpoint.evaluated_by,
        complete=checkpoint.complete,
        n_steps=state.step,
        n_frames=checkpoint.n_frames,
        elapsed_s=checkpoint.elapsed_s,
        ns_per_day=ns_per_day(state.step * settings.timestep_fs, checkpoint.elapsed_s),
        structure=last_structure(checkpoint),
        energy_eV=state.energy,
        temperature_K=float(temperatures.mean()),
        temperature_std_K=float(temperatures.std()),
        pressure_GPa=float(known.mean()) if known.size else None,
        volume_A3=float(volumes.mean()),
        energy_drift_meV_per_atom_ps=None if drift is None else drift / len(state.positions),
        msd_A2=_displacements(checkpoint),
    )


def last_structure(checkpoint: Checkpoint) -> Structure:
    """Return the state of a checkpoint as a Structure with ``velocities`` in A/fs."""
    from pymatgen.core import Element, Lattice, Structure

    start, state = checkpoint.start, checkpoint.state
    return Structure(
        Lattice(state.cell, pbc=(bool(start.pbc[0]), bool(start.pbc[1]), bool(start.pbc[2]))),
        [Element.from_Z(int(number)) for number in start.numbers],
        state.positions,
        coords_are_cartesian=True,
        to_unit_cell=True,
        site_properties={VELOCITIES: (state.velocities * units.fs).tolist()},
    )


def _drift(times: np.ndarray, conserved: np.ndarray) -> float | None:
    """Return the slope of the conserved quantity in meV/ps."""
    if len(times) < 3:
        return None
    return float(np.polyfit(times - times.mean(), conserved - conserved.mean(), 1)[0] * 1000)


def _displacements(checkpoint: Checkpoint) -> dict[str, float]:
    from ase.data import chemical_symbols

    start, state = checkpoint.start, checkpoint.state
    moved = state.positions
    if start.pbc.all():  # in the last cell, so that cell changes do not count as displacements
        moved = moved - start.positions @ np.linalg.solve(start.cell, state.cell)
    else:
        moved = moved - start.positions
    moved = moved - np.average(moved, axis=0, weights=start.masses)
    squares = np.sum(moved**2, axis=1)
    return {
        chemical_symbols[z]: float(squares[start.numbers == z].mean())
        for z in np.unique(start.numbers)
    }
