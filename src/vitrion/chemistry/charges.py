"""Charges of ions, and the default mobile ion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.chemistry.facts import load_facts
from vitrion.chemistry.formulas import plain_formula, read_amounts
from vitrion.errors import InputError

if TYPE_CHECKING:
    from vitrion.chemistry.formulas import CompositionLike

_IONS = load_facts("ions")

MOBILE_CHARGES: dict[str, int] = _IONS["mobile_cations"]
"""Charges of common mobile cations; the first of charge one is the default."""

CATION_CHARGES: dict[str, int] = MOBILE_CHARGES | _IONS["other_cations"]
ANION_CHARGES: dict[str, int] = _IONS["anions"]

MOLECULAR_IONS: dict[str, dict[str, Any]] = {
    formula: facts
    for formula, facts in load_facts("molecular_ions").items()
    if not formula.startswith("_")
}
"""Molecular ions of electrolyte salts by formula: name, charge, SMILES, symbols, positions in A."""

KNOWN_POLYANIONS: dict[str, int] = {
    formula: facts["charge"] for formula, facts in (_IONS["polyanions"] | MOLECULAR_IONS).items()
}
"""Polyanions of common salts with their charge, by formula; O2 is the peroxide ion."""

ION_CHARGES = CATION_CHARGES | ANION_CHARGES | KNOWN_POLYANIONS

ROUNDING_CHARGE_PER_ATOM = 0.0025
"""Residual charge in e from fractions rounded to two decimals, as in Li2.36Al0.21PO4; formulas of
fewer than 400 atoms must balance exactly."""


DOPANT_FRACTION = 0.05
"""Fraction of the cations below which an element is a dopant: sodium is 0.08 in NaAl11O17."""

MINOR_FRACTION = 0.25
"""A mobile ion below this fraction of the amount of the most abundant one is a dopant."""

NO_CATIONS = {"F", "Cl", "Br", "I", "O", "S", "Se", "Te", "N", "C", "H"}


def default_mobile_species(composition: CompositionLike) -> str:
    """Return the default mobile ion of a composition.

    It is a cation of charge one that is not a dopant (copper only without oxygen, as Cu+), or
    fluoride if fluorine is the only anion. Cations of higher charge are often dopants or framework
    and must be named explicitly.

    Raises
    ------
    InputError
        If the mobile ion is ambiguous.
    """
    from pymatgen.core import Element

    composition = read_amounts(composition)
    amounts = {element.symbol: float(amount) for element, amount in composition.items()}
    cations = {symbol: n for symbol, n in amounts.items() if symbol not in NO_CATIONS}
    single = [symbol for symbol, charge in MOBILE_CHARGES.items() if charge == 1]
    mobile = {
        symbol: amounts[symbol]
        for symbol in single
        if symbol in amounts
        and amounts[symbol] >= DOPANT_FRACTION * sum(cations.values())
        and not (symbol == "Cu" and "O" in amounts)
    }
    for symbol, amount in mobile.items():
        if amount >= MINOR_FRACTION * max(mobile.values()):
            return symbol
    if set(amounts) & NO_CATIONS == {"F"} and all(Element(symbol).is_metal for symbol in cations):
        return "F"
    known = MOBILE_CHARGES | ANION_CHARGES
    candidates = [symbol for symbol in amounts if symbol in known]
    raise InputError(
        f"The mobile ion of {plain_formula(composition)} is ambiguous"
        + (f" ({', '.join(candidates)})" if candidates else "")
        + ": name the mobile species."
    )
