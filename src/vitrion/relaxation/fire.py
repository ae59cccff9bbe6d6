"""FIRE for one crystal: positions and cell, one step at a time.

The caller evaluates the forces, so that many crystals can share one call of the potential.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.potentials.batch import Evaluation

TIMESTEP, LONGEST_TIMESTEP = 0.1, 1.0
GROW, SHRINK = 1.1, 0.5
MIXING, MIXING_SHRINK = 0.1, 0.99
PATIENCE = 5


@dataclass
class Symmetry:
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
    def of(cls, atoms: Atoms, tolerance_A: float) -> Symmetry:
        """Find the symmetry of a crystal."""
        from ase.spacegroup.symmetrize import prep_symmetry

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
class Fire:
    """State of the fast inertial relaxation engine on one crystal.

    E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), with the parameters of ASE. The
    coordinates are the positions and, with the number of atoms as its lever (as in ASE's cell
    filters), the strain of the present cell; the reference moves along with the cell, so no
    matrix logarithm is needed. The longest move of one atom is limited, not the length of the
    whole step, so a large cell is not slower than a small one.

    Attributes
    ----------
    atoms : Atoms
        Moved in place.
    relax_cell : bool
    pressure : float
        Outer pressure in eV/A3.
    longest_move : float
        In A.
    symmetry : Symmetry or None
        Symmetry to keep.
    """

    atoms: Atoms
    relax_cell: bool = True
    pressure: float = 0.0
    longest_move: float = 0.2
    symmetry: Symmetry | None = None
    timestep: float = TIMESTEP
    mixing: float = MIXING
    downhill: int = 0
    velocity: np.ndarray | None = field(default=None, repr=False)

    def generalized_forces(self, evaluation: Evaluation) -> np.ndarray:
        """Return forces on the atoms and on the cell, ``(n + 3, 3)`` in eV/A (``(n, 3)`` if fixed).

        The cell's part is the virial over the number of atoms.
        """
        forces = evaluation.forces
        if not self.relax_cell and self.symmetry is None:
            return forces
        volume = self.atoms.get_volume()
        virial = -volume * (evaluation.stress + self.pressure * np.eye(3))
        if self.symmetry is not None:
            forces, virial = self.symmetry.project(self.atoms.cell.array, forces, virial)
        if not self.relax_cell:
            return forces
        virial = 0.5 * (virial + virial.T)
        return np.vstack([forces, virial / len(self.atoms)])

    def step(self, forces: np.ndarray) -> None:
        """Move the crystal once along generalized forces."""
        if self.velocity is None:
            self.velocity = np.zeros_like(forces)
        power = np.vdot(forces, self.velocity)
        if power > 0:
            norm = np.sqrt(np.vdot(self.velocity, self.velocity) / np.vdot(forces, forces))
            self.velocity = (1 - self.mixing) * self.velocity + self.mixing * norm * forces
            if self.downhill > PATIENCE:
                self.timestep = min(self.timestep * GROW, LONGEST_TIMESTEP)
                self.mixing *= MIXING_SHRINK
            self.downhill += 1
        else:
            self.velocity = np.zeros_like(forces)
            self.mixing, self.downhill = MIXING, 0
            self.timestep *= SHRINK
        self.velocity = self.velocity + self.timestep * forces
        move = self.timestep * self.velocity
        longest = np.sqrt((move**2).sum(1).max())
        if longest > self.longest_move:
            move *= self.longest_move / longest
        self._apply(move)

    def _apply(self, move: np.ndarray) -> None:
        n_atoms = len(self.atoms)
        positions = self.atoms.positions
        if self.relax_cell:
            strain = np.eye(3) + move[n_atoms:] / n_atoms
            self.atoms.set_cell(self.atoms.cell.array @ strain)
            positions = positions @ strain
        self.atoms.positions = positions + move[:n_atoms]
