"""Calls of a batched potential that survive too little memory and single faulty cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.potentials.batch import BatchPotential, Evaluation


class SplitCalls:
    """Evaluates structures in as few calls as the memory of the device allows.

    A call that fails is repeated in halves: a batch too large for the memory is split from then on,
    and the error of one structure concerns this structure only.

    Parameters
    ----------
    potential : BatchPotential
    """

    def __init__(self, potential: BatchPotential) -> None:
        self._potential = potential
        self._most_atoms = math.inf

    def evaluate(
        self, systems: Sequence[Atoms], stress: bool = True
    ) -> list[Evaluation | Exception]:
        """Return the evaluation of each structure in order, or its exception."""
        n_atoms = sum(len(atoms) for atoms in systems)
        if n_atoms <= self._most_atoms or len(systems) == 1:
            try:
                return list(self._potential.evaluate(systems, stress=stress))
            except Exception as exc:
                if len(systems) == 1:
                    return [exc]
        half = len(systems) // 2
        found = self.evaluate(systems[:half], stress) + self.evaluate(systems[half:], stress)
        if not any(isinstance(each, Exception) for each in found):
            self._most_atoms = min(self._most_atoms, n_atoms - 1)
        return found
