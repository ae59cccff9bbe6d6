"""Trajectories of vitrion's own dynamics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.readers.stream import FrameStream, frames_at_once

CORRELATED_FRAMES = 10
"""Correlation length of the temperature, in frames."""

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from vitrion.transport.readers.stream import Chunk


def read_own_file(path: Path) -> FrameStream:
    """Open a trajectory file of vitrion, closed again after reading."""
    from vitrion.dynamics.trajectory import Trajectory

    def chunks() -> Iterator[Chunk]:
        with Trajectory(path) as trajectory:
            yield from from_own(trajectory).chunks

    with Trajectory(path) as trajectory:
        return replace(from_own(trajectory), chunks=chunks())


def from_own(trajectory: Any) -> FrameStream:
    """Open a `vitrion.dynamics.trajectory.Trajectory`."""
    if not all(trajectory.pbc):
        flags = " ".join("T" if flag else "F" for flag in trajectory.pbc)
        raise InputError(
            f"The trajectory is not periodic (pbc {flags}): the analysis needs a cell that is "
            "periodic in all directions."
        )

    def chunks() -> Iterator[Chunk]:
        at_once = frames_at_once(trajectory.n_atoms)
        for start in range(0, trajectory.n_frames, at_once):
            part = slice(start, start + at_once)
            yield trajectory.positions(part), trajectory.cells(part)

    temperatures = trajectory.temperatures(slice(None))
    stated_K, error_K, why = _temperature(trajectory, temperatures)
    return FrameStream(
        tuple(trajectory.symbols),
        chunks(),
        trajectory.frame_interval_fs,
        temperature_K=stated_K,
        temperature_error_K=error_K,
        wrapped=False,
        no_temperature=why,
        observed_K=temperatures.tolist(),
    )


def _temperature(
    trajectory: Any, temperatures: NDArray[np.float64]
) -> tuple[float | None, float, str]:
    """Return the temperature in K, its error, and why there is none.

    It is the target of a thermostat, else the mean over the frames.
    """
    match trajectory.metadata:
        case {"settings": {"temperature_K": [start, end]}} if start != end:
            return None, 0.0, f"{trajectory.path} is a ramp from {start:g} to {end:g} K"
        case {"settings": {"ensemble": "nvt" | "npt", "temperature_K": int() | float() as target}}:
            return float(target), 0.0, ""
    independent = max(len(temperatures) / CORRELATED_FRAMES, 1.0)
    error_K = float(np.std(temperatures) / np.sqrt(independent))
    return float(np.mean(temperatures)), error_K, ""
