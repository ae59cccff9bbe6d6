"""Relaxation of the band of a hop: the nudged elastic band with a climbing image."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.migration.bands import Band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

SPRING_EV_PER_A2 = 1.0


@dataclass(frozen=True)
class ElasticBand:
    """Relaxes bands by the nudged elastic band method of ASE (FIRE, improved tangents).

    G. Henkelman, B. P. Uberuaga and H. Jonsson, J. Chem. Phys. 113, 9901 (2000);
    G. Henkelman and H. Jonsson, J. Chem. Phys. 113, 9978 (2000).

    Parameters
    ----------
    calculator : Calculator
        Shared by all images.
    fmax_eV_per_A : float
        Largest force of a relaxed band.
    max_steps : int
        Steps after which a band is not converged.
    climb : bool
        Whether the highest image climbs to the saddle point.
    """

    calculator: Calculator
    fmax_eV_per_A: float = 0.05
    max_steps: int = 200
    climb: bool = True

    def __call__(self, images: Sequence[Structure]) -> Band:
        """Return the energies of the relaxed images; both ends stay as they are."""
        from ase.mep.neb import NEB
        from ase.optimize import FIRE
        from pymatgen.io.ase import AseAtomsAdaptor

        band = [AseAtomsAdaptor.get_atoms(image, msonable=False) for image in images]
        for atoms in band:
            atoms.calc = self.calculator
        for end in (band[0], band[-1]):
            _keep_results(end)
        elastic = NEB(
            band,
            k=SPRING_EV_PER_A2,
            climb=self.climb,
            method="improvedtangent",
            allow_shared_calculator=True,
        )
        converged = FIRE(elastic, logfile=os.devnull).run(
            fmax=self.fmax_eV_per_A, steps=self.max_steps
        )
        energies = tuple(float(atoms.get_potential_energy()) for atoms in band)
        highest = int(np.argmax(energies))
        saddle = images[highest].copy()
        for site, frac in zip(saddle, band[highest].get_scaled_positions(wrap=False), strict=True):
            site.frac_coords = frac
        return Band(energies, converged=bool(converged), saddle=saddle)


def _keep_results(atoms: Atoms) -> None:
    """Evaluate atoms once for all: the ends of a band do not move."""
    from ase.calculators.singlepoint import SinglePointCalculator

    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
