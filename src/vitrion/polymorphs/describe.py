"""Describe a crystal: space group at several tolerances and coordination."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.bonds import BOND_FACTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

TOLERANCES_A = (0.01, 0.1, 0.3)


def space_groups(
    structure: Structure, tolerances_A: Sequence[float] = TOLERANCES_A
) -> list[tuple[float, int, str]]:
    """Return tolerance in A, number and symbol of the space group at each tolerance."""
    import spglib
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    found = []
    for tolerance in tolerances_A:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                analyzer = SpacegroupAnalyzer(structure, symprec=tolerance, angle_tolerance=-1)
                number, symbol = (
                    analyzer.get_space_group_number(),
                    analyzer.get_space_group_symbol(),
                )
        except (SymmetryUndeterminedError, TypeError, spglib.SpglibError):
            continue  # a tolerance too coarse for this cell has no answer
        found.append((tolerance, int(number), symbol))
    return found


def anion_shells(structure: Structure) -> list[list[tuple[int, float, NDArray[np.float64]]]]:
    """Return the anions around each site, nearest first.

    Neighbors are more electronegative than the site, and have no such neighbors themselves: the
    phosphorus of PO4 is not a neighbor of lithium.

    Returns
    -------
    list of lists of (int, float, ndarray)
        For each site: site of the neighbor, distance in A, and vector to it, shape (3,), in A.
        Neighbors are closer than 1.25 times the sum of the covalent radii.
    """
    from ase.data import covalent_radii

    elements = [site.specie for site in structure]
    radii = covalent_radii[np.array(structure.atomic_numbers)]
    reach = 2 * BOND_FACTOR * radii.max()
    centers, neighbors, images, distances = structure.get_neighbor_list(reach, exclude_self=True)
    places, matrix = structure.frac_coords, structure.lattice.matrix
    found: list[list[tuple[int, float, NDArray[np.float64]]]] = [[] for _ in elements]
    for i, j, image, distance in zip(centers, neighbors, images, distances, strict=True):
        if elements[j].X > elements[i].X and distance < BOND_FACTOR * (radii[i] + radii[j]):
            vector = (places[j] + image - places[i]) @ matrix
            found[i].append((int(j), float(distance), vector))
    return [
        sorted((one for one in shell if not found[one[0]]), key=lambda neighbor: neighbor[1])
        for shell in found
    ]


def shell_name(symbols: Iterable[str]) -> str:
    """Return the formula of a coordination shell, such as ``F2O2``; empty without neighbors."""
    return "".join(f"{s}{n if n > 1 else ''}" for s, n in sorted(Counter(symbols).items()))


def coordination(structure: Structure) -> dict[str, dict[str, float]]:
    """Return for each element the fraction of its atoms by coordination shell of anions.

    Examples
    --------
    Rock salt LiF gives ``{"Li": {"F6": 1.0}}``; LiPO2F2 has ``{"P": {"F2O2": 1.0}}``.
    """
    symbols = [site.specie.symbol for site in structure]
    shells: dict[str, Counter[str]] = defaultdict(Counter)
    for symbol, neighbors in zip(symbols, anion_shells(structure), strict=True):
        shell = shell_name(symbols[site] for site, _, _ in neighbors)
        if shell:
            shells[symbol][shell] += 1
    return {
        symbol: {shell: n / sum(counts.values()) for shell, n in counts.most_common()}
        for symbol, counts in sorted(shells.items())
    }
