"""Symmetry-preserving displacements of the atoms of a crystal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

TOLERANCE_A = 0.01


@dataclass(frozen=True)
class SiteSymmetry:
    """Displacements that preserve the space group of a crystal.

    The score net is equivariant, so the score of a symmetric crystal is symmetric; noise is not. A
    sampler that projects both preserves the space group and the Wyckoff positions (as in R. Jiao et
    al., arXiv 2402.03992, with a different network).

    Attributes
    ----------
    projection : array (3n, 3n)
        Average over the operations of the group; projects Cartesian displacements onto their
        symmetric part.
    spread : array (n,)
        Factor that restores the standard deviation of projected noise: the square root of the
        number of equivalent atoms.
    """

    projection: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, structure: Structure, tolerance_A: float = TOLERANCE_A) -> SiteSymmetry:
        """Find the space group of a structure in any cell, preferably a primitive one."""
        from ase.spacegroup.symmetrize import prep_symmetry
        from pymatgen.io.ase import AseAtomsAdaptor

        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        rotations, _, mapping = prep_symmetry(atoms, symprec=tolerance_A, verbose=False)
        n_atoms, mapping = len(structure), np.asarray(mapping)
        columns = structure.lattice.matrix.T
        projection = np.zeros((n_atoms, 3, n_atoms, 3))
        for rotation, targets in zip(rotations, mapping, strict=True):
            turn = columns @ rotation @ np.linalg.inv(columns)
            projection[targets, :, np.arange(n_atoms), :] += turn / len(rotations)
        equivalent = [len(set(targets)) for targets in mapping.T]
        return cls(projection.reshape(3 * n_atoms, 3 * n_atoms), np.sqrt(equivalent))
