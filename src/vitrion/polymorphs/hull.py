"""Convex hull of known phases, relaxed with the potential of the search."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from vitrion.polymorphs.filters import LEEWAY
from vitrion.relaxation.relax import RelaxSettings, relax_many

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Composition, Structure

    from vitrion.potentials.batch import BatchPotential

BELOW_HULL_EV_PER_ATOM = 0.2
"""No crystal lies so far below a hull of known phases; a lower energy is the potential's fault. (Of
LiPO2F2, a random start fell into a spurious minimum of the shipped potential, 0.48 eV/atom below
the hull.)"""

FINE = RelaxSettings(fmax_eV_per_A=0.02, max_steps=600)


def shipped_references() -> dict[str, Structure]:
    """Return the known phases of Li-C-O-F-P that come with the package, by name.

    Their cells were relaxed by this project (see the data card next to the file); a search relaxes
    them again with its potential.
    """
    return _shipped("phases")


def shipped_crystals() -> dict[str, Structure]:
    """Return all crystals that come with the package, by name: references first.

    Crystals that serve as tests of the search, such as LiPO2F2, are not references.
    """
    return shipped_references() | _shipped("beside_the_hull")


def _shipped(kind: str) -> dict[str, Structure]:
    from pymatgen.core import Structure

    path = files("vitrion.polymorphs") / "data" / "references.json"
    return {
        entry["name"]: Structure(entry["lattice"], entry["species"], entry["fractional"])
        for entry in json.loads(path.read_text()).get(kind, [])
    }


@dataclass(frozen=True)
class Hull:
    """Energies of reference phases.

    Attributes
    ----------
    energies : dict
        Name to (composition, energy per atom in eV).
    """

    energies: dict[str, tuple[Composition, float]]

    @classmethod
    def relaxed(
        cls,
        references: Mapping[str, Structure],
        potential: BatchPotential,
        settings: RelaxSettings = FINE,
    ) -> Hull:
        """Relax references with a potential.

        A reference that cannot be relaxed is left out, and a reference that ran out of steps near
        the tolerance is kept, both with a warning.
        """
        results = relax_many(list(references.values()), potential, settings)
        energies = {}
        for name, result in zip(references, results, strict=True):
            bad = not result.converged
            if bad and result.residual_eV_per_A >= LEEWAY * settings.fmax_eV_per_A:
                warnings.warn(f"Reference {name} is left out: {result.reason}.", stacklevel=2)
                continue
            if bad:
                warnings.warn(f"Reference {name} did not converge: {result.reason}.", stacklevel=2)
            energies[name] = (result.structure.composition, result.energy_eV_per_atom)
        return cls(energies)

    def energy_eV_per_atom(self, composition: Composition) -> tuple[float, dict[str, float]] | None:
        """Return the hull energy at a composition, and the phases.

        Solved as a linear program over the phases, so that references of the elements are not
        required if compounds span the composition.

        Returns
        -------
        (float, dict) or None
            Energy in eV per atom, and the atomic fraction of each phase; None if the references do
            not span the composition.
        """
        from scipy.optimize import linprog

        inside = {
            name: (c.fractional_composition, energy)
            for name, (c, energy) in self.energies.items()
            if set(c.elements) <= set(composition.elements)
        }
        if not inside:
            return None
        target = composition.fractional_composition
        amounts = np.array([[c[el] for c, _ in inside.values()] for el in target.elements])
        wanted = [target[el] for el in target.elements]
        found = linprog([e for _, e in inside.values()], A_eq=amounts, b_eq=wanted)
        if found.status != 0:
            return None
        shares = zip(inside, found.x, strict=True)
        return float(found.fun), {name: float(x) for name, x in shares if x > 1e-6}

    def floor(self, composition: Composition) -> float | None:
        """Return the energy in eV per atom below which a structure is a spurious minimum.

        None if the references do not span the composition.
        """
        at_hull = self.energy_eV_per_atom(composition)
        return None if at_hull is None else at_hull[0] - BELOW_HULL_EV_PER_ATOM
