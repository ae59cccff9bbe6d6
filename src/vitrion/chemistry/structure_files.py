"""Read structure files of pymatgen, VASP, ASE and LAMMPS."""

from __future__ import annotations

import json
import re
import warnings
from fnmatch import fnmatch
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from vitrion.chemistry.decoding import structure_from_dict, structure_from_file
from vitrion.chemistry.poscar import NO_ELEMENTS, scaling_factors
from vitrion.errors import InputError
from vitrion.runtime.text_files import read_text

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

LAMMPS_DATA = (".lmp", ".lammps", ".lammps-data", ".data")
"""Extensions of LAMMPS data files, which ASE does not detect by content."""

_TOO_FULL = re.compile(r"\b(1\.\d*[1-9]\d*|[2-9]\.\d+)\b")


MOST_ATOMS = 10**7
"""Maximum number of atoms of a structure."""
BEGINNING = 20_000
"""Characters of a file by which its format is recognized."""

NAMES = {
    "json": ("*.json*", "*.mson*", "*.y*ml*"),
    "cif": ("*.cif*", "*.mcif*"),
    "extxyz": ("*.xyz*", "*.extxyz*"),
    "lammps-data": tuple(f"*{end}" for end in LAMMPS_DATA),
    "xsf": ("*.xsf",),
}
"""Usual names of the files of each format that is recognized by content, except VASP."""

ONE_STRUCTURE = "give a file of one structure"
"""What to do about a file that is too large."""


def format_of(text: str) -> str | None:
    """Return the format of the beginning of a structure file, or None if it is not recognized."""
    lines = text.splitlines()
    words = [line.split() for line in lines[:8]]
    if text.lstrip().startswith("{"):
        return "json"
    if re.search(r"^data_", text, re.MULTILINE) and "_cell_" in text:
        return "cif"
    if len(lines) > 2 and len(words[0]) == 1 and words[0][0].isdigit() and "Lattice=" in lines[1]:
        return "extxyz"
    if re.search(r"^\s*\S+\s+\S+\s+xlo\s+xhi", text, re.MULTILINE):
        return "lammps-data"
    if re.search(r"^\s*PRIMVEC", text, re.MULTILINE):
        return "xsf"
    if len(words) == 8 and all(_are_numbers(row, 3) for row in words[2:5]):
        if not words[1] or not _are_numbers(words[1], len(words[1])):
            return None
        trajectory = lines[7].strip().lower().startswith("direct configuration")
        return "vasp-xdatcar" if trajectory else "poscar"
    return None


def _are_numbers(words: list[str], count: int) -> bool:
    try:
        return len([float(word) for word in words]) == count
    except ValueError:
        return False


def _by_content(path: Path) -> Structure | None:
    """Read a file of VASP, or one whose name does not fit its content; None for other files."""
    from monty.io import zopen
    from pymatgen.core import Structure

    try:
        text = read_text(path, opener=zopen, remedy=ONE_STRUCTURE)
    except (OSError, UnicodeDecodeError, EOFError):
        return None  # binary, or not there: the readers report it
    kind = format_of(text[:BEGINNING])
    if kind in {"poscar", "vasp-xdatcar"}:
        _check_counts(text[:BEGINNING], path)
        return _from_poscar(path, text) if kind == "poscar" else _with_ase(path, kind, text)
    if kind is None or any(fnmatch(path.name.lower(), name) for name in NAMES[kind]):
        return None
    if kind == "json":
        return structure_from_dict(json.loads(text))
    if kind in ("extxyz", "lammps-data"):
        return _with_ase(path, kind, text)
    return Structure.from_str(text, fmt=kind)  # type: ignore[arg-type]


def _from_poscar(path: Path, text: str) -> Structure:
    """Read a POSCAR with pymatgen or, if it has three scaling factors, with ASE.

    pymatgen multiplies Cartesian coordinates by a negative scaling factor, which is a volume, and
    takes H, He, Li, ... for elements that are not named.
    """
    from pymatgen.core import Structure

    lines = text.splitlines(keepends=True)
    vectors = np.array([line.split() for line in lines[2:5]], dtype=float)
    try:
        factors = scaling_factors(lines[1], vectors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(lines[1].split()) == 3:
        return _with_ase(path, "vasp", text)
    lines[1] = f"{float(factors[0])}\n"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Elements in POSCAR cannot be determined")
        try:
            return Structure.from_str("".join(lines), fmt="poscar")
        except UserWarning:
            raise InputError(f"{path} {NO_ELEMENTS}.") from None


def _check_counts(text: str, path: Path) -> None:
    """Refuse a POSCAR with more atoms than any structure, before their symbols fill the memory."""
    words = " ".join(text.splitlines()[5:7]).split()
    counts = [word for word in words if word.isdecimal()]
    if any(len(count) > 9 for count in counts) or sum(map(int, counts)) > MOST_ATOMS:
        raise InputError(f"{path} states more than {MOST_ATOMS:,} atoms.")


def read_structure_file(path: str | Path) -> Structure:
    """Read a structure with pymatgen, or with ASE if pymatgen fails.

    The format is recognized by the content, whatever the name of the file. The last frame of a file
    with several frames (a relaxation) is returned.

    Raises
    ------
    InputError
        If neither can read the file; the message states the reason.
    """
    path = Path(path)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        try:
            return _by_content(path) or structure_from_file(path)
        except InputError:
            raise
        except Exception as exc:  # each format raises different errors
            first = exc
    text = " ".join(str(remark.message) for remark in remarks)
    if "ccupanc" in text:
        found = _TOO_FULL.search(text)
        raise InputError(
            f"{path} has sites with an occupancy of {found[1] if found else 'more than 1'}: set "
            "occupancies above 1 to 1 in the file."
        )
    try:
        return _with_ase(path)
    except InputError:
        raise
    except Exception as exc:
        why = next(iter(str(first).splitlines()), type(first).__name__).rstrip(".!")
        raise InputError(f"{path} could not be read as a structure: {why}.") from exc


def _with_ase(path: Path, kind: str | None = None, text: str | None = None) -> Structure:
    from ase.io import read
    from ase.io.formats import filetype, ioformats
    from monty.io import zopen
    from pymatgen.core import Lattice, Structure

    if path.name.lower().endswith(LAMMPS_DATA):
        kind = "lammps-data"
    kind = kind or filetype(str(path))
    if text is None and ioformats[kind].acceptsfd and not ioformats[kind].isbinary:
        text = read_text(path, opener=zopen, errors="replace", remedy=ONE_STRUCTURE)
    if kind == "lammps-data" and "Masses" not in (text or ""):
        raise InputError(
            f"{path} does not name elements: add the section Masses, which defines them."
        )
    source = path if text is None else _EndingText(text, path)
    atoms = cast("Atoms", read(source, index=-1, format=kind))
    if not all(atoms.pbc) or not atoms.cell.volume:
        raise InputError(f"{path} has no periodic cell: a crystal needs three lattice vectors.")
    return Structure(
        Lattice(atoms.cell.array), atoms.get_chemical_symbols(), atoms.get_scaled_positions()
    )


class _EndingText(StringIO):
    """The text of a file for readers that would look forever for all atoms that it states."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.name = str(path)
        self._lines_after_end = 0

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Return the next line; raise InputError long after the end."""
        line = super().readline(-1 if size is None else size)
        self._lines_after_end = 0 if line else self._lines_after_end + 1
        if self._lines_after_end > BEGINNING:
            raise InputError(f"{self.name} ends before all atoms that it states.")
        return line
