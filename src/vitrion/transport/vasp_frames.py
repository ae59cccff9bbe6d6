"""Streaming readers of VASP trajectories: one frame in memory at a time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError, iterparse

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.readable import open_bytes, open_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO
    from xml.etree.ElementTree import Element

Frame = tuple[np.ndarray, np.ndarray]
"""Cartesian positions (n_atoms, 3) and cell (3, 3), in A."""


def read_xdatcar(path: Path) -> tuple[tuple[str, ...], Iterator[Frame]]:
    """Return the symbols and frames of a VASP XDATCAR, with a fixed or a changing cell."""
    with open_text(path) as file:
        symbols, _ = _xdatcar_header(file, file.readline())
    return symbols, _xdatcar_frames(path, len(symbols))


def _xdatcar_header(file: TextIO, comment: str) -> tuple[tuple[str, ...], np.ndarray]:
    try:
        scale = float(file.readline())
        cell = np.array([file.readline().split() for _ in range(3)], dtype=float)
        names = file.readline().split()
        counts = [int(word) for word in file.readline().split()]
        symbols = tuple(n for n, count in zip(names, counts, strict=True) for _ in range(count))
    except ValueError as exc:
        raise InputError(f"The XDATCAR's header after '{comment.strip()}' is broken.") from exc
    # A negative scale is the volume of the cell.
    factor = scale if scale > 0 else (-scale / abs(np.linalg.det(cell))) ** (1 / 3)
    return symbols, cell * factor


def _xdatcar_frames(path: Path, n_atoms: int) -> Iterator[Frame]:
    with open_text(path) as file:
        cell = np.eye(3)
        while line := file.readline():
            if not line.lower().startswith("direct configuration"):
                if line.strip():
                    _, cell = _xdatcar_header(file, line)
                continue
            numbers = np.fromstring("".join(file.readline() for _ in range(n_atoms)), sep=" ")
            if numbers.size != 3 * n_atoms:  # a run that was killed while it wrote
                return
            yield numbers.reshape(n_atoms, 3) @ cell, cell


def read_vasprun(path: Path) -> tuple[tuple[str, ...], dict[str, float], Iterator[Frame]]:
    """Return the symbols, POTIM and TEBEG, and the frames of a vasprun.xml.

    There is one frame for each ionic step, whatever NBLOCK.

    Raises
    ------
    InputError
        If it holds no atoms, or is of a run with a machine-learned force field, whose steps are
        not all in the list of ionic steps that is read here.
    """
    symbols: tuple[str, ...] = ()
    parameters: dict[str, float] = {}
    with open_bytes(path) as file:
        for _, element in iterparse(file):
            name = element.get("name", "")
            if element.tag == "i" and name in {"POTIM", "TEBEG"} and element.text:
                parameters[name] = float(element.text)
            elif name == "ML_LMLFF" and (element.text or "").strip(" .").upper().startswith("T"):
                raise InputError(
                    f"{path} is of a run with a machine-learned force field (ML_LMLFF), most of "
                    "whose steps are not in the list of steps: give its XDATCAR and the time "
                    "between frames."
                )
            elif element.tag == "atominfo":
                rows = element.iterfind("array[@name='atoms']/set/rc")
                symbols = tuple((row[0].text or "").strip() for row in rows)
            elif element.tag == "structure" and symbols:  # a primitive cell comes before the atoms
                break
    if not symbols:
        raise InputError(f"{path} is no vasprun.xml with atoms.")
    return symbols, parameters, _vasprun_frames(path)


def _vasprun_frames(path: Path) -> Iterator[Frame]:
    with open_bytes(path) as file, suppress(ParseError):  # a run that was killed while it wrote
        for _, element in iterparse(file):
            if element.tag != "calculation":
                continue
            structure = element.find("structure")
            if structure is not None:
                cell = _rows(structure, "crystal/varray[@name='basis']")
                yield _rows(structure, "varray[@name='positions']") @ cell, cell
            element.clear()


def _rows(element: Element, path: str) -> np.ndarray:
    return np.array([(v.text or "").split() for v in element.iterfind(f"{path}/v")], dtype=float)
