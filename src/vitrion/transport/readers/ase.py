"""Trajectories as sequences of ASE Atoms, and files read by ASE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.species import element_symbols
from vitrion.errors import InputError
from vitrion.transport.readers.frame_facts import FrameFacts, read_clock, read_facts
from vitrion.transport.readers.program_output import stated_time_step_fs
from vitrion.transport.readers.stream import FrameStream, check_symbols, no_cell, stack
from vitrion.transport.readers.text import beginning, unpacked_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vitrion.transport.readers.stream import Frame

KNOWN = (
    "give an XDATCAR, vasprun.xml, vaspout.h5, LAMMPS text dump, XYZ file, trajectory of ASE or "
    "pymatgen, or a file of another format that ASE reads"
)
"""What to give instead of a file of an unknown format."""

BINARY_START = (b"- of Ulm", b"\x89HDF", b"CDF")
"""First bytes of binary files that ASE reads."""

BINARY = (".xtc", ".trr", ".dcd", ".nc", ".ncdf")
"""Suffixes of files that need MDAnalysis and a topology."""


def read_with_ase(
    path: Path, cell: np.ndarray | None = None, timestep_fs: float | None = None
) -> FrameStream:
    """Open a file with ASE.

    Raises
    ------
    InputError
        If ASE cannot read the file, or it has no periodic cell.
    """
    stream = from_ase(_File(path), cell, timestep_fs)
    if stream.marks is not None or beginning(path).startswith(BINARY_START):
        return stream
    return replace(stream, frame_interval_fs=stated_time_step_fs(path))


class _File:
    """Frames of a file, which can be read several times."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Any]:
        images = _iterate(self._path)
        return _with_first_cell(images) if unpacked_name(self._path).endswith(".pdb") else images


def _iterate(path: Path) -> Iterator[Any]:
    from ase.io import iread
    from ase.io.formats import UnknownFileTypeError

    if unpacked_name(path).endswith(BINARY):
        raise InputError(
            f"{path} does not name its atoms: open it with MDAnalysis and give the Universe."
        )
    try:
        yield from iread(str(path), ":")
    except UnknownFileTypeError as exc:
        raise InputError(f"{path} is not a trajectory that can be read: {KNOWN}.") from exc
    except (InputError, OSError):
        raise
    except Exception as exc:  # each format raises different errors
        why = str(exc).strip().rstrip(".") or type(exc).__name__
        raise InputError(f"{path} is not a trajectory that can be read: {why}.") from exc


def _with_first_cell(images: Iterator[Any]) -> Iterator[Any]:
    """Give the cell of the first frame to frames without one: PDB states it once for all models."""
    cell = None
    for image in images:
        if not len(image):
            continue  # the end of the file
        if all(image.pbc):
            cell = image.cell
        elif cell is not None:
            image.set_cell(cell)
            image.pbc = True
        yield image


def from_ase(
    images: Iterable[Any], cell: np.ndarray | None = None, timestep_fs: float | None = None
) -> FrameStream:
    """Open ASE Atoms, whose ``info`` may state steps, times and temperatures.

    Parameters
    ----------
    images : iterable of Atoms
    cell : (3, 3) array or None
        Lattice vectors in A, if the images have none.
    timestep_fs : float or None
        MD time step, if the images count steps.
    """
    iterator = iter(images)
    first = _first_of(iterator)
    symbols = _symbols(first)
    if cell is None and not all(first.pbc):
        raise InputError(no_cell("frame 1", first.pbc))
    stated: list[FrameFacts] = []
    if read_facts(first.info) != FrameFacts():
        if isinstance(images, Iterator):
            images = [first, *iterator]
        stated = [read_facts(image.info) for image in images]
    again = not isinstance(images, Iterator)
    marks, name, fs_per_mark = read_clock(stated, timestep_fs) if stated else (None, "step", None)
    observed = [facts.temperature for facts in stated if facts.temperature]
    has_momenta = not observed and first.has("momenta") and bool(np.any(first.get_momenta()))

    def frames() -> Iterator[Frame]:
        for k, image in enumerate(images if again else chain([first], iterator)):
            where = f"frame {k + 1}"
            check_symbols(_symbols(image), symbols, where)
            if cell is None and not all(image.pbc):
                raise InputError(no_cell(where, image.pbc))
            if has_momenta and image.has("momenta") and np.any(image.get_momenta()):
                observed.append(float(image.get_temperature()))
            yield image.get_positions(), image.cell.array.copy() if cell is None else cell

    return FrameStream(
        symbols,
        stack(frames()),
        marks=marks,
        mark_name=name,
        fs_per_mark=fs_per_mark,
        own_cell=bool(all(first.pbc)),
        may_repeat=True,
        observed_K=observed,
        states_frame_K=bool(observed) or has_momenta,
    )


def _first_of(images: Iterator[Any]) -> Any:
    first = next(images, None)
    if first is None:
        raise InputError("The trajectory holds no frames.")
    if not hasattr(first, "get_chemical_symbols"):
        raise InputError(
            f"A sequence of {type(first).__name__} is not a trajectory: give ASE Atoms, pymatgen "
            "Structures, or paths."
        )
    return first


def _symbols(image: Any) -> tuple[str, ...]:
    """Return the elements of the atoms; ASE describes deuterium as hydrogen with another mass."""
    return element_symbols(image.get_chemical_symbols())
