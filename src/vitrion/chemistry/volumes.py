"""Estimated crystal volume of a composition."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from vitrion.chemistry.charges import ANION_CHARGES, ROUNDING_CHARGE_PER_ATOM
from vitrion.chemistry.elements import bonds_covalently, electronegativity
from vitrion.chemistry.facts import load_facts
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

_FACTS = load_facts("volumes")
ANION_VOLUMES_A3: dict[str, float] = _FACTS["anions"]
CATION_VOLUMES_A3: dict[str, float] = _FACTS["cations"]
OTHER_CATION_VOLUME_A3: float = _FACTS["other_cations"]
"""Volume of protons and of cations not in the table."""

CAGE_BORON_VOLUME_A3: float = _FACTS["cage_boron"]
"""Volume of boron in a closo-borate cage, which is hollow."""

_CHARGES = ANION_CHARGES | {"Se": -2, "Te": -2, "N": -3, "H": -1}


def crystal_volume_per_atom(composition: Composition) -> float:
    """Estimate the volume per atom of the crystal from ionic increments.

    Parameters
    ----------
    composition : Composition

    Returns
    -------
    float
        In A3 per atom; from the molar volumes of the elements if there are no anions.

    Raises
    ------
    InputError
        If the volume of an element is unknown.
    """
    amounts = {element.symbol: float(n) for element, n in composition.element_composition.items()}
    anions = _anions(amounts)
    if not anions:
        volume = sum(n * _elemental_volume(symbol) for symbol, n in amounts.items())
    else:
        volume = sum(n * _increment(symbol, amounts, anions) for symbol, n in amounts.items())
    return volume / sum(amounts.values())


def _anions(amounts: dict[str, float]) -> set[str]:
    """Return the anion elements: S in Li3PS4 and in Ag3SI but not in Li2SO4.

    The least electronegative elements are treated as centers of oxyanions until charges balance.
    """
    candidates = sorted((s for s in amounts if s in ANION_VOLUMES_A3), key=electronegativity)
    for k in range(len(candidates)):
        if _balance(amounts, set(candidates[k:])):
            return set(candidates[k:])
    return set(candidates)


def _balance(amounts: dict[str, float], anions: set[str]) -> bool:
    """Whether positive states of the other elements can balance the anions (mean states count)."""
    negative = sum(n * _CHARGES[symbol] for symbol, n in amounts.items() if symbol in anions)
    least = most = 0.0
    for symbol, n in amounts.items():
        if symbol not in anions:
            low, high = _positive_states(symbol)
            least, most = least + n * low, most + n * high
    slack = ROUNDING_CHARGE_PER_ATOM * sum(amounts.values())
    return least - slack <= -negative <= most + slack


@lru_cache(maxsize=256)
def _positive_states(symbol: str) -> tuple[int, int]:
    """Return the lowest and the highest positive oxidation state; 0 if there is none."""
    from pymatgen.core import Element

    element = Element(symbol)
    states = {*element.icsd_oxidation_states, *element.oxidation_states}
    positive = [state for state in states if state > 0]
    return min(positive, default=0), max(positive, default=0)


def _increment(symbol: str, amounts: dict[str, float], anions: set[str]) -> float:
    if symbol in anions:
        return ANION_VOLUMES_A3[symbol]
    if symbol == "B" and "H" in anions and amounts["H"] < 2 * amounts["B"]:
        return CAGE_BORON_VOLUME_A3
    if bonds_covalently(symbol) and symbol != "H":
        return 0.0
    return CATION_VOLUMES_A3.get(symbol, OTHER_CATION_VOLUME_A3)


def _elemental_volume(symbol: str) -> float:
    from pymatgen.core import Element

    molar_volume = Element(symbol).molar_volume
    if not molar_volume:
        raise InputError(f"The volume of {symbol} is unknown: set the volume per atom.")
    return float(molar_volume) / 0.602214
