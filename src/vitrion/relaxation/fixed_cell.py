"""Relaxation of many cells of fixed shape: the one place where defects meet a potential."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vitrion.runtime.cache import ResultCache, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.potentials.batch import BatchPotential


@dataclass(frozen=True)
class RelaxedAtFixedCell:
    """A structure after relaxation at fixed cell.

    Attributes
    ----------
    structure : Structure
        Same sites in the same order as before.
    energy_eV : float
    max_force_eV_per_A : float
        Largest force on an atom at the end.
    n_steps : int
    converged : bool
        Whether that force is within the bound asked for.
    """

    structure: Structure
    energy_eV: float
    max_force_eV_per_A: float
    n_steps: int
    converged: bool


class Relaxer(Protocol):
    """Relaxes structures at fixed cell; ``max_steps=0`` only evaluates them."""

    def __call__(
        self, structures: Sequence[Structure], *, max_steps: int | None = None
    ) -> list[RelaxedAtFixedCell]:
        """Return one result for each structure, in order."""


@dataclass(frozen=True)
class AseRelaxer:
    """Relaxes one structure after the other with any ASE calculator (L-BFGS).

    Parameters
    ----------
    calculator : Calculator
    fmax_eV_per_A : float
        Largest force on an atom that counts as relaxed.
    max_steps : int
        Steps after which a relaxation is given up, not converged.
    max_step_A : float
        Longest move of an atom in one step.
    """

    calculator: Calculator
    fmax_eV_per_A: float = 0.02
    max_steps: int = 300
    max_step_A: float = 0.2

    def __call__(
        self, structures: Sequence[Structure], *, max_steps: int | None = None
    ) -> list[RelaxedAtFixedCell]:
        """Return one result for each structure, in order."""
        limit = self.max_steps if max_steps is None else max_steps
        return [self._relax(structure, limit) for structure in structures]

    def _relax(self, structure: Structure, max_steps: int) -> RelaxedAtFixedCell:
        from ase.optimize import LBFGS
        from pymatgen.io.ase import AseAtomsAdaptor

        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = self.calculator
        n_steps = 0
        if max_steps and _largest(atoms.get_forces()) > self.fmax_eV_per_A:
            optimizer = LBFGS(atoms, logfile=os.devnull, maxstep=self.max_step_A)
            optimizer.run(fmax=self.fmax_eV_per_A, steps=max_steps)
            n_steps = optimizer.nsteps
        last = _largest(atoms.get_forces())
        relaxed = structure.copy()
        for site, position in zip(relaxed, atoms.get_scaled_positions(wrap=False), strict=True):
            site.frac_coords = position
        return RelaxedAtFixedCell(
            structure=relaxed,
            energy_eV=float(atoms.get_potential_energy()),
            max_force_eV_per_A=last,
            n_steps=n_steps,
            converged=last <= self.fmax_eV_per_A,
        )


@dataclass(frozen=True)
class BatchRelaxer:
    """Relaxes all structures together, in the same calls of the model (FIRE).

    Parameters
    ----------
    potential : BatchPotential
        See :func:`vitrion.potentials.batch.batched`.
    fmax_eV_per_A, max_steps
        As in :class:`AseRelaxer`.
    batch_atoms : int
        Atoms in one call of the model.
    """

    potential: BatchPotential
    fmax_eV_per_A: float = 0.02
    max_steps: int = 300
    batch_atoms: int = 4000

    def __call__(
        self, structures: Sequence[Structure], *, max_steps: int | None = None
    ) -> list[RelaxedAtFixedCell]:
        """Return one result for each structure, in order."""
        from vitrion.relaxation.relax import RelaxSettings, relax_many

        limit = self.max_steps if max_steps is None else max_steps
        settings = RelaxSettings(
            force_tolerance_eV_per_A=self.fmax_eV_per_A,
            max_steps=limit + 1,  # it counts evaluations, the first among them
            relax_cell=False,
            batch_atoms=self.batch_atoms,
        )
        found = relax_many(structures, self.potential, settings)
        return [
            RelaxedAtFixedCell(
                structure=result.structure,
                energy_eV=result.energy_eV,
                max_force_eV_per_A=result.max_force_eV_per_A,
                n_steps=result.steps - 1,
                # One that ran out of steps near the bound is no failure, but not converged either.
                converged=result.failure is None
                and result.max_force_eV_per_A <= self.fmax_eV_per_A,
            )
            for result in found
        ]


@dataclass(frozen=True)
class CachedRelaxer:
    """Relaxes what a cache does not hold yet, so that a run that goes on has the same host.

    Parameters
    ----------
    relax : Relaxer
    cache : ResultCache
    context : str
        Name of all that the results depend on.
    """

    relax: Relaxer
    cache: ResultCache
    context: str

    def __call__(
        self, structures: Sequence[Structure], *, max_steps: int | None = None
    ) -> list[RelaxedAtFixedCell]:
        """Return one result for each structure, in order."""
        keys = [
            fingerprint(["relaxed", self.context, max_steps, *describe(structure)])
            for structure in structures
        ]
        missing = [k for k, key in enumerate(keys) if key not in self.cache]
        if missing:
            found = self.relax([structures[k] for k in missing], max_steps=max_steps)
            self.cache.write({keys[k]: _stored(r) for k, r in zip(missing, found, strict=True)})
        return [
            _restored(structure, self.cache[key])
            for structure, key in zip(structures, keys, strict=True)
        ]


def describe(structure: Structure) -> list[list]:
    """Return cell, positions and elements as JSON can hold them."""
    symbols = [site.specie.symbol for site in structure]
    return [structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), symbols]


def _stored(result: RelaxedAtFixedCell) -> dict:
    stored = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "structure"}
    return {**stored, "frac_coords": result.structure.frac_coords.tolist()}


def _restored(start: Structure, stored: dict) -> RelaxedAtFixedCell:
    structure = start.copy()
    values = dict(stored)
    for site, frac in zip(structure, values.pop("frac_coords"), strict=True):
        site.frac_coords = np.array(frac)
    return RelaxedAtFixedCell(structure=structure, **values)


def _largest(forces: np.ndarray) -> float:
    return float(np.linalg.norm(forces, axis=1).max())
