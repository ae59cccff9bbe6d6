"""The cell that a melt starts from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrion.chemistry.bonds import formula_of
from vitrion.chemistry.geometry import site_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

PackingUnit = Literal["ions", "atoms", "crystal"]


@dataclass(frozen=True)
class PackedCell:
    """Initial cell of a melt.

    Attributes
    ----------
    structure : Structure
        Cubic if packed; molecules may lie across the cell's faces.
    unit : str
        What was packed: ``"ions"``, ``"atoms"``, or ``"crystal"`` for a supercell to melt.
    ions : list of tuple of int
        Site indices of each packed ion; for a crystal, of each finite molecule (not of extended
        covalent frameworks); empty for atoms.
    volume_per_atom_A3 : float
    shortest_contact_A : float
        Shortest periodic distance between atoms of different ions; each atom of an extended
        framework counts as a separate ion.
    seed : int or None
        None for a crystal.
    """

    structure: Structure
    unit: PackingUnit
    ions: list[tuple[int, ...]]
    volume_per_atom_A3: float
    shortest_contact_A: float
    seed: int | None

    def ion_counts(self) -> dict[str, int]:
        """Return how many ions of each formula were packed."""
        symbols = site_symbols(self.structure)
        return dict(Counter(formula_of([symbols[site] for site in ion]) for ion in self.ions))


def shortest_contact(structure: Structure, ions: Sequence[Sequence[int]]) -> float:
    """Return the shortest periodic distance in A between atoms of different ions or images."""
    radius = 2.5
    labels = np.arange(len(structure)) + len(ions)
    for k, sites in enumerate(ions):
        labels[list(sites)] = k
    while True:
        first, second, _, distances = structure.get_neighbor_list(radius)
        # Within one ion only the image of an atom itself counts as a contact.
        apart = (labels[first] != labels[second]) | (first == second)
        if apart.any():
            return float(distances[apart].min())
        radius *= 1.5
