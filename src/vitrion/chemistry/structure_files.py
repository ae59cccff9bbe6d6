"""Read structure files of pymatgen, VASP, ASE and LAMMPS."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vitrion.chemistry.decoding import structure_from_file
from vitrion.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

LAMMPS_DATA = (".lmp", ".lammps", ".lammps-data", ".data")
"""Extensions of LAMMPS data files, which ASE does not detect by content."""

_TOO_FULL = re.compile(r"\b(1\.\d*[1-9]\d*|[2-9]\.\d+)\b")


def read_structure_file(path: str | Path) -> Structure:
    """Read a structure with pymatgen, or with ASE if pymatgen fails.

    The last frame of a file with several frames (a relaxation) is returned.

    Raises
    ------
    InputError
        If neither can read the file; the message states the reason.
    """
    path = Path(path)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        try:
            return structure_from_file(path)
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
        why = str(first).rstrip(".!") or type(first).__name__
        raise InputError(f"{path} could not be read as a structure: {why}.") from exc


def _with_ase(path: Path) -> Structure:
    from ase.io import read
    from pymatgen.core import Lattice, Structure

    kind = None
    if path.name.lower().endswith(LAMMPS_DATA):
        kind = "lammps-data"
        if "Masses" not in path.read_text(errors="replace"):
            raise InputError(
                f"{path} does not name elements: add the section Masses, which defines them."
            )
    atoms = cast("Atoms", read(path, index=-1, format=kind))
    if not all(atoms.pbc) or not atoms.cell.volume:
        raise InputError(f"{path} has no periodic cell: a crystal needs three lattice vectors.")
    return Structure(
        Lattice(atoms.cell.array), atoms.get_chemical_symbols(), atoms.get_scaled_positions()
    )
