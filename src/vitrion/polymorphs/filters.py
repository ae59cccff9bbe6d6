"""Filters that reject unphysical structures, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.distances import closeness
from vitrion.chemistry.geometry import face_distances
from vitrion.relaxation.relax import spurious_minimum

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from vitrion.relaxation.relax import Relaxation

OVERLAP_BEFORE = 0.55
OVERLAP_AFTER = 0.70
"""Shortest distance over the sum of covalent radii below which atoms overlap. The shortest bonds of
stable compounds (C=O in CO2, P=O, N#N) have 0.76 or more; before relaxation shorter distances are
allowed."""

LEEWAY = 4.0
"""A relaxation that ran out of steps is accepted with a residual below this times the tolerance;
the document says that it did not converge, and how large its forces are."""

EMPTY_A = 6.0
"""Thickness in A of an empty slab above which a crystal has separated into layers or molecules."""


def overlap(structure: Structure, limit: float = OVERLAP_BEFORE) -> str | None:
    """Return the reason if two atoms overlap, otherwise None."""
    found = closeness(structure)
    if found < limit:
        return f"two atoms overlap ({found:.2f} of their covalent distance)"
    return None


def unphysical(
    relaxed: Relaxation,
    lowest_eV_per_atom: float | None = None,
    *,
    residual_eV_per_A: float = 0.0,
) -> str | None:
    """Return why a relaxed structure is rejected, or None if it is accepted.

    Parameters
    ----------
    relaxed : Relaxation
    lowest_eV_per_atom : float, optional
        Energies below this are spurious minima of the potential, not crystals: usually the hull's
        energy at this composition less a generous margin.
    residual_eV_per_A : float
        A relaxation that ran out of steps is accepted with a residual below this: soft crystals
        slide for a long time.
    """
    if not relaxed.converged and relaxed.residual_eV_per_A >= residual_eV_per_A:
        return relaxed.reason
    too_close = overlap(relaxed.structure, OVERLAP_AFTER)
    if too_close is not None:
        return too_close
    gap = largest_gap(relaxed.structure)
    if gap > EMPTY_A:
        return f"the structure fell apart (an empty slab of {gap:.1f} A)"
    energy = relaxed.energy_eV_per_atom
    if lowest_eV_per_atom is not None and energy < lowest_eV_per_atom:
        return spurious_minimum(energy)
    return None


def largest_gap(structure: Structure) -> float:
    """Return the thickness in A of the thickest slab without atoms, along the cell's faces."""
    lattice = structure.lattice
    heights = face_distances(lattice.matrix)
    gaps = []
    for axis in range(3):
        along = np.sort(np.mod(structure.frac_coords[:, axis], 1.0))
        spaces = np.diff(np.append(along, along[0] + 1.0))
        gaps.append(spaces.max() * heights[axis])
    return float(max(gaps))


NOT_CONVERGED = "not converged"
CLASSES = {
    "lower energy": "passed over before relaxation",
    "overlap": "atoms overlap",
    "fell apart": "fell apart",
    "volume": "volume changed too much",
    "forces": NOT_CONVERGED,
    "finite": "no finite energy",
    "below any": "energy below anything physical",
}
"""Class of a reason by the first matching phrase."""


def reason_class(reason: str) -> str:
    """Return a reason without its numbers, for counting."""
    return next((counted for word, counted in CLASSES.items() if word in reason), reason)
