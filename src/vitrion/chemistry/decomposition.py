"""Decomposition of a composition into ions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from vitrion.chemistry.charges import ANION_CHARGES, CATION_CHARGES, ION_CHARGES, KNOWN_POLYANIONS
from vitrion.chemistry.formulas import whole_amounts

if TYPE_CHECKING:
    from pymatgen.core import Composition


@dataclass(frozen=True)
class IonicDecomposition:
    """Decomposition of a composition into ions.

    Attributes
    ----------
    ions : dict[str, int]
        Number of each ion (``"Li"``, ``"PO2F2"``) in ``formula_units`` formula units.
    charges : dict[str, int]
        Charge of each ion in units of e.
    formula_units : int
        Number of formula units that the ions form: 1, or 2 if one would contain half an ion.
    """

    ions: dict[str, int]
    charges: dict[str, int]
    formula_units: int = 1


def decompose_into_ions(composition: Composition) -> IonicDecomposition | None:
    """Decompose a composition into monatomic ions and known polyanions.

    Among neutral decompositions, the one with most atoms in polyanions is chosen, then the one with
    fewest kinds of ions, so LiPO2F2 is Li+ and PO2F2-, not a mixture of PO4, PO3F and F; then the
    one with fewest ions that come first in the table of polyanions. If one formula unit would
    contain half an ion, two are decomposed: Li2PS3 is half of Li4P2S6.

    Parameters
    ----------
    composition : Composition
        With integer amounts.

    Returns
    -------
    IonicDecomposition or None
        None if no such decomposition exists (SiO2, or a glass former such as P2O5).
    """
    amounts = whole_amounts(composition)
    for units in (1, 2):
        ions = _best_ions(amounts, units)
        if ions is not None:
            charges = {formula: ION_CHARGES[formula] for formula in ions}
            return IonicDecomposition(ions=ions, charges=charges, formula_units=units)
    return None


def _best_ions(amounts: dict[str, int], units: int) -> dict[str, int] | None:
    """Solve an integer program for the ions of some formula units; None without a solution."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    amounts = {symbol: n * units for symbol, n in amounts.items()}
    parts = _possible_ions(amounts)
    content = np.array([[p.get(s, 0) for p in parts.values()] for s in amounts])
    if not parts or not content.any(axis=1).all():
        return None
    # In two formula units, only an ion that has a half may occur an odd number of times.
    steps = np.array(
        [1 if all(n % units == 0 for n in p.values()) else units for p in parts.values()]
    )
    kinds, sizes = len(parts), content.sum(axis=0)
    most = np.array([min(amounts[s] // n for s, n in p.items()) for p in parts.values()]) // steps
    # The unknowns are the number of each ion, in steps, and a 0/1 flag for its presence.
    charge = [ION_CHARGES[formula] for formula in parts]
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
    """Whether the only other elements are alkali and alkaline earth metals (CuO: False)."""
    from pymatgen.core import Element

    return all(s == "O" or (Element(s).block == "s" and s != "H") for s in amounts)


@lru_cache(maxsize=1)
def _polyanion_parts() -> dict[str, dict[str, int]]:
    from pymatgen.core import Composition

    return {formula: whole_amounts(Composition(formula)) for formula in KNOWN_POLYANIONS}
