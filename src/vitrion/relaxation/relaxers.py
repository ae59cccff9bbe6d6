"""Relaxation of many cells at fixed shape, as studies of defects need it, with a cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vitrion.relaxation.relax import Relaxation, RelaxSettings, relax_many
from vitrion.runtime.cache import ResultCache, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.potentials.batch import BatchPotential

BATCH_ATOMS = 4000


class Relaxer(Protocol):
    """Relaxes structures at fixed cell; ``max_steps=0`` only evaluates them."""

    def __call__(
        self, structures: Sequence[Structure], *, max_steps: int | None = None
    ) -> list[Relaxation]:
        """Return one result for each structure, in order."""


@dataclass(frozen=True)
class FixedCellRelaxer:
    """Relaxes structures at fixed cell with L-BFGS.

    Parameters
    ----------
    potential : BatchPotential or Calculator
        A BatchPotential relaxes all structures in the same model calls; an ASE calculator relaxes
        one structure after the other.
    fmax_eV_per_A : float
        Largest force on an atom that counts as relaxed.
    max_steps : int
        Steps after which a relaxation ends without convergence.
    """

    potential: BatchPotential | Calculator
    fmax_eV_per_A: float = 0.02
    max_steps: int = 300

    def __call__(
        self, structures: Sequence[Structure], *, max_steps: int | None = None
    ) -> list[Relaxation]:
        """Return one result for each structure, in order."""
        settings = RelaxSettings(
            fmax_eV_per_A=self.fmax_eV_per_A,
            max_steps=self.max_steps if max_steps is None else max_steps,
            relax_cell=False,
            optimizer="lbfgs",
            batch_atoms=BATCH_ATOMS,
        )
        return relax_many(structures, self.potential, settings)


@dataclass(frozen=True)
class CachedRelaxer:
    """Relaxes what a cache does not hold yet, so that a resumed run has the same host.

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
    ) -> list[Relaxation]:
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


KEPT = ("energy_eV", "max_force_eV_per_A", "n_steps", "converged", "reason")


def _stored(result: Relaxation) -> dict:
    kept = {name: getattr(result, name) for name in KEPT}
    return {**kept, "frac_coords": result.structure.frac_coords.tolist()}


def _restored(start: Structure, stored: dict) -> Relaxation:
    kept: dict[str, Any] = {name: stored.get(name) for name in KEPT}
    return Relaxation(
        structure=type(start)(start.lattice, start.species, np.array(stored["frac_coords"])),
        residual_eV_per_A=stored["max_force_eV_per_A"],
        pressure_GPa=None,
        max_stress_GPa=None,
        **kept,
    )
