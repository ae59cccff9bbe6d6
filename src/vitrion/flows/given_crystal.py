"""The crystal of a recipe: a structure file, or a known crystal of the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitrion.chemistry.formulas import parse_composition
from vitrion.chemistry.structures import structure_as_json
from vitrion.errors import InputError

KNOWN = "known"
"""Name of the package's crystal of the formula, instead of a structure file."""


def read_crystal(source: str, formula: str) -> dict[str, Any]:
    """Return the crystal of a recipe as a pymatgen dictionary.

    Parameters
    ----------
    source : str
        A structure file, or ``known`` for the package's crystal of the formula. A file named
        ``known`` takes precedence.
    formula : str

    Raises
    ------
    InputError
        If the structure does not exist.
    """
    from vitrion.landscape.command import read_structure

    if names_file(source):
        return dict(structure_as_json(read_structure(source)))
    return known_crystal(formula)


def names_file(source: str) -> bool:
    """Return whether a crystal is given as a file, including a file named ``known``."""
    return source != KNOWN or Path(source).exists()


def known_crystal(formula: str) -> dict[str, Any]:
    """Return the package's crystal of a formula as a pymatgen dictionary.

    Raises
    ------
    InputError
        If the package has none.
    """
    from vitrion.polymorphs.hull import shipped_crystals

    wanted = parse_composition(formula).reduced_formula
    for structure in shipped_crystals().values():
        if structure.composition.reduced_formula == wanted:
            return dict(structure_as_json(structure))
    raise InputError(
        f"vitrion has no structure of {formula}, and the file '{KNOWN}' does not exist: give a "
        "structure file."
    )
