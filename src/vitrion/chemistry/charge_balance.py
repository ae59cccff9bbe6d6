"""Charge balance of a composition by known oxidation states or ions."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from vitrion.chemistry.charges import CATION_CHARGES, ROUNDING_CHARGE_PER_ATOM
from vitrion.chemistry.decomposition import decompose_into_ions
from vitrion.chemistry.formulas import plain_formula, whole_amounts
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition


def check_charge_balance(composition: Composition, *, allow_unbalanced: bool = False) -> None:
    """Check that known oxidation states balance a composition.

    Raises
    ------
    InputError
        If neither common oxidation states nor known ions add up to zero and ``allow_unbalanced`` is
        False; single elements and alloys of metals are exempt.
    """
    if len(composition) == 1 or all(element.is_metal for element in composition):
        return
    amounts = whole_amounts(composition)
    if _usual_states_balance(amounts) or _is_halogenate(amounts):
        return
    if decompose_into_ions(composition) is not None:
        return
    message = f"No known oxidation states balance {plain_formula(composition)}"
    if not allow_unbalanced:
        raise InputError(f"{message}: check the formula, or allow unbalanced compositions.")
    warnings.warn(f"{message}.", stacklevel=2)


@lru_cache(maxsize=256)
def _usual_states(symbol: str) -> tuple[int, ...]:
    """Return the oxidation states found in crystals, as in pymatgen's oxidation state guesses."""
    from pymatgen.core import Element

    element = Element(symbol)
    return tuple(element.icsd_oxidation_states or element.common_oxidation_states)


def _usual_states_balance(amounts: dict[str, int]) -> bool:
    """Whether common oxidation states of the atoms can add up to zero.

    The possible total charges are the bits of one integer, shifted atom by atom: the cost is
    quadratic in the number of atoms, while enumerating combinations of states is exponential.
    """
    reached, lowest = 1, 0
    for symbol, n in amounts.items():
        states = _usual_states(symbol)
        if not states:
            return False
        low = min(states)
        lowest += n * low
        for _ in range(n):
            previous, reached = reached, 0
            for state in states:
                reached |= previous << (state - low)
    slack = int(ROUNDING_CHARGE_PER_ATOM * sum(amounts.values()))
    return any(k >= 0 and reached >> k & 1 for k in range(-lowest - slack, -lowest + slack + 1))


def _is_halogenate(amounts: dict[str, int]) -> bool:
    """Whether this is a salt of XO-, XO2-, XO3- or XO4-, the only case of positive halogens.

    If positive halogens were allowed everywhere, Li2PO4Cl would also balance.
    """
    halogens = [symbol for symbol in ("Cl", "Br", "I") if symbol in amounts]
    cations = {symbol: n for symbol, n in amounts.items() if symbol not in (*halogens, "O")}
    if len(halogens) != 1 or not all(symbol in CATION_CHARGES for symbol in cations):
        return False
    ions = amounts[halogens[0]]
    charge = sum(CATION_CHARGES[symbol] * n for symbol, n in cations.items())
    return charge == ions and amounts.get("O", 0) in (ions, 2 * ions, 3 * ions, 4 * ions)
