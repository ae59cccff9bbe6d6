"""A streaming reader of VASP's XDATCAR: one frame in memory at a time."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np

from vitrion.chemistry.poscar import NO_ELEMENTS, scaling_factors
from vitrion.chemistry.species import element_symbols
from vitrion.errors import InputError
from vitrion.transport.readers.incar import settings_beside
from vitrion.transport.readers.stream import FrameStream, check_symbols, stack
from vitrion.transport.readers.text import Lines, check_atoms, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vitrion.transport.readers.stream import Frame

HEADER_LINES = 7
"""Comment, scaling factor, three lattice vectors, names, counts."""

NAMES_PER_LINE = 20
"""Number of names, and of counts, after which VASP begins another line."""

MARKS = ("direct configuration", "konfig")
"""Lines that begin a frame; a blank line in VASP 5.2."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
_ROW = re.compile(
    rf"\s*({_NUMBER.pattern})\s*({_NUMBER.pattern})\s*({_NUMBER.pattern})(?:\s+[A-Z]\w*)?\s*"
)
"""Three numbers; pymatgen adds the element."""
LONGEST_ROW = 1000
"""Maximum number of characters of three numbers; longer rows would match slowly."""


def _row(line: str) -> re.Match[str] | None:
    """Return the three numbers of a row, or None."""
    return _ROW.fullmatch(line) if len(line) <= LONGEST_ROW else None


class _Record(NamedTuple):
    """A frame as text."""

    number: int
    line: int
    mark: int | None
    symbols: tuple[str, ...]
    cell: np.ndarray
    rows: list[str]

    def where(self, row: int | None = None) -> str:
        """Return the name of the frame, or of one of its rows, for messages."""
        return f"frame {self.number} (line {self.line if row is None else self.line + 1 + row})"


def read_xdatcar(path: Path) -> FrameStream:
    """Open a VASP XDATCAR, with a fixed or a changing cell.

    Frame interval and temperature are read from an INCAR in the same folder if it exists.

    Raises
    ------
    InputError
        If the header cannot be read, or the INCAR beside it is not of molecular dynamics.
    """
    notes: list[str] = []
    symbols: tuple[str, ...] | None = None
    marks = []
    for record in _records(path, notes):
        symbols = symbols or record.symbols
        marks.append(record.mark)
    if symbols is None:
        raise InputError(f"{path} holds no XDATCAR frame.")

    def frames() -> Iterator[Frame]:
        for record in _records(path, []):
            if record.number > len(marks):
                return  # the run is still writing
            check_symbols(record.symbols, symbols, record.where())
            yield _rows(record) @ record.cell, record.cell

    settings = settings_beside(path)
    counted = None if None in marks else np.array(marks)
    interval = settings.frame_interval_fs
    return FrameStream(
        symbols,
        stack(frames()),
        frame_interval_fs=interval if counted is None else None,
        fs_per_mark=_per_mark(counted, interval, settings.steps_per_frame),
        temperature_K=settings.temperature_K,
        no_temperature=settings.no_temperature,
        marks=counted,
        mark_name="configuration",
        notes=notes,
    )


def looks_like_xdatcar(text: str) -> bool:
    """Whether a text begins with the header and first frame of an XDATCAR."""
    lines = Lines(text.splitlines(keepends=True))
    header = _header_lines(lines)
    if len(header) == HEADER_LINES and (counts := _integers(header[-1])):
        check_atoms(sum(counts))
    try:
        return _header(header) is not None and _is_mark(lines)
    except InputError:
        return False


def _per_mark(
    marks: np.ndarray | None, interval_fs: float | None, steps_per_frame: int | None
) -> float | None:
    """Return the time between two numbers of frames: VASP counts frames, or ionic steps."""
    if marks is None or interval_fs is None or len(marks) < 2:
        return None
    spacings, times = np.unique(np.diff(marks), return_counts=True)
    spacing = int(spacings[np.argmax(times)])
    return interval_fs / spacing if spacing in {1, steps_per_frame} else None


def _records(path: Path, notes: list[str]) -> Iterator[_Record]:
    """Read frames without parsing their rows; a truncated frame is skipped."""
    with open_text(path) as file:
        lines = Lines(file)
        symbols, cell = _take_header(lines)
        number = 0
        while lines.peek():
            if not _is_mark(lines):
                if not lines.peek().strip() and not lines.peek(1).strip():
                    lines.take()  # blank lines at the end
                    continue
                symbols, cell = _take_header(lines)
                continue
            mark = _mark_number(lines.take())
            line = lines.number
            rows = lines.take_many(len(symbols))
            text = "".join(rows)
            plain = text.count(".") == 3 * len(symbols) and "\n\n" not in text
            cut = None if plain else _cut(rows)
            if cut is not None:
                lines.put_back(rows[cut:])
            if cut is not None or len(rows) < len(symbols) or _unfinished(rows, lines):
                notes.append(
                    f"The frame after {number} others (line {line}) is incomplete and is left out."
                )
                continue
            number += 1
            yield _Record(number, line, mark, symbols, cell, rows)


def _unfinished(rows: list[str], lines: Lines) -> bool:
    """Whether the last row of the file is truncated."""
    return lines.end_in(rows) or (not lines.peek() and _row(rows[-1]) is None)


def _is_mark(lines: Lines) -> bool:
    """Whether the next line begins a frame; a blank line may be the comment of a header."""
    line = lines.peek().strip().lower()
    return line.startswith(MARKS) or (not line and _row(lines.peek(1)) is not None)


def _mark_number(line: str) -> int | None:
    number = line.partition("=")[2].strip()
    return int(number) if number.isdigit() else None


def _take_header(lines: Lines) -> tuple[tuple[str, ...], np.ndarray]:
    first = lines.number + 1
    header = _header_lines(lines)
    read = _header(header)
    if read is None:
        if len(header) == HEADER_LINES and _integers(header[5]):
            raise InputError(f"The XDATCAR's header in line {first} {NO_ELEMENTS}.")
        shown = " / ".join(line.strip() for line in header)[:120]
        raise InputError(
            f"The XDATCAR's header in line {first} is broken: '{shown}' instead of a comment, the "
            "scaling factor, three lattice vectors, the elements and their numbers of atoms."
        )
    return read


def _header_lines(lines: Lines) -> list[str]:
    """Return the next header as seven lines, with all names and all counts in one line each."""
    header = lines.take_many(HEADER_LINES)
    if len(header) < HEADER_LINES:
        return header
    names, counts = header[5].split(), header[6]
    while names and len(names) % NAMES_PER_LINE == 0 and not _integers(counts) and lines.peek():
        names += counts.split()
        counts = lines.take()
    found = counts.split()
    while found and len(found) % NAMES_PER_LINE == 0 and len(found) < len(names) and lines.peek():
        found += lines.take().split()
    return [*header[:5], " ".join(names), " ".join(found)]


def _header(header: list[str]) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Return elements and cell of a header of seven lines, or None."""
    if len(header) < HEADER_LINES:
        return None
    counts, names = _integers(header[6]), header[5].split()
    try:
        cell = np.array([[float(word) for word in row.split()] for row in header[2:5]])
    except ValueError:
        return None
    if not counts or len(counts) != len(names) or cell.shape != (3, 3):
        return None
    if not np.isfinite(cell).all():
        return None
    check_atoms(sum(counts))
    cell = cell * scaling_factors(header[1], cell)
    symbols = element_symbols(names)
    return tuple(s for s, n in zip(symbols, counts, strict=True) for _ in range(n)), cell


def _integers(line: str) -> list[int]:
    words = line.split()
    return [int(word) for word in words] if words and all(w.isdigit() for w in words) else []


def _cut(rows: list[str]) -> int | None:
    """Return the row at which another header or frame begins, if the frame is truncated."""
    for k, row in enumerate(rows):
        if row.strip().lower().startswith(MARKS):
            return k
        if _row(row) is None:
            # The broken row may be the comment of a header, or precede one.
            for start in (k, k + 1):
                if _begins_header(rows[start : start + HEADER_LINES]):
                    return start
                if rows[start : start + 1] and rows[start].strip().lower().startswith(MARKS):
                    return start
    return None


def _begins_header(lines: list[str]) -> bool:
    """Whether lines may start a header, recognized by a scale alone in its row."""
    if len(lines) < 3:
        return False
    scale = lines[1].split()
    vectors = [_row(line) is not None for line in lines[2:5]]
    return len(scale) == 1 and _NUMBER.fullmatch(scale[0]) is not None and all(vectors)


def _rows(record: _Record) -> np.ndarray:
    """Return the fractional coordinates of a frame."""
    n_atoms = len(record.symbols)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # by older numpy
            values = np.fromstring("".join(record.rows), sep=" ")
    except (ValueError, DeprecationWarning):
        values = np.empty(0)
    if values.size == 3 * n_atoms:
        return values.reshape(n_atoms, 3)
    found = [_row(row) for row in record.rows]
    bad = next((k for k, row in enumerate(found) if row is None), None)
    if bad is not None:
        _refuse_row(record, bad)
    return np.array([row.groups() for row in found if row is not None], dtype=float)


def _refuse_row(record: _Record, row: int) -> NoReturn:
    raise InputError(
        f"The row '{record.rows[row].strip()}' in {record.where(row)} of the XDATCAR is not three "
        "numbers: remove the frame, or correct the row."
    )
