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
    FRAMES_AT_ONCE,
    NO_CELL,
    FrameStream,
    check_symbols,
    stack,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vitrion.transport.readers.stream import Chunk, Frame


def read_json(path: Path) -> FrameStream:
    """Open a pymatgen Trajectory, a list of Structures, or a database of ASE, in JSON."""
    from pymatgen.core.trajectory import Trajectory

    held = load_json(path)
    if isinstance(held, Trajectory):
        return from_trajectory(held)
    if isinstance(held, list) and held and hasattr(held[0], "frac_coords"):
        return from_structures(iter(held))
    if isinstance(held, dict) and "ids" in held:
        return read_with_ase(path)
    raise InputError(f"{path} holds no pymatgen Trajectory and no list of Structures.")


def from_trajectory(trajectory: Any) -> FrameStream:
    """Open a pymatgen Trajectory, of positions or of displacements.

    Raises
    ------
    InputError
        If it has no lattice, or displacements without positions to start from.
    """
    if trajectory.lattice is None:
        raise InputError(NO_CELL)
    cells = np.asarray(trajectory.lattice, dtype=float)
    fractional = np.asarray(trajectory.coords, dtype=float)
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
        for begin in range(0, len(fractional), FRAMES_AT_ONCE):
            part = slice(begin, begin + FRAMES_AT_ONCE)
            values = fractional[part]
            if trajectory.coords_are_displacement:
                values = last + np.cumsum(values, axis=0)
                last = values[-1]
            cell = cells if cells.ndim == 2 else cells[part]
            yield values @ cell, cell

    return FrameStream(symbols, chunks(), trajectory.time_step, may_repeat=True)


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
