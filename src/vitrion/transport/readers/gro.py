"""Trajectories in GROMACS' text format .gro."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vitrion.chemistry.species import element_symbol
from vitrion.errors import InputError
from vitrion.transport.readers.stream import FrameStream, check_symbols, no_cell, stack
from vitrion.transport.readers.text import Lines, check_atoms, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vitrion.transport.readers.stream import Frame

A_PER_NM, FS_PER_PS = 10.0, 1000.0
RESIDUE, NAME, FIRST = slice(5, 10), slice(10, 15), 20
"""Columns of the names of a residue and of an atom, and the first column of its coordinates."""

FORCE_FIELD_NAMES = frozenset("CA CD CE CF CM CO CS HE HF HG HO NB ND NE OG OS PB SB SC SG".split())
"""Names that force fields give to atoms of C, H, N, O, P and S, and that are elements, too."""

_TIME = re.compile(r"\bt=\s*([-+.\deE]+)")
_BOX = re.compile(r"\s*(?:[-+]?\d*\.\d+\s*){3}(?:(?:[-+]?\d*\.\d+\s*){6})?")
_LETTERS = re.compile(r"[A-Za-z]+")


class _Record(NamedTuple):
    """A frame as text."""

    number: int
    line: int
    time_ps: float | None
    rows: list[str]
    box: str

    def where(self) -> str:
        return f"frame {self.number} (line {self.line})"


def looks_like_gro(text: str) -> bool:
    """Whether a text begins with a title, a number of atoms, and a row of fixed columns."""
    lines = text.splitlines()
    return len(lines) > 2 and lines[1].strip().isdigit() and _width(lines[2]) is not None


def read_gro(path: Path, cell: np.ndarray | None = None) -> FrameStream:
    """Open a .gro file of one or more frames; times are in ps (``t=``), lengths in nm.

    The name of an atom is its element, in any case and with a number: ``LI``, ``O2``. A name such
    as ``CA`` or ``OS``, which force fields give to other elements, is an element if its second
    letter is small or the residue has the same name.

    Parameters
    ----------
    path : Path
    cell : (3, 3) array or None
        Lattice vectors in A of all frames, if the boxes of the file are zero.

    Raises
    ------
    InputError
        If rows cannot be read, a name is not an element, or there is no cell.
    """
    notes: list[str] = []
    first, times = None, []
    for record in _records(path, notes):
        first = first or record
        times.append(record.time_ps)
    if first is None:
        raise InputError(f"{path} holds no frame of GROMACS.")
    symbols, own_cell = _symbols(first), bool(_cell(first).any())
    if cell is None and not own_cell:
        raise InputError(no_cell(first.where()))

    def frames() -> Iterator[Frame]:
        for record in _records(path, []):
            check_symbols(_symbols(record), symbols, record.where())
            yield _positions(record), _cell(record) if cell is None else cell

    timed = None not in times and len(set(times)) > 1
    return FrameStream(
        symbols,
        stack(frames()),
        marks=np.array(times, dtype=float) if timed else None,
        mark_name="time",
        fs_per_mark=FS_PER_PS if timed else None,
        notes=notes,
        own_cell=own_cell,
        may_repeat=True,
    )


def _records(path: Path, notes: list[str]) -> Iterator[_Record]:
    with open_text(path) as file:
        lines, number = Lines(file), 0
        while title := lines.take():
            count = lines.take()
            if not count.strip():
                return  # blank lines at the end
            if not count.strip().isdigit():
                raise InputError(
                    f"Line {lines.number} of the .gro file, '{count.strip()[:60]}', should be the "
                    f"number of atoms of frame {number + 1}."
                )
            check_atoms(int(count))
            line, rows = lines.number, lines.take_many(int(count))
            box = lines.take()
            if not box.endswith("\n"):
                notes.append(
                    f"The frame after {number} others (line {line}) is incomplete and is left out."
                )
                return
            number += 1
            found = _TIME.search(title)
            yield _Record(number, line, float(found[1]) if found else None, rows, box)


def _width(row: str) -> int | None:
    """Return the width of a coordinate, which follows from the decimal points; None if invalid."""
    points = [k for k in range(FIRST, len(row)) if row[k] == "."]
    return points[1] - points[0] if len(points) > 2 else None


def _positions(record: _Record) -> np.ndarray:
    width = _width(record.rows[0]) or 0
    try:
        places = [
            [float(row[FIRST + k * width : FIRST + (k + 1) * width]) for k in range(3)]
            for row in record.rows
        ]
    except ValueError:
        raise InputError(f"The rows of {record.where()} cannot be read.") from None
    return A_PER_NM * np.array(places)


def _cell(record: _Record) -> np.ndarray:
    """Return the lattice vectors; the order is v1x v2y v3z v1y v1z v2x v2z v3x v3y."""
    if not _BOX.fullmatch(record.box):
        raise InputError(f"The box of {record.where()} cannot be read: '{record.box.strip()}'.")
    values = [float(word) for word in record.box.split()]
    xx, yy, zz, xy, xz, yx, yz, zx, zy = [*values, *[0.0] * (9 - len(values))]
    return A_PER_NM * np.array([[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]])


def _symbols(record: _Record) -> tuple[str, ...]:
    symbols: dict[tuple[str, str], str] = {}
    found = []
    for row in record.rows:
        names = row[RESIDUE].strip(), row[NAME].strip()
        if names not in symbols:
            symbols[names] = _symbol(*names, record)
        found.append(symbols[names])
    return tuple(found)


def _symbol(residue: str, name: str, record: _Record) -> str:
    letters = _LETTERS.match(name)
    if letters is None:
        raise InputError(f"The rows of {record.where()} cannot be read.")
    if letters[0] in FORCE_FIELD_NAMES and residue.rstrip("+-0123456789") != letters[0]:
        raise InputError(
            f"The name {name} in {record.where()} is {letters[0].capitalize()}, or "
            f"{letters[0][0]} in the names of a force field: write {letters[0].capitalize()} or "
            f"{letters[0][0]}."
        )
    return element_symbol(letters[0])
