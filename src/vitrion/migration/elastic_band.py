"""Relaxation of the band of a hop: the nudged elastic band with a climbing image."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vitrion.migration.bands import Band, through
from vitrion.migration.ridges import off_ridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

SPRING_EV_PER_A2 = 1.0

SAME_SADDLE_EV, SAME_SADDLE_A = 0.005, 0.1
"""Largest differences of energy, and of the position of an atom, of equal saddle points."""


@dataclass(frozen=True)
class ElasticBand:
    """Relaxes bands by the nudged elastic band method of ASE (FIRE, improved tangents).

    A band over a ridge (:mod:`vitrion.migration.ridges`) is relaxed again on both sides of it.

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
    """

    calculator: Calculator
    fmax_eV_per_A: float = 0.05
    max_steps: int = 200

    def __call__(self, images: Sequence[Structure]) -> Band:
        """Return the energies of the relaxed images; both ends stay as they are."""
        band = self._relaxed(images)
        while band.converged and (sides := self._beside(band, images)):
            relaxed = [side for side in sides if side.converged]
            if not relaxed:
                return replace(band, converged=False)
            lower = min(relaxed, key=lambda side: side.height_eV)
            if lower.height_eV > band.height_eV - SAME_SADDLE_EV:
                break
            band = replace(lower, n_paths=band.n_paths * (2 if _mirrored(relaxed) else 1))
        return band

    def _beside(self, band: Band, images: Sequence[Structure]) -> list[Band]:
        """Return the bands on both sides of a ridge; none if the highest image is not on one."""
        from pymatgen.io.ase import AseAtomsAdaptor

        if band.saddle is None or not band.has_barrier:
            return []
        atoms = AseAtomsAdaptor.get_atoms(band.saddle, msonable=False)
        atoms.calc = self.calculator
        matrix = images[0].lattice.matrix
        aside = off_ridge(atoms, (images[-1].frac_coords - images[0].frac_coords) @ matrix)
        if aside is None:
            return []
        saddle = band.saddle.cart_coords
        return [self._relaxed(through(images, saddle + side * aside)) for side in (1, -1)]

    def _relaxed(self, images: Sequence[Structure]) -> Band:
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
            climb=True,
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


def _mirrored(sides: Sequence[Band]) -> bool:
    """Whether the bands on both sides of a ridge pass over saddle points of the same energy."""
    if len(sides) < 2 or abs(sides[0].height_eV - sides[1].height_eV) > SAME_SADDLE_EV:
        return False
    first, second = (side.saddle for side in sides)
    if first is None or second is None:
        return False
    apart = (second.frac_coords - first.frac_coords) @ first.lattice.matrix
    return bool(np.linalg.norm(apart, axis=1).max() > SAME_SADDLE_A)


def _keep_results(atoms: Atoms) -> None:
    """Evaluate atoms once for all: the ends of a band do not move."""
    from ase.calculators.singlepoint import SinglePointCalculator

    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
