"""A streaming reader of LAMMPS text dumps: one frame in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from ase import units

from vitrion.chemistry.species import element_symbols, elements_of_masses
from vitrion.errors import InputError
from vitrion.transport.readers.lammps_types import read_types, type_symbols
from vitrion.transport.readers.stream import FrameStream, check_ids, check_symbols, stack
from vitrion.transport.readers.text import Lines, check_atoms, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from vitrion.transport.readers.lammps_types import Types
    from vitrion.transport.readers.stream import Frame

COORDINATES = {"xu": "xu yu zu", "xsu": "xsu ysu zsu", "x": "x y z", "xs": "xs ys zs"}
"""Position columns by preference: unwrapped ones first."""

IMAGES = ("ix", "iy", "iz")
"""Columns that count how often an atom has crossed the cell."""

UNITS = {
    "metal": (1.0, 1e3),
    "real": (1.0, 1.0),
    "electron": (units.Bohr, 1.0),
    "nano": (10.0, 1e6),
    "micro": (1e4, 1e9),
    "si": (1e10, 1e15),
    "cgs": (1e8, 1e15),
}
"""Length in A and time in fs of LAMMPS' unit styles."""

DIRECTIONS = "xyz"


class _Record(NamedTuple):
    """A frame as text."""

    number: int
    line: int
    step: int
    time: float | None
    units: str | None
    box: list[str]
    box_rows: list[str]
    columns: list[str]
    rows: list[str]

    def where(self, row: int | None = None) -> str:
        """Return the name of the frame, or of one of its rows, for messages."""
        line = self.line if row is None else self.line + 1 + row
        return f"frame {self.number} (step {self.step}, line {line})"


def read_lammps_dump(
    path: Path,
    type_map: Types = None,
    timestep_fs: float | None = None,
) -> FrameStream:
    """Open a LAMMPS text dump.

    Positions are in A, unless the dump states other units (``dump_modify units yes``). Image
    flags are applied, atoms are sorted by id, and a truncated frame is skipped.

    Parameters
    ----------
    path : Path
        With the columns ``id``, ``element`` or ``type``, and one set of `COORDINATES`.
    type_map : Types
        Element of each LAMMPS type, if the dump has no ``element`` column.
    timestep_fs : float or None
        MD time step, if the dump states no times.

    Raises
    ------
    InputError
        If columns are missing, a type has no symbol, or the dump states what is not supported.
    """
    types = read_types(type_map)
    notes: list[str] = []
    first, marks, times = None, [], []
    for record in _records(path, notes):
        first = first or record
        marks.append(record.step)
        times.append(record.time)
    if first is None:
        raise InputError(f"{path} holds no LAMMPS dump frame.")
    atoms = _Atoms(first, types)
    used, fs_per_mark = _clock(np.array(marks), times, first.units, timestep_fs)

    def frames() -> Iterator[Frame]:
        for record in _records(path, []):
            if record.number > len(marks):
                return  # the run is still writing
            yield atoms.frame(record)

    return FrameStream(
        atoms.symbols,
        stack(frames()),
        wrapped=False if atoms.unwrapped else None,
        marks=used,
        mark_name="time" if used.dtype.kind == "f" else "step",
        fs_per_mark=fs_per_mark,
        notes=notes,
    )


def _clock(
    steps: np.ndarray, times: list[float | None], unit: str | None, timestep_fs: float | None
) -> tuple[np.ndarray, float | None]:
    """Return the marks of the frames and the time between two of them in fs.

    The marks are the steps; the times if these are not proportional to the steps, as with a
    variable time step.
    """
    if None in times or len(times) < 2:
        return steps, timestep_fs
    stated = np.array(times, dtype=float)
    forward = np.diff(steps) > 0
    if not forward.any():
        return steps, timestep_fs
    rates = np.diff(stated)[forward] / np.diff(steps)[forward]
    rate = float(np.median(rates))
    if rate <= 0:
        return steps, timestep_fs
    even = bool(np.abs(rates - rate).max() <= 1e-3 * rate)
    if unit not in UNITS:
        return (steps, timestep_fs) if even else (stated, None)
    fs = UNITS[unit][1]
    if timestep_fs is not None and abs(timestep_fs - rate * fs) > 0.01 * timestep_fs:
        raise InputError(
            f"The dump states a time step of {rate * fs:g} fs and {timestep_fs:g} fs is given: "
            "leave it out, or correct it."
        )
    return (steps, rate * fs) if even else (stated, fs)


def _coordinates(record: _Record) -> str:
    kind = next((key for key in COORDINATES if key in record.columns), None)
    missing = [] if kind is None else set(COORDINATES[kind].split()) - set(record.columns)
    if kind is None or missing or "id" not in record.columns:
        raise InputError(
            "The LAMMPS dump needs the columns id and xu yu zu (or x y z), and has "
            f"{' '.join(record.columns)}."
        )
    return kind


def _table(record: _Record) -> np.ndarray:
    """Return the rows of a frame as text, in order of the atoms' ids."""
    words = "".join(record.rows).split()
    if len(words) != len(record.columns) * len(record.rows):
        _refuse_row(record)
    table = np.array(words).reshape(-1, len(record.columns))
    try:
        ids = table[:, record.columns.index("id")].astype(np.int64)
    except ValueError:
        _refuse_row(record)
    order = np.argsort(ids, kind="stable")
    repeated = np.flatnonzero(np.diff(ids[order]) == 0)
    if repeated.size:
        raise InputError(f"Atom {ids[order][repeated[0]]} occurs twice in {record.where()}.")
    return table[order]


def _refuse_row(record: _Record) -> NoReturn:
    texts = ("element", "type", "typelabel", "mol")
    numeric = {record.columns.index(name) for name in record.columns if name not in texts}
    for k, row in enumerate(record.rows):
        words = row.split()
        bad = len(words) != len(record.columns)
        if not bad:
            try:
                _ = [float(words[i]) for i in numeric]
            except ValueError:
                bad = True
        if bad:
            raise InputError(
                f"The row '{row.strip()}' in {record.where(k)} does not hold the "
                f"{len(record.columns)} columns {' '.join(record.columns)}."
            )
    raise InputError(f"The rows of {record.where()} cannot be read.")


def _labels(record: _Record, table: np.ndarray, types: Mapping[int, str]) -> np.ndarray:
    """Return the column that identifies elements."""
    columns = record.columns
    for name in ("type", "element", "typelabel") if types else ("element", "typelabel"):
        if name in columns:
            return table[:, columns.index(name)]
    if "type" in columns and not table[0, columns.index("type")].isdigit():
        return table[:, columns.index("type")]  # labels
    if "mass" in columns:
        return np.array(elements_of_masses(table[:, columns.index("mass")]))
    raise InputError(
        "The LAMMPS dump names no elements: dump the column element, or give the element of each "
        "type (in Python: type_map, on the command line: --types Li,O for types 1 and 2)."
    )


def _symbols(record: _Record, labels: np.ndarray, types: Mapping[int, str]) -> tuple[str, ...]:
    if not types or "type" not in record.columns:
        return element_symbols(labels.tolist())
    return type_symbols(labels.tolist(), types)


class _Atoms:
    """Read frames, all of which must hold the atoms and columns of the first."""

    def __init__(self, first: _Record, types: Mapping[int, str]) -> None:
        self._types = types
        self._kind = _coordinates(first)
        self._flagged = self._kind in {"x", "xs"} and set(IMAGES) <= set(first.columns)
        table = _table(first)
        self._ids = table[:, first.columns.index("id")]
        self._labels = _labels(first, table, types)
        self.symbols = _symbols(first, self._labels, types)
        self.unwrapped = self._kind.endswith("u") or self._flagged

    def frame(self, record: _Record) -> Frame:
        """Return positions, unwrapped if the dump allows it, and the cell."""
        if _coordinates(record) != self._kind:
            raise InputError(
                f"The columns change in {record.where()} to {' '.join(record.columns)}: give the "
                "parts of the run as separate files."
            )
        table = _table(record)
        check_ids(table[:, record.columns.index("id")], self._ids, record.where())
        labels = _labels(record, table, self._types)
        if not np.array_equal(labels, self._labels):
            check_symbols(_symbols(record, labels, self._types), self.symbols, record.where())
        origin, cell = _box(record)
        scale = 1.0 if record.units is None else UNITS[record.units][0]
        values = _numbers(record, table, COORDINATES[self._kind].split())
        positions = values @ cell if self._kind.startswith("xs") else values - origin
        if self._flagged:
            positions = positions + _numbers(record, table, IMAGES) @ cell
        return positions * scale, cell * scale


def _numbers(record: _Record, table: np.ndarray, names: Sequence[str]) -> np.ndarray:
    try:
        return table[:, [record.columns.index(name) for name in names]].astype(float)
    except ValueError:
        _refuse_row(record)


def _records(path: Path, notes: list[str]) -> Iterator[_Record]:
    """Read frames without parsing their rows; a truncated frame is skipped."""
    with open_text(path) as file:
        lines = Lines(file)
        state: dict[str, Any] = {
            "step": 0,
            "n_atoms": 0,
            "time": None,
            "units": None,
            "box": [],
            "rows": [],
        }
        number = 0
        while line := lines.take():
            name = line.strip().removeprefix("ITEM:").strip()
            if not line.startswith("ITEM:"):
                if line.strip():
                    raise InputError(
                        f"Line {lines.number} of the LAMMPS dump, '{line.strip()[:60]}', is "
                        f"outside a frame of {state['n_atoms']} atoms."
                    )
            elif name.startswith("ATOMS"):
                first_line = lines.number
                rows, cut = _take_rows(lines, state["n_atoms"])
                columns = name.split()[1:]
                full = bool(rows) and len(rows[-1].split()) >= len(columns)
                short = len(rows) < state["n_atoms"] or not full
                if cut or lines.end_in(rows) or (short and not lines.peek()):
                    notes.append(
                        f"The frame at step {state['step']} (line {first_line}) is incomplete and "
                        "is left out."
                    )
                    continue
                number += 1
                yield _Record(
                    number, first_line, state["step"], state["time"], state["units"],
                    state["box"], state["rows"], columns, rows,
                )  # fmt: skip
                state["time"] = None
            else:
                _header(name, lines, state)


def _take_rows(lines: Lines, count: int) -> tuple[list[str], bool]:
    """Return the next rows, and whether another item follows too early."""
    rows = lines.take_many(count)
    for k, row in enumerate(rows):
        if "ITEM:" in row:
            lines.put_back([row[row.index("ITEM:") :], *rows[k + 1 :]])
            return rows[:k], True
    return rows, False


def _header(name: str, lines: Lines, state: dict[str, Any]) -> None:
    """Read one item of a frame header."""
    if name.startswith("BOX BOUNDS"):
        state["box"] = name.split()[2:]
        state["rows"], _ = _take_rows(lines, 3)
        return
    value = lines.peek().strip()
    if value.startswith("ITEM:"):
        return  # a truncated header; its frame has no atoms
    lines.take()
    try:
        if name == "TIMESTEP":
            state["step"] = int(value)
        elif name == "NUMBER OF ATOMS":
            state["n_atoms"] = int(value)
            check_atoms(state["n_atoms"])
        elif name == "TIME":
            state["time"] = float(value)
        elif name == "UNITS":
            state["units"] = _checked_units(value)
        else:
            raise InputError(
                f"Line {lines.number - 1} of the LAMMPS dump, 'ITEM: {name}', is not supported: "
                "dump atoms with their positions (dump custom)."
            )
    except ValueError as exc:
        if isinstance(exc, InputError) or not lines.peek():
            raise
        raise InputError(
            f"Line {lines.number} of the LAMMPS dump, '{value}', is not a value of {name}."
        ) from None


def _checked_units(name: str) -> str:
    if name not in UNITS:
        raise InputError(
            f"The LAMMPS dump is in units {name}, which have no length in A: convert it, or use "
            f"one of {', '.join(UNITS)}."
        )
    return name


def _box(record: _Record) -> tuple[np.ndarray, np.ndarray]:
    """Return origin and cell from bounds, bounds with tilts, or three general vectors."""
    flags = [word for word in record.box if len(word) == 2 and set(word) <= set("pfsm")]
    for direction, flag in zip(DIRECTIONS, flags, strict=False):
        if flag != "pp":
            raise InputError(
                f"The LAMMPS dump is not periodic along {direction} (boundary '{' '.join(flags)}' "
                f"in {record.where()}): the analysis needs a cell that is periodic in all "
                "directions."
            )
    general = record.box[:2] == ["abc", "origin"]
    try:
        rows = np.array([row.split() for row in record.box_rows], dtype=float)
    except ValueError:
        rows = np.empty(0)
    if rows.shape not in ({(3, 4)} if general else {(3, 2), (3, 3)}):
        raise InputError(f"The box of {record.where()} cannot be read: {record.box_rows}.")
    if general:
        return rows[:, 3], rows[:, :3]
    return _from_bounds(rows)


def _from_bounds(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return origin and cell; the bounds enclose the tilted cell, so subtract the tilts."""
    low, high = bounds[:, 0], bounds[:, 1]
    xy, xz, yz = bounds[:, 2] if bounds.shape[1] == 3 else (0.0, 0.0, 0.0)
    low = low - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = high - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    lx, ly, lz = high - low
    return low, np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])
