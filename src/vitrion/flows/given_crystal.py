"""The crystal that a user gives: a structure file, or the structure that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.formulas import parse_composition
from vitrion.chemistry.structures import without_site_properties
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

KNOWN = "known"
"""Word that names the crystal that ships, in the place of a structure file."""


def read_crystal(source: str, formula: str) -> dict[str, Any]:
    """Return the crystal of a recipe as pymatgen writes it.

    Parameters
    ----------
    source : str
        A structure file, or ``known`` for the structure of that formula that ships; a file of that
        name comes first.
    formula : str

    Raises
    ------
    InputError
        If there is no such structure.
    """
    from vitrion.landscape.command import read_structure

    if names_file(source):
        return _as_json(without_site_properties(read_structure(source)))
    return known_crystal(formula)


def names_file(source: str) -> bool:
    """Return whether a crystal is given as a file; a file named ``known`` is one."""
    return source != KNOWN or Path(source).exists()


def known_crystal(formula: str) -> dict[str, Any]:
    """Return the structure of a formula that ships with the package, as pymatgen writes it.

    Raises
    ------
    InputError
        If there is none.
    """
    from vitrion.polymorphs.hull import shipped_crystals

    wanted = parse_composition(formula).reduced_formula
    for structure in shipped_crystals().values():
        if structure.composition.reduced_formula == wanted:
            return _as_json(structure)
    raise InputError(
        f"No structure of {formula} ships with vitrion, and there is no file '{KNOWN}': give a "
        "structure file."
    )


def _as_json(structure: Structure) -> dict[str, Any]:
    """Return a structure as a recipe file gives it back: lists for tuples, plain numbers."""
    return dict(json.loads(structure.to_json()))
