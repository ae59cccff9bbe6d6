"""What a formula says before any simulation: composition, charges, ions, mobile species."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

MOBILE_CHARGES = {"Li": 1, "Na": 1, "Ag": 1, "Cu": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
"""Charge of the cations that commonly move, in the order in which one is taken by default:
in KAg4I5 silver moves, not potassium."""

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
    "O2": -2,
    "B10H10": -2,
    "B12H12": -2,
}
"""Polyanions of common salts with their charge, by formula; O2 is the peroxide ion."""

_ION_CHARGES = CATION_CHARGES | ANION_CHARGES | KNOWN_POLYANIONS


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
        If neither usual oxidation states nor known ions add up to zero and ``allow_unbalanced`` is
        not set; elements and alloys of metals carry no such demand.
    """
    if all(element.is_metal for element in composition):
        return
    amounts = _whole_amounts(composition)
    if _usual_states_balance(amounts) or _is_halogenate(amounts):
        return
    if decompose_into_ions(composition) is not None:
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


def _is_halogenate(amounts: dict[str, int]) -> bool:
    """Whether this is a salt of XO-, XO2-, XO3- or XO4-: nowhere else are halogens as positive.

    With the states 1 to 7 open to halogens everywhere, Li2PO4Cl would balance, too.
    """
    halogens = [symbol for symbol in ("Cl", "Br", "I") if symbol in amounts]
    cations = {symbol: n for symbol, n in amounts.items() if symbol not in (*halogens, "O")}
    if len(halogens) != 1 or not all(symbol in CATION_CHARGES for symbol in cations):
        return False
    ions = amounts[halogens[0]]
    charge = sum(CATION_CHARGES[symbol] * n for symbol, n in cations.items())
    return charge == ions and amounts.get("O", 0) in (ions, 2 * ions, 3 * ions, 4 * ions)


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
        Formula of the ion (``"Li"``, ``"PO2F2"``) to its number in so many formula units.
    charges : dict[str, int]
        Formula of the ion to its charge in units of e.
    formula_units : int
        Formula units of the composition as given that the ions make: 1, or 2 where one of them
        would cut an ion in halves.
    """

    ions: dict[str, int]
    charges: dict[str, int]
    formula_units: int = 1

    @property
    def has_polyanions(self) -> bool:
        """Whether any of the ions holds more than one atom."""
        return any(formula in KNOWN_POLYANIONS for formula in self.ions)


def decompose_into_ions(composition: Composition) -> IonicDecomposition | None:
    """Write a composition as monatomic ions and known polyanions.

    Of the neutral decompositions the one with most atoms in polyanions wins, then the one with
    fewest kinds of ion, so LiPO2F2 is Li+ and PO2F2-, not a mixture of PO4, PO3F and F; then the
    one with fewest of the ions that are first in the table of polyanions. Where one formula unit
    would cut an ion in halves, two are taken: Li2PS3 is half of Li4P2S6.

    Parameters
    ----------
    composition : Composition
        With integer amounts.

    Returns
    -------
    IonicDecomposition or None
        None where no such decomposition exists (SiO2, or a glass former such as P2O5).
    """
    amounts = _whole_amounts(composition)
    for units in (1, 2):
        ions = _best_ions(amounts, units)
        if ions is not None:
            charges = {formula: _ION_CHARGES[formula] for formula in ions}
            return IonicDecomposition(ions=ions, charges=charges, formula_units=units)
    return None


def _best_ions(amounts: dict[str, int], units: int) -> dict[str, int] | None:
    """Solve for the ions of some formula units as an integer program; None where there are none."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    amounts = {symbol: n * units for symbol, n in amounts.items()}
    parts = _possible_ions(amounts)
    content = np.array([[p.get(s, 0) for p in parts.values()] for s in amounts])
    if not parts or not content.any(axis=1).all():
        return None
    # Of two formula units, only an ion that has a half may come in an odd number.
    steps = np.array(
        [1 if all(n % units == 0 for n in p.values()) else units for p in parts.values()]
    )
    kinds, sizes = len(parts), content.sum(axis=0)
    most = np.array([min(amounts[s] // n for s, n in p.items()) for p in parts.values()]) // steps
    # The unknowns are the number of each ion, in steps, and, 0 or 1, whether it is there at all.
    charge = [_ION_CHARGES[formula] for formula in parts]
    exact = np.hstack([np.vstack([content, charge]) * steps, np.zeros((len(amounts) + 1, kinds))])
    total = np.array([*amounts.values(), 0])
    bound = np.where(sizes > 1, sizes, 0)
    early = np.where(sizes > 1, 3.0 ** -np.cumsum(sizes > 1), 0) / total.sum()
    solution = milp(
        np.concatenate([(early - (kinds + 2) * bound) * steps, np.ones(kinds)]),
        integrality=np.ones(2 * kinds),
        bounds=Bounds(0, np.concatenate([most, np.ones(kinds)])),
        constraints=[
            LinearConstraint(exact, total, total),
            LinearConstraint(np.hstack([np.eye(kinds), -np.diag(most)]), -np.inf, 0),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if solution.x is None:
        return None
    counts = (np.rint(solution.x[:kinds]).astype(int) * steps).tolist()
    return {formula: n for formula, n in zip(parts, counts, strict=True) if n}


def _possible_ions(amounts: dict[str, int]) -> dict[str, dict[str, int]]:
    """Return the ions that fit into the amounts, and the atoms of each."""
    ions = {s: {s: 1} for s in amounts if s in CATION_CHARGES or s in ANION_CHARGES}
    for formula, parts in _polyanion_parts().items():
        if formula == "O2" and not _may_be_peroxide(amounts):
            continue
        if all(amounts.get(symbol, 0) >= n for symbol, n in parts.items()):
            ions[formula] = parts
    return ions


def _may_be_peroxide(amounts: dict[str, int]) -> bool:
    """Whether oxygen is alone with alkali and alkaline earth metals: CuO is no peroxide."""
    from pymatgen.core import Element

    return all(s == "O" or (Element(s).block == "s" and s != "H") for s in amounts)


@lru_cache(maxsize=1)
def _polyanion_parts() -> dict[str, dict[str, int]]:
    from pymatgen.core import Composition

    return {formula: _whole_amounts(Composition(formula)) for formula in KNOWN_POLYANIONS}
