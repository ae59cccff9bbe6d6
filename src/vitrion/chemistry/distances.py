"""Interatomic distances in cells of any shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

REACH_A = 4.0
"""Search radius in A; longer distances do not affect whether atoms overlap."""


def shortest_distance(structure: Structure) -> float:
    """Return the shortest distance between two atoms or images in A (inf beyond 4 A)."""
    _, _, _, distances = structure.get_neighbor_list(REACH_A, exclude_self=True)
    return float(distances.min()) if len(distances) else float("inf")


def closeness(structure: Structure) -> float:
    """Return the smallest distance in units of the sum of the covalent radii of the pair.

    About 1 in a molecule, 0.9 to 1.5 in a salt, less than 0.6 for overlapping atoms.
    """
    from ase.data import covalent_radii

    first, second, _, distances = structure.get_neighbor_list(REACH_A, exclude_self=True)
    if not len(distances):
        return float("inf")
    radii = covalent_radii[np.array(structure.atomic_numbers)]
    return float((distances / (radii[first] + radii[second])).min())
