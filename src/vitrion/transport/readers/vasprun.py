"""A streaming reader of VASP's vasprun.xml: one frame in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError, iterparse
from xml.parsers.expat import errors

import numpy as np

from vitrion.chemistry.species import element_symbols
from vitrion.errors import InputError
from vitrion.transport.readers.incar import TAGS, has_learned_forces, run_settings
from vitrion.transport.readers.stream import FrameStream, stack
from vitrion.transport.readers.text import open_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from vitrion.transport.readers.stream import Frame

CUT_SYMBOLS = {"r": "Zr", "X": "Xe"}
"""Elements that old versions of VASP truncated to one letter, as pymatgen reads them."""

AT_END = {
    errors.codes[text] for text in (errors.XML_ERROR_NO_ELEMENTS, errors.XML_ERROR_UNCLOSED_TOKEN)
}
"""Errors of a file that ends too early."""

CUT_FILE = "The file ends before the end of the run; a frame that is incomplete is left out."


def read_vasprun(path: Path) -> FrameStream:
    """Open a vasprun.xml; it holds one frame for each ionic step, for any NBLOCK.

    Raises
    ------
    InputError
        If the file has no atoms, is not of molecular dynamics, or is of a run with a
        machine-learned force field, whose file lacks most ionic steps.
    """
    symbols: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    with open_bytes(path) as file:
        for _, element in iterparse(file):
            name = element.get("name", "")
            if element.tag == "i" and name in TAGS and (element.text or "").strip():
                tags[name] = str(element.text)
            elif element.tag == "atominfo":
                rows = element.iterfind("array[@name='atoms']/set/rc")
                names = [(row[0].text or "").strip() for row in rows]
                symbols = element_symbols(CUT_SYMBOLS.get(name, name) for name in names)
            elif element.tag == "structure" and symbols:  # the primitive cell precedes the atoms
                break
    if not symbols:
        raise InputError(f"{path} is not a vasprun.xml with atoms.")
    if has_learned_forces(tags):
        raise InputError(
            f"{path} is of a run with a machine-learned force field (ML_LMLFF), most of "
            "whose steps are not in the list of steps: give its XDATCAR and the time "
            "between frames."
        )
    settings = run_settings(tags, str(path))
    notes: list[str] = []
    return FrameStream(
        symbols,
        stack(_frames(path, len(symbols), notes)),
        frame_interval_fs=settings.step_fs,
        temperature_K=settings.temperature_K,
        no_temperature=settings.no_temperature,
        notes=notes,
    )


def _frames(path: Path, n_atoms: int, notes: list[str]) -> Iterator[Frame]:
    number = 0
    with open_bytes(path) as file:
        for element in _elements(file, notes):
            if element.tag != "calculation":
                continue
            structure = element.find("structure")
            if structure is not None:
                number += 1
                cell = _rows(structure, "crystal/varray[@name='basis']", 3, number)
                positions = _rows(structure, "varray[@name='positions']", n_atoms, number)
                yield positions @ cell, cell
            element.clear()


def _elements(file: Any, notes: list[str]) -> Iterator[Element]:
    """Yield the elements of a file, which may end early if the run was killed while it wrote."""
    try:
        for _, element in iterparse(file):
            yield element
    except EOFError:  # a compressed file that was cut off
        notes.append(CUT_FILE)
    except ParseError as exc:
        line, column = exc.position
        if exc.code not in AT_END:
            raise InputError(
                f"The XML is broken in line {line} (column {column + 1}), where a run may have "
                "been killed and another one appended: give each run as a file."
            ) from None
        notes.append(CUT_FILE)


def _rows(element: Element, path: str, count: int, number: int) -> np.ndarray:
    rows = [(v.text or "").split() for v in element.iterfind(f"{path}/v")]
    try:
        values = np.array(rows, dtype=float)
    except ValueError:
        values = np.empty(0)
    if values.shape != (count, 3):
        bad = next((" ".join(row) for row in rows if not _is_row(row)), f"{len(rows)} rows")
        raise InputError(f"'{bad}' in frame {number} is not one of {count} rows of three numbers.")
    return values


def _is_row(row: list[str]) -> bool:
    try:
        return len([float(word) for word in row]) == 3
    except ValueError:
        return False
