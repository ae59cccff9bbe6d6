"""Chemical formulas: reading, and writing as a chemist does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vitrion.chemistry.elements import electronegativity
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

_NUMBERS = re.compile(r"(?<=[A-Za-z)])(\d+)")
_SUBSCRIPTS = {ord("0") + digit: 0x2080 + digit for digit in range(10)}


def parse_composition(formula: str) -> Composition:
    """Read a chemical formula.

    Parameters
    ----------
    formula : str
        Such as ``"LiPO2F2"`` or ``"Li3PO4"``.

    Returns
    -------
    Composition
        With integer amounts, reduced to one formula unit.

    Raises
    ------
    InputError
        If it is no formula, names an unknown element, or has amounts that are not whole numbers.
    """
    from pymatgen.core import Composition
    from pymatgen.core.periodic_table import DummySpecies, Element

    try:
        composition = Composition(formula)
        if not composition or any(isinstance(sp, DummySpecies) for sp in composition):
            raise ValueError("no known element")
        composition = composition.element_composition
        if not all(isinstance(el, Element) for el in composition):
            raise ValueError("no known element")
    except (ValueError, KeyError, TypeError) as exc:
        raise InputError(
            f"'{formula}' is not a chemical formula: write it like LiPO2F2 or Li3PO4."
        ) from exc
    reduced, _ = composition.get_integer_formula_and_factor(max_denominator=100)
    integer = Composition(reduced)
    if not integer.almost_equals(composition / (composition.num_atoms / integer.num_atoms), 1e-3):
        raise InputError(f"'{formula}' has amounts that no small cell can hold: use whole numbers.")
    return integer


def whole_amounts(composition: Composition) -> dict[str, int]:
    """Return the number of atoms of each element."""
    return {el.symbol: round(n) for el, n in composition.items()}


def plain_formula(composition: Composition) -> str:
    """Return the formula as a chemist types it: LiPO2F2, not LiP(OF)2."""
    return "".join(f"{el.symbol}{round(n) if n > 1 else ''}" for el, n in composition.items())


def display_formula(formula: str) -> str:
    """Return a formula with its elements by electronegativity: LiPO2F2, Li2CO3."""
    from pymatgen.core import Composition

    amounts = Composition(formula).items()
    ordered = sorted(amounts, key=lambda item: electronegativity(item[0].symbol))
    return plain_formula(Composition(dict(ordered)))


def subscripted(formula: str) -> str:
    """Return a formula with its numbers as subscripts, as plain text for figures."""
    return _NUMBERS.sub(lambda found: found.group(1).translate(_SUBSCRIPTS), formula)
