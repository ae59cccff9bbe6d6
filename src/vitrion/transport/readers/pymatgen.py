"""Trajectories as pymatgen objects, which are not modified."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.decoding import load_json
from vitrion.chemistry.species import element_symbols
from vitrion.errors import InputError
from vitrion.transport.readers.ase import read_with_ase
from vitrion.transport.readers.stream import (
    NO_CELL,
    FrameStream,
    check_symbols,
    frames_at_once,
    stack,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vitrion.transport.readers.stream import Chunk, Frame


def read_json(
    path: Path, cell: np.ndarray | None = None, timestep_fs: float | None = None
) -> FrameStream:
    """Open a pymatgen Trajectory, a list of Structures, or a database of ASE, in JSON."""
    from pymatgen.core.trajectory import Trajectory

    held = load_json(path)
    if isinstance(held, Trajectory):
        return from_trajectory(held, cell)
    if isinstance(held, list) and held and hasattr(held[0], "frac_coords"):
        return from_structures(iter(held))
    if isinstance(held, dict) and "ids" in held:
        return read_with_ase(path, cell, timestep_fs)
    raise InputError(f"{path} holds no pymatgen Trajectory and no list of Structures.")


def from_trajectory(trajectory: Any, cell: np.ndarray | None = None) -> FrameStream:
    """Open a pymatgen Trajectory, of positions or of displacements.

    Parameters
    ----------
    trajectory : Trajectory
        Its `time_step` is the MD time step; frames may be several steps apart.
    cell : (3, 3) array or None
        Lattice vectors in A of all frames, if it has none; its coordinates are then Cartesian.

    Raises
    ------
    InputError
        If it has no lattice, or displacements without positions to start from.
    """
    own_cell = trajectory.lattice is not None
    if not own_cell and cell is None:
        raise InputError(NO_CELL)
    cells = np.asarray(trajectory.lattice if own_cell else cell, dtype=float)
    coordinates = np.asarray(trajectory.coords, dtype=float)
    start = np.zeros(3)
    if trajectory.coords_are_displacement:
        if trajectory.base_positions is None:
            raise InputError(
                "The pymatgen Trajectory holds displacements without base_positions: give it the "
                "positions of the first frame."
            )
        start = np.asarray(trajectory.base_positions, dtype=float)
    symbols = element_symbols(trajectory.species)

    def chunks() -> Iterator[Chunk]:
        last = start
        at_once = frames_at_once(len(symbols))
        for begin in range(0, len(coordinates), at_once):
            part = slice(begin, begin + at_once)
            values = coordinates[part]
            if trajectory.coords_are_displacement:
                values = last + np.cumsum(values, axis=0)
                last = values[-1]
            cell = cells if cells.ndim == 2 else cells[part]
            yield values @ cell if own_cell else values, cell

    return FrameStream(
        symbols,
        chunks(),
        trajectory.time_step,
        interval_is_step=True,
        own_cell=own_cell,
        may_repeat=True,
    )


def from_structures(structures: Iterator[Any]) -> FrameStream:
    """Open a sequence of pymatgen Structures.

    Raises
    ------
    InputError
        If a structure is disordered, or its atoms differ from the first frame.
    """
    first = next(structures)
    symbols = _symbols(first, "frame 1")

    def frames() -> Iterator[Frame]:
        for k, structure in enumerate(chain([first], structures)):
            check_symbols(_symbols(structure, f"frame {k + 1}"), symbols, f"frame {k + 1}")
            cell = np.asarray(structure.lattice.matrix)
            yield structure.frac_coords @ cell, cell

    return FrameStream(symbols, stack(frames()), may_repeat=True)


def _symbols(structure: Any, where: str) -> tuple[str, ...]:
    if not hasattr(structure, "lattice"):
        raise InputError(f"A {type(structure).__name__} in {where} is not a periodic structure.")
    if not structure.is_ordered:
        raise InputError(f"The structure in {where} has partial occupancies.")
    return element_symbols(structure.species)
