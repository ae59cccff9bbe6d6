"""A streaming reader of LAMMPS text dumps: one frame in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.readable import open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from vitrion.transport.vasp_frames import Frame

COORDINATES = {"xu": "xu yu zu", "xsu": "xsu ysu zsu", "x": "x y z", "xs": "xs ys zs"}
"""Position columns by preference: unwrapped ones first."""


class _Snapshot(NamedTuple):
    step: int
    origin: np.ndarray
    cell: np.ndarray
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class LammpsDump:
    """What a dump says before its frames are read.

    Attributes
    ----------
    symbols : tuple of str
        Of the atoms in order of their id.
    steps_between_frames : int or None
        None for a dump of one frame.
    unwrapped : bool
        Whether the positions are ``xu`` or ``xsu``.
    frames : iterator of (positions, cell)
        In A.
    """

    symbols: tuple[str, ...]
    steps_between_frames: int | None
    unwrapped: bool
    frames: Iterator[Frame]


def read_lammps_dump(path: Path, type_map: Mapping[int, str] | None = None) -> LammpsDump:
    """Open a LAMMPS text dump in units of A (``units metal`` or ``real``).

    Parameters
    ----------
    path : Path
        With the columns ``id``, ``element`` or ``type``, and one set of `COORDINATES`.
    type_map : mapping of int to str or None
        Symbol of each LAMMPS type, where the dump has no ``element`` column.

    Raises
    ------
    InputError
        If columns are missing or a type has no symbol.
    """
    snapshots = _snapshots(path)
    first = next(snapshots, None)
    if first is None:
        raise InputError(f"{path} holds no LAMMPS dump frame.")
    second = next(snapshots, None)
    kind = next((key for key in COORDINATES if key in first.columns), None)
    if kind is None or "id" not in first.columns:
        raise InputError("The LAMMPS dump needs the columns id and xu yu zu (or x y z).")
    return LammpsDump(
        symbols=_symbols(first, type_map),
        steps_between_frames=None if second is None else second.step - first.step,
        unwrapped=kind.endswith("u"),
        frames=(_positions(snapshot, kind) for snapshot in _snapshots(path)),
    )


def _symbols(snapshot: _Snapshot, type_map: Mapping[int, str] | None) -> tuple[str, ...]:
    columns = snapshot.columns
    by_id = sorted(snapshot.rows, key=lambda row: int(row[columns.index("id")]))
    if "element" in columns:
        return tuple(row[columns.index("element")] for row in by_id)
    if not type_map or "type" not in columns:
        raise InputError(
            "The LAMMPS dump names no elements: dump the column element, or give a type_map."
        )
    types = [int(row[columns.index("type")]) for row in by_id]
    missing = sorted(set(types) - set(type_map))
    if missing:
        raise InputError(f"The LAMMPS types {missing} have no symbol: add them to the type_map.")
    return tuple(type_map[number] for number in types)


def _positions(snapshot: _Snapshot, kind: str) -> Frame:
    table = np.array(snapshot.rows)
    order = np.argsort(table[:, snapshot.columns.index("id")].astype(int))
    which = [snapshot.columns.index(name) for name in COORDINATES[kind].split()]
    values = table[order][:, which].astype(float)
    if kind.startswith("xs"):
        return values @ snapshot.cell, snapshot.cell
    return values - snapshot.origin, snapshot.cell


def _snapshots(path: Path) -> Iterator[_Snapshot]:
    with open_text(path) as file:
        step, n_atoms = 0, 0
        origin, cell = np.zeros(3), np.eye(3)
        while line := file.readline():
            if line.startswith("ITEM: TIMESTEP"):
                step = int(file.readline())
            elif line.startswith("ITEM: NUMBER OF ATOMS"):
                n_atoms = int(file.readline())
            elif line.startswith("ITEM: BOX BOUNDS"):
                origin, cell = _box(file)
            elif line.startswith("ITEM: ATOMS"):
                rows = [file.readline().split() for _ in range(n_atoms)]
                columns = line.split()[2:]
                if len(rows[-1]) < len(columns):  # a run that was killed while it wrote
                    return
                yield _Snapshot(step, origin, cell, columns, rows)


def _box(file: TextIO) -> tuple[np.ndarray, np.ndarray]:
    """Read bounds; a tilted cell's bounds enclose it, so the tilts come off first."""
    bounds = np.array([file.readline().split() for _ in range(3)], dtype=float)
    low, high = bounds[:, 0], bounds[:, 1]
    xy, xz, yz = bounds[:, 2] if bounds.shape[1] == 3 else (0.0, 0.0, 0.0)
    low = low - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = high - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    lx, ly, lz = high - low
    return low, np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])
