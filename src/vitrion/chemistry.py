"""What a formula says before any simulation: composition, charges, ions, mobile species."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

MOBILE_CHARGES = {"Li": 1, "Na": 1, "K": 1, "Ag": 1, "Cu": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
"""Charge of the cations that commonly move, in the order in which one is taken by default."""

CATION_CHARGES = MOBILE_CHARGES | {"Rb": 1, "Cs": 1, "Sr": 2, "Ba": 2, "Be": 2}
ANION_CHARGES = {"F": -1, "Cl": -1, "Br": -1, "I": -1, "O": -2, "S": -2}

ROUNDING_CHARGE_PER_ATOM = 0.0025
"""Charge in e that fractions rounded to two decimals may leave, as in Li2.36Al0.21PO4; formulas of
fewer than 400 atoms have to balance exactly."""

KNOWN_POLYANIONS = {
    "PO2F2": -1,
    "PO3F": -2,
    "PO4": -3,
    "PO3": -1,
    "P2O7": -4,
    "PF6": -1,
    "BF4": -1,
    "BH4": -1,
    "BO3": -3,
    "CO3": -2,
    "NO3": -1,
    "SO4": -2,
    "SO3F": -1,
    "ClO4": -1,
    "SiO4": -4,
    "AlCl4": -1,
    "PS4": -3,
    "P2S6": -4,
    "P2S7": -4,
    "GeS4": -4,
    "SnS4": -4,
    "SiS4": -4,
    "OH": -1,
}
"""Polyanions of common salts with their charge, by formula."""


@lru_cache(maxsize=256)
def bonds_covalently(symbol: str) -> bool:
    """Whether an element forms molecules: hydrogen and the p block, less the noble gases."""
    from pymatgen.core import Element

    element = Element(symbol)
    return symbol == "H" or (element.block == "p" and not element.is_noble_gas)


@lru_cache(maxsize=256)
def electronegativity(symbol: str) -> float:
    """Return Pauling's electronegativity."""
    from pymatgen.core import Element

    return float(Element(symbol).X)


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


def plain_formula(composition: Composition) -> str:
    """Return the formula as a chemist types it: LiPO2F2, not LiP(OF)2."""
    return "".join(f"{el.symbol}{round(n) if n > 1 else ''}" for el, n in composition.items())


def display_formula(formula: str) -> str:
    """Return a formula with its elements by electronegativity: LiPO2F2, Li2CO3."""
    from pymatgen.core import Composition

    amounts = Composition(formula).items()
    ordered = sorted(amounts, key=lambda item: electronegativity(item[0].symbol))
    return plain_formula(Composition(dict(ordered)))


def check_charge_balance(composition: Composition, *, allow_unbalanced: bool = False) -> None:
    """Refuse a composition that no known oxidation states balance.

    Raises
    ------
    InputError
        If no set of known oxidation states adds up to zero and ``allow_unbalanced`` is not set;
        elements and alloys of metals carry no such demand.
    """
    if all(element.is_metal for element in composition):
        return
    amounts = _whole_amounts(composition)
    if _usual_states_balance(amounts):
        return
    message = f"No known oxidation states balance {plain_formula(composition)}"
    if not allow_unbalanced:
        raise InputError(f"{message}: check the formula, or allow unbalanced compositions.")
    warnings.warn(f"{message}.", stacklevel=2)


def _whole_amounts(composition: Composition) -> dict[str, int]:
    return {el.symbol: round(n) for el, n in composition.items()}


@lru_cache(maxsize=256)
def _usual_states(symbol: str) -> tuple[int, ...]:
    """Return the oxidation states found in crystals, as pymatgen's own guesses take them."""
    from pymatgen.core import Element

    element = Element(symbol)
    return tuple(element.icsd_oxidation_states or element.common_oxidation_states)


def _usual_states_balance(amounts: dict[str, int]) -> bool:
    """Whether the atoms, each in any usual state, can carry no charge together.

    The charges that can be reached are the bits of one integer, shifted atom by atom: the effort
    grows with the square of the number of atoms, whereas the combinations of states explode.
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


@dataclass(frozen=True)
class IonicDecomposition:
    """A composition as whole ions.

    Attributes
    ----------
    ions : dict[str, int]
        Formula of the ion (``"Li"``, ``"PO2F2"``) to its number in the composition as given.
    charges : dict[str, int]
        Formula of the ion to its charge in units of e.
    """

    ions: dict[str, int]
    charges: dict[str, int]

    @property
    def has_polyanions(self) -> bool:
        """Whether any of the ions holds more than one atom."""
        return any(formula in KNOWN_POLYANIONS for formula in self.ions)


def decompose_into_ions(composition: Composition) -> IonicDecomposition | None:
    """Write a composition as monatomic ions and known polyanions.

    Of the neutral decompositions the one with most atoms in polyanions wins, then the one with
    fewest kinds of ion, so LiPO2F2 is Li+ and PO2F2-, not a mixture of PO4, PO3F and F.

    Parameters
    ----------
    composition : Composition
        With integer amounts.

    Returns
    -------
    IonicDecomposition or None
        None where no such decomposition exists (SiO2, or a glass former such as P2O5).
    """
    from pymatgen.core import Composition

    amounts = {el.symbol: round(n) for el, n in composition.items()}
    polyanions = {
        formula: {el.symbol: round(n) for el, n in Composition(formula).items()}
        for formula in KNOWN_POLYANIONS
    }
    candidates = [
        formula
        for formula, parts in polyanions.items()
        if all(amounts.get(symbol, 0) >= n for symbol, n in parts.items())
    ]
    best: tuple[tuple[int, int], IonicDecomposition] | None = None
    limits = [min(amounts[s] // n for s, n in polyanions[f].items()) for f in candidates]
    for counts in product(*(range(limit + 1) for limit in limits)):
        rest = dict(amounts)
        for formula, count in zip(candidates, counts, strict=True):
            for symbol, n in polyanions[formula].items():
                rest[symbol] -= n * count
        ions = _monatomic_ions(rest)
        if ions is None:
            continue
        used = {f: c for f, c in zip(candidates, counts, strict=True) if c}
        decomposition = _neutral(ions | used)
        if decomposition is None:
            continue
        bound = sum(c * sum(polyanions[f].values()) for f, c in used.items())
        score = (bound, -len(decomposition.ions))
        if best is None or score > best[0]:
            best = (score, decomposition)
    return best[1] if best else None


def _monatomic_ions(rest: dict[str, int]) -> dict[str, int] | None:
    """Return the leftover atoms as monatomic ions, or None where one has no simple ion."""
    ions = {symbol: n for symbol, n in rest.items() if n}
    if any(n < 0 or (s not in CATION_CHARGES and s not in ANION_CHARGES) for s, n in ions.items()):
        return None
    return ions


def _neutral(ions: dict[str, int]) -> IonicDecomposition | None:
    """Attach charges; None unless they add up to zero."""
    table = CATION_CHARGES | ANION_CHARGES | KNOWN_POLYANIONS
    charges = {formula: table[formula] for formula in ions}
    if sum(charges[formula] * n for formula, n in ions.items()):
        return None
    return IonicDecomposition(ions=ions, charges=charges)
