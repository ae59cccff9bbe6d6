"""A crystal that moves along its forces: positions and, optionally, the cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.potentials.batch import Evaluation

EV_A3_IN_GPA = 160.21766208


@dataclass
class KeptSymmetry:
    """Operations of a crystal that its relaxation must keep.

    Attributes
    ----------
    rotations, translations : arrays (g, 3, 3), (g, 3)
        In fractional coordinates, as spglib gives them.
    mapping : array (g, n)
        Which atom each operation takes each atom to.
    """

    rotations: np.ndarray
    translations: np.ndarray
    mapping: np.ndarray

    @classmethod
    def refined(cls, atoms: Atoms, tolerance_A: float) -> KeptSymmetry:
        """Find the symmetry of a crystal, and move its atoms and cell to have it exactly."""
        from ase.spacegroup.symmetrize import prep_symmetry, refine_symmetry

        refine_symmetry(atoms, symprec=tolerance_A, verbose=False)
        return cls(*prep_symmetry(atoms, symprec=tolerance_A, verbose=False))

    def project(
        self, cell: np.ndarray, forces: np.ndarray, virial: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts of forces and virial that keep the symmetry."""
        from ase.spacegroup.symmetrize import symmetrize_rank1, symmetrize_rank2

        inverse = np.linalg.inv(cell)
        forces = symmetrize_rank1(
            cell, inverse, forces, self.rotations, self.translations, self.mapping
        )
        return forces, symmetrize_rank2(cell, inverse, virial, self.rotations)


@dataclass
class MovingCrystal:
    """Generalized coordinates of one crystal.

    They are the positions in A and, at variable cell, the strain of the present cell times a lever
    of ``sqrt(n)`` A for ``n`` atoms: a cell of tens of GPa and its atoms are then about equally
    stiff for any size of the cell, and the generalized force of the cell, the virial over the
    lever, leaves a pressure of the order of 0.1 GPa at a force tolerance of 0.05 eV/A. The strain
    is counted from the present cell, so no matrix logarithm is needed.

    Attributes
    ----------
    atoms : Atoms
        Moved in place.
    relax_cell : bool
    pressure : float
        Outer pressure in eV/A3.
    symmetry : KeptSymmetry or None
        Symmetry to keep.
    """

    atoms: Atoms
    relax_cell: bool = True
    pressure: float = 0.0
    symmetry: KeptSymmetry | None = None

    @property
    def lever(self) -> float:
        """Factor between strain and generalized coordinate in A."""
        return float(np.sqrt(len(self.atoms)))

    def generalized_forces(self, evaluation: Evaluation) -> np.ndarray:
        """Return forces on the atoms and on the cell, ``(n + 3, 3)`` in eV/A (``(n, 3)`` if fixed).

        The rows of the cell are the virial over the lever.
        """
        forces, virial = evaluation.forces, np.zeros((3, 3))
        if self.relax_cell:
            pull = evaluation.stress + self.pressure * np.eye(3)
            virial = -self.atoms.get_volume() * 0.5 * (pull + pull.T)
        if self.symmetry is not None:
            forces, virial = self.symmetry.project(self.atoms.cell.array, forces, virial)
        return np.vstack([forces, virial / self.lever]) if self.relax_cell else forces

    def move(self, move: np.ndarray) -> None:
        """Change positions and cell by a move of the generalized coordinates."""
        n_atoms = len(self.atoms)
        positions = self.atoms.positions
        if self.relax_cell:
            strain = np.eye(3) + move[n_atoms:] / self.lever
            self.atoms.set_cell(self.atoms.cell.array @ strain)
            positions = positions @ strain
        self.atoms.positions = positions + move[:n_atoms]
