"""Charges of ions, and the ion that moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry.facts import load_facts
from vitrion.chemistry.formulas import plain_formula
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

_IONS = load_facts("ions")

MOBILE_CHARGES: dict[str, int] = _IONS["mobile_cations"]
"""Charge of the cations that commonly move, in the order in which one is taken by default."""

CATION_CHARGES: dict[str, int] = MOBILE_CHARGES | _IONS["other_cations"]
ANION_CHARGES: dict[str, int] = _IONS["anions"]

KNOWN_POLYANIONS: dict[str, int] = {
    formula: facts["charge"] for formula, facts in _IONS["polyanions"].items()
}
"""Polyanions of common salts with their charge, by formula; O2 is the peroxide ion."""

ION_CHARGES = CATION_CHARGES | ANION_CHARGES | KNOWN_POLYANIONS

ROUNDING_CHARGE_PER_ATOM = 0.0025
"""Charge in e that fractions rounded to two decimals may leave, as in Li2.36Al0.21PO4; formulas of
fewer than 400 atoms have to balance exactly."""


def default_mobile_species(composition: Composition) -> str:
    """Return the cation that is expected to move.

    Raises
    ------
    InputError
        If the composition holds none of the usual mobile cations.
    """
    for symbol in MOBILE_CHARGES:
        if symbol in composition:
            return symbol
    raise InputError(
        f"{plain_formula(composition)} holds none of the usual mobile ions "
        f"({', '.join(MOBILE_CHARGES)}): name the mobile species."
    )
