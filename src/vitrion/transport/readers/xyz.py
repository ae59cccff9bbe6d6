"""A streaming reader of XYZ files: extended XYZ, CP2K and i-PI."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from ase import units
from ase.geometry import cellpar_to_cell
from ase.io.extxyz import key_val_str_to_dict

from vitrion.chemistry.species import masses
from vitrion.errors import InputError
from vitrion.transport.readers.frame_facts import as_float, read_clock, read_facts
from vitrion.transport.readers.lammps_types import label_symbols, read_types, type_symbols
from vitrion.transport.readers.stream import FrameStream, check_ids, check_symbols, no_cell, stack
from vitrion.transport.readers.text import Lines, check_atoms, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vitrion.transport.readers.lammps_types import Types
    from vitrion.transport.readers.stream import Frame

LENGTHS = {"angstrom": 1.0, "atomic_unit": units.Bohr, "bohr": units.Bohr, "nanometer": 10.0}
"""Units of i-PI in A; atomic units if not stated."""

PLAIN = "species:S:1:pos:R:3"

_CP2K = re.compile(r"\bi\s*=\s*(\d+)\s*,\s*time\s*=\s*([-+.\deE]+)")
_IPI = re.compile(r"CELL[({\[](\w+)[)}\]]:\s*((?:[-+.\deE]+\s+){5}[-+.\deE]+)")
_UNIT = re.compile(r"\b(positions|x_centroid|cell)\{(\w+)\}")
_LAMMPS = re.compile(r"\s*Atoms\. Timestep: (\d+)")
_OTHER = re.compile(r"\b(\w*(?:velocit|momenta|force)\w*|[vpf]_\w+)\{")
"""Quantities of i-PI that are not positions."""
_IPI_STEP = re.compile(r"\bStep:\s*(\d+)")


class _Record(NamedTuple):
    """A frame as text."""

    number: int
    line: int
    comment: str
    rows: list[str]

    def where(self, row: int | None = None) -> str:
        """Return the name of the frame, or of one of its rows, for messages."""
        return f"frame {self.number} (line {self.line if row is None else self.line + 2 + row})"


class _Comment(NamedTuple):
    """Contents of the comment of a frame."""

    cell: np.ndarray | None = None
    pbc: Any = None
    length: float = 1.0
    properties: str = PLAIN
    step: float | None = None
    time: float | None = None
    fs_per_time: float | None = None
    temperature: float | None = None
    has_types: bool = False


def looks_like_xyz(text: str) -> bool:
    """Whether a text begins with a number of atoms, a comment, and a row of an atom."""
    lines = text.splitlines()
    if len(lines) < 3 or not lines[0].strip().isdigit():
        return False
    words = lines[2].split()
    named = words[:1] and (words[0][0].isalpha() or lines[1].startswith("Atoms. Timestep"))
    return len(words) >= 4 and bool(named or "properties=" in lines[1].lower())


def read_xyz(
    path: Path,
    cell: np.ndarray | None = None,
    timestep_fs: float | None = None,
    types: Types = None,
) -> FrameStream:
    """Open an XYZ file.

    Parameters
    ----------
    path : Path
        Extended XYZ, or with the comments of CP2K, i-PI or LAMMPS.
    cell : (3, 3) array or None
        Lattice vectors in A of all frames, if the file has none.
    timestep_fs : float or None
        MD time step, if the file counts steps (i-PI, LAMMPS).
    types : Types
        Elements of LAMMPS types.

    Raises
    ------
    InputError
        If there is no periodic cell, rows cannot be read, or LAMMPS types have no element.
    """
    elements = read_types(types)
    notes: list[str] = []
    first, stated = _scan(path, notes)
    symbols, _, ids, _ = _columns(first, stated[0], elements)
    unwrapped = "unwrapped_position" in stated[0].properties

    def frames() -> Iterator[Frame]:
        for record, comment in zip(_records(path, []), stated, strict=False):
            here, positions, here_ids, temperature = _columns(record, comment, elements)
            if has_momenta and temperature:
                observed.append(temperature)
            if ids is not None and here_ids is not None:
                check_ids(here_ids, ids, record.where())
            check_symbols(here, symbols, record.where())
            lattice = comment.cell if cell is None else cell
            if lattice is None:
                raise InputError(no_cell(record.where(), comment.pbc))
            yield positions * comment.length, lattice

    marks, name, fs_per_mark = read_clock(stated, timestep_fs)
    observed = [comment.temperature for comment in stated if comment.temperature]
    has_momenta = not observed and _momenta_column(stated[0]) is not None
    return FrameStream(
        symbols,
        stack(frames()),
        wrapped=False if unwrapped else None,
        marks=marks,
        mark_name=name,
        fs_per_mark=fs_per_mark,
        notes=notes,
        own_cell=stated[0].cell is not None,
        may_repeat=True,
        observed_K=observed,
        states_frame_K=bool(observed) or has_momenta,
    )


def _scan(path: Path, notes: list[str]) -> tuple[_Record, list[_Comment]]:
    """Return the first frame, and what the comments of all frames state."""
    stated: list[_Comment] = []
    first: _Record | None = None
    last: str | None = None
    for record in _records(path, notes):
        first = first or record
        stated.append(stated[-1] if record.comment == last else _read_comment(record))
        last = record.comment
    if first is None:
        raise InputError(f"{path} holds no XYZ frame.")
    return first, stated


def _records(path: Path, notes: list[str]) -> Iterator[_Record]:
    """Read frames without parsing their rows; a truncated frame is skipped."""
    with open_text(path) as file:
        lines = Lines(file)
        number = 0
        while head := lines.take():
            if not head.strip():
                continue
            if not head.strip().isdigit():
                raise InputError(
                    f"Line {lines.number} of the XYZ file, '{head.strip()[:60]}', should be the "
                    f"number of atoms of frame {number + 1}."
                )
            line, n_atoms, comment = lines.number, int(head), lines.take()
            check_atoms(n_atoms)
            rows = lines.take_many(n_atoms)
            cut = next((k for k, row in enumerate(rows) if row.strip() == head.strip()), None)
            if cut is not None:
                lines.put_back(rows[cut:])
            if cut is not None or len(rows) < n_atoms or _unfinished(rows, lines):
                notes.append(
                    f"The frame after {number} others (line {line}) is incomplete and is left out."
                )
                continue
            number += 1
            yield _Record(number, line, comment, rows)


def _unfinished(rows: list[str], lines: Lines) -> bool:
    """Whether the last row of the file is truncated."""
    if not rows or lines.peek():
        return False
    return lines.end_in(rows) or len(rows[-1].split()) < len(rows[0].split())


def _read_comment(record: _Record) -> _Comment:
    text = record.comment
    if "lattice=" in text.lower() or "properties=" in text.lower():
        return _extended(record)
    found = _CP2K.search(text)
    if found:
        return _Comment(step=float(found[1]), time=float(found[2]), fs_per_time=1.0)
    found = _LAMMPS.match(text)
    if found:
        return _Comment(step=float(found[1]), has_types=record.rows[0].split()[0].isdigit())
    found = _IPI.search(text)
    return _ipi(text, found) if found else _Comment()


def _extended(record: _Record) -> _Comment:
    try:
        found: dict[str, Any] = key_val_str_to_dict(record.comment)
        stated = {key.lower(): value for key, value in found.items()}
        cell = pbc = None
        if "lattice" in stated:
            cell = np.asarray(stated["lattice"], dtype=float).reshape(3, 3)
            cell = cell.T if "Lattice" in found else cell  # ASE transposes this key only
    except (ValueError, TypeError) as exc:
        raise InputError(f"The comment of {record.where()} cannot be read: {exc}.") from None
    if cell is not None and not np.all(stated.get("pbc", True)):
        cell, pbc = None, stated["pbc"]
    facts = read_facts(stated)._asdict()
    return _Comment(cell=cell, pbc=pbc, properties=str(stated.get("properties", PLAIN)), **facts)


def _ipi(text: str, found: re.Match[str]) -> _Comment:
    """Parse the comment of i-PI: cell lengths and angles, step, and units."""
    if found[1].lower() != "abcabc":
        raise InputError(
            f"The cell of i-PI is written as {found[1]}: write it as abcABC, which is the default."
        )
    if other := _OTHER.search(text):
        raise InputError(f"The file holds {other[1]} of i-PI, not positions: give the positions.")
    stated = {("cell" if name == "cell" else "positions"): u for name, u in _UNIT.findall(text)}
    lengths = {}
    for name in ("cell", "positions"):
        unit = stated.get(name, "atomic_unit").lower()
        if unit not in LENGTHS:
            raise InputError(
                f"The unit {unit} of i-PI's {name} is not one of {', '.join(LENGTHS)}."
            )
        lengths[name] = LENGTHS[unit]
    values = np.array(found[2].split(), dtype=float)
    values[:3] *= lengths["cell"]
    step = _IPI_STEP.search(text)
    return _Comment(
        cell=cellpar_to_cell(values),
        length=lengths["positions"],
        step=float(step[1]) if step else None,
    )


def _columns(
    record: _Record, comment: _Comment, types: Mapping[int, str]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None, float | None]:
    """Return elements, positions, ids and temperature of a frame, sorted by id if it has ids."""
    columns, width = _layout(comment.properties)
    name = next((n for n in ("species", "element", "Z") if n in columns), None)
    where = next((n for n in ("unwrapped_position", "pos", "positions") if n in columns), None)
    if name is None or where is None:
        raise InputError(
            f"The properties of {record.where()} are '{comment.properties}', without species and "
            "pos."
        )
    if comment.properties == PLAIN and record.rows:
        width = len(record.rows[0].split())  # CP2K and others may add columns
    words = "".join(record.rows).split()
    if width < 4 or len(words) != width * len(record.rows):
        _refuse_row(record, width)
    table = np.array(words).reshape(-1, width)
    start = columns[where]
    try:
        positions = _numbers(table[:, start : start + 3])
        ids = table[:, columns["id"]].astype(int) if "id" in columns else None
        moving = _momenta_column(comment)
        momenta = None if moving is None else _numbers(table[:, moving : moving + 3])
    except ValueError:
        _refuse_row(record, width)
    labels = tuple(table[:, columns[name]].tolist())
    symbols = _symbols(labels, tuple(types.items()), named=not comment.has_types)
    temperature = None if momenta is None else _temperature(momenta, symbols)
    if ids is None:
        return symbols, positions, None, temperature
    order = np.argsort(ids, kind="stable")
    return tuple(symbols[k] for k in order), positions[order], ids[order], temperature


def _momenta_column(comment: _Comment) -> int | None:
    """Return the first column of the momenta that ASE writes."""
    return _layout(comment.properties)[0].get("momenta")


def _temperature(momenta: np.ndarray, symbols: tuple[str, ...]) -> float | None:
    """Return the temperature in K of momenta in ASE's units; atoms at rest are fixed."""
    moving = momenta.any(axis=1)
    if not moving.any():
        return None
    energies = np.sum(momenta[moving] ** 2, axis=1) / masses(symbols)[moving]
    return float(np.mean(energies) / (3.0 * units.kB))


@lru_cache(maxsize=1)  # all frames have the same labels
def _symbols(
    labels: tuple[str, ...], types: tuple[tuple[int, str], ...], *, named: bool
) -> tuple[str, ...]:
    return (label_symbols if named else type_symbols)(labels, dict(types))


def _numbers(words: np.ndarray) -> np.ndarray:
    """Return words as numbers, which may have Fortran's exponents: 1.0D+00."""
    try:
        return words.astype(float)
    except ValueError:
        return np.char.replace(np.char.upper(words), "D", "E").astype(float)


def _layout(properties: str) -> tuple[dict[str, int], int]:
    """Return the first column of each property, and the number of columns."""
    words = properties.split(":")
    columns, width = {}, 0
    for name, _, count in zip(words[::3], words[1::3], words[2::3], strict=False):
        columns[name] = width
        width += int(count) if count.isdigit() else 1
    return columns, width


def _refuse_row(record: _Record, width: int) -> NoReturn:
    for k, row in enumerate(record.rows):
        words = row.split()
        if len(words) != width or width < 4 or any(as_float(w) is None for w in words[1:4]):
            raise InputError(
                f"The row '{row.strip()}' in {record.where(k)} is not an element, three "
                "coordinates and the other columns of the file."
            )
    raise InputError(f"The rows of {record.where()} cannot be read.")
