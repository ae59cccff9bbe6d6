"""Covalent bonds and the molecules or ions that they form, across periodic boundaries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from vitrion.chemistry.elements import bonds_covalently, electronegativity
from vitrion.chemistry.geometry import site_symbols
from vitrion.chemistry.structures import without_site_properties

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from pymatgen.core import Structure

BOND_FACTOR = 1.25
"""A bond is shorter than this times the sum of the covalent radii (Cordero et al., Dalton
Trans. 2832, 2008): P-O 2.16 A, P-F 2.05 A, Si-O 2.21 A. The next shell starts beyond 2.5 A, also in
a melt."""


@dataclass(frozen=True)
class Bonds:
    """Covalent bonds of a periodic structure, each in both directions.

    Attributes
    ----------
    symbols : ndarray of str, shape (n_atoms,)
    first, second : ndarray of int, shape (n_bonds,)
        Site indices; ``second`` is bound to ``first``.
    vectors : ndarray, shape (n_bonds, 3)
        From ``first`` to the bound image of ``second`` in A.
    """

    symbols: NDArray[np.str_]
    first: NDArray[np.int_]
    second: NDArray[np.int_]
    vectors: NDArray[np.float64]

    def neighbors(self, site: int | np.integer) -> NDArray[np.int_]:
        """Return the sites bound to a site."""
        return self.second[self.first == site]

    def molecule_labels(self) -> NDArray[np.int_]:
        """Return the number of the molecule that each atom belongs to, shape (n_atoms,)."""
        n_atoms = len(self.symbols)
        pairs = (np.ones(len(self.first)), (self.first, self.second))
        return connected_components(coo_array(pairs, shape=(n_atoms, n_atoms)), directed=False)[1]

    def molecules(self) -> list[NDArray[np.int_]]:
        """Return the sites of each molecule, ascending; an unbound atom is a molecule of one."""
        labels = self.molecule_labels()
        order = np.argsort(labels, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


@lru_cache(maxsize=1024)
def bond_cutoff(first: str, second: str) -> float:
    """Return the longest covalent bond between two elements in A, 0 if they do not bond."""
    from ase.data import atomic_numbers, covalent_radii

    if not (bonds_covalently(first) and bonds_covalently(second)):
        return 0.0
    radii = covalent_radii[[atomic_numbers[first], atomic_numbers[second]]]
    return BOND_FACTOR * float(radii.sum())


def strip_properties(structure: Structure) -> Structure:
    """Return a copy without oxidation states and site properties, such as velocities."""
    copy = without_site_properties(structure)
    copy.remove_oxidation_states()
    return copy


def find_bonds(structure: Structure) -> Bonds:
    """Find the covalent bonds of an ordered periodic structure.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    Bonds
        Without bonds of s-, d- and f-block metals: Li-O contacts are not bonds.
    """
    symbols = np.array(site_symbols(structure))
    kinds = sorted(set(symbols.tolist()))
    cutoffs = np.array([[bond_cutoff(a, b) for b in kinds] for a in kinds])
    if not cutoffs.max():
        empty = np.empty(0, dtype=int)
        return Bonds(symbols, empty, empty, np.empty((0, 3)))
    first, second, images, distances = structure.get_neighbor_list(float(cutoffs.max()))
    index = np.searchsorted(kinds, symbols)
    keep = distances < cutoffs[index[first], index[second]]
    first, second, images = first[keep], second[keep], images[keep]
    fractional = structure.frac_coords[second] + images - structure.frac_coords[first]
    return Bonds(symbols, first, second, fractional @ structure.lattice.matrix)


def unwrap_molecule(bonds: Bonds, sites: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the unwrapped positions of a molecule relative to its first site.

    Parameters
    ----------
    bonds : Bonds
    sites : ndarray of int, shape (n,)
        The sites of one molecule.

    Returns
    -------
    ndarray, shape (n, 3)
        In A, in the order of ``sites``.
    """
    if len(sites) == 1:
        return np.zeros((1, 3))
    n_atoms = len(bonds.symbols)
    numbers = np.arange(1, len(bonds.first) + 1)
    graph = coo_array((numbers, (bonds.first, bonds.second)), shape=(n_atoms, n_atoms)).tocsr()
    order, parents = breadth_first_order(graph, sites[0], directed=True)
    positions = np.zeros((n_atoms, 3))
    for site in order[1:]:
        parent = parents[site]
        bond = np.flatnonzero((bonds.first == parent) & (bonds.second == site))[0]
        positions[site] = positions[parent] + bonds.vectors[bond]
    return positions[sites]


def is_endless(bonds: Bonds, sites: NDArray[np.int_], positions: NDArray[np.float64]) -> bool:
    """Whether a molecule is bound to its own periodic image: a chain, a layer or a network.

    Parameters
    ----------
    bonds : Bonds
    sites : ndarray of int, shape (n,)
        The sites of one molecule.
    positions : ndarray, shape (n, 3)
        From :func:`unwrap_molecule`.
    """
    place = np.zeros((len(bonds.symbols), 3))
    place[sites] = positions
    inside = np.isin(bonds.first, sites)
    steps = place[bonds.second[inside]] - place[bonds.first[inside]]
    return bool((np.abs(steps - bonds.vectors[inside]) > 1e-3).any())


def formula_of(symbols: Iterable[str]) -> str:
    """Return a molecule's formula, elements by electronegativity and H last: PO2F2, OH, BH4."""
    counts = Counter(symbols)
    ordered = sorted(counts, key=lambda s: (s == "H", electronegativity(s)))
    return "".join(s if counts[s] == 1 else f"{s}{counts[s]}" for s in ordered)
