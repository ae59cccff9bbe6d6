"""Trajectories as MDAnalysis Universe or AtomGroup, which are not modified."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.readers.lammps_types import label_symbols, read_types
from vitrion.transport.readers.stream import NO_CELL, FrameStream, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vitrion.transport.readers.lammps_types import Types
    from vitrion.transport.readers.stream import Frame

FS_PER_PS = 1000.0

IN_MEMORY_DT_PS = 1.0
"""Default time between frames of MDAnalysis for arrays in memory."""


def from_mdanalysis(
    source: Any,
    cell: np.ndarray | None = None,
    timestep_fs: float | None = None,
    types: Types = None,
) -> FrameStream:
    """Open an MDAnalysis Universe or AtomGroup.

    Parameters
    ----------
    source : Universe or AtomGroup
    cell : (3, 3) array or None
        Lattice vectors in A, if the frames have none.
    timestep_fs : float or None
        MD time step, if the frames state their step.
    types : Types
        Elements of numbered types.

    Raises
    ------
    InputError
        If the atoms have no elements.
    """
    universe = getattr(source, "universe", source)
    atoms = source.atoms
    names = atoms.elements if hasattr(atoms, "elements") else atoms.types
    symbols = label_symbols([str(name) for name in names], read_types(types))
    trajectory = universe.trajectory
    here = trajectory.ts.frame

    def frames() -> Iterator[Frame]:
        try:
            for step in trajectory:
                box = step.triclinic_dimensions if cell is None else cell
                if box is None:
                    raise InputError(NO_CELL)
                yield atoms.positions.astype(float), np.asarray(box, dtype=float)
        finally:
            trajectory[here]  # restore the frame of the user's universe

    interval = _interval_fs(trajectory)
    name, unit = ("step", timestep_fs) if _counts_steps(trajectory) else ("time", FS_PER_PS)
    marks = None if name == "time" and interval is None else _marks(trajectory, name, here)
    return FrameStream(
        symbols,
        stack(frames()),
        interval if marks is None or name == "step" else None,
        marks=marks,
        mark_name=name,
        fs_per_mark=None if marks is None else unit,
        may_repeat=True,
        own_cell=trajectory.ts.triclinic_dimensions is not None,
    )


def _interval_fs(trajectory: Any) -> float | None:
    """Return the time between frames, or None if it is the default of MDAnalysis."""
    from MDAnalysis.coordinates.memory import MemoryReader

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dt = float(trajectory.dt)  # readers store a known time in their data
    known = "dt" in trajectory.ts.data
    if isinstance(trajectory, MemoryReader):
        known = dt != IN_MEMORY_DT_PS
    return FS_PER_PS * dt if known else None


def _counts_steps(trajectory: Any) -> bool:
    """Whether the file counts steps, which MDAnalysis turns into arbitrary times (LAMMPS dumps)."""
    return "step" in trajectory.ts.data and "LAMMPSDUMP" in np.atleast_1d(trajectory.format)


def _marks(trajectory: Any, name: str, here: int) -> np.ndarray | None:
    """Return the step or time of each frame, if all of them are stated."""
    if name not in trajectory.ts.data:
        return None
    try:
        return np.array([step.data[name] for step in trajectory], dtype=float)
    except KeyError:
        return None
    finally:
        trajectory[here]
