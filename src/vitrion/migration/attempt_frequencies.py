"""Attempt frequencies of the hops of relaxed bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import SimulationError
from vitrion.migration.vibrations import StationaryPoint, attempt_frequency, stationary_point

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.migration.bands import Band

SAME_ENERGY_EV = 1e-3
"""Relaxed defects on one site whose energies differ by less are the same minimum."""

IMAGE_ABOVE_SADDLE_EV = 0.02
"""Largest energy in eV between the highest image of a band and its saddle point."""


class AttemptFrequencies:
    """Harmonic attempt frequencies; the vibrations of a site are computed once for all its hops.

    Parameters
    ----------
    calculator : Calculator
    """

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator
        self._minima: dict[int, list[tuple[float, StationaryPoint]]] = {}

    def of_hop(
        self, sites: tuple[int, int], start: Structure, end: Structure, band: Band
    ) -> dict[str, Any]:
        """Return the attempt frequencies of a hop and of its reverse.

        Parameters
        ----------
        sites : (int, int)
            Sites of the unit cell at which the hop starts and ends.
        start, end : Structure
            Relaxed ends of the band; coordinates run on across the faces of the cell.
        band : Band
            Its frequencies are of all its equivalent paths.

        Returns
        -------
        dict
            ``forward_Hz``, ``backward_Hz`` and ``soft_modes``, the largest number of modes that
            count as 0.5 THz; or ``failure``, the reason why harmonic theory does not apply.
        """
        if not band.has_barrier:
            return {"failure": "The hop has no barrier."}
        if band.saddle is None:
            return {"failure": "The band does not return its saddle point."}
        hop = (end.frac_coords - start.frac_coords) @ start.lattice.matrix
        try:
            first, last = (
                self._minimum(site, structure)
                for site, structure in zip(sites, (start, end), strict=True)
            )
            top = stationary_point(self._atoms(band.saddle), 1, along=hop)
        except SimulationError as exc:
            return {"failure": str(exc)}
        if abs(top.energy_eV - band.height_eV) > IMAGE_ABOVE_SADDLE_EV:
            return {"failure": "The saddle point beside the highest image is not of this band."}
        return {
            "forward_Hz": band.n_paths * attempt_frequency(first, top),
            "backward_Hz": band.n_paths * attempt_frequency(last, top),
            "soft_modes": max(point.n_soft for point in (first, last, top)),
        }

    def _minimum(self, site: int, structure: Structure) -> StationaryPoint:
        atoms = self._atoms(structure)
        energy = float(atoms.get_potential_energy())
        known = self._minima.setdefault(site, [])
        for other, point in known:
            if abs(energy - other) < SAME_ENERGY_EV:
                return point
        known.append((energy, stationary_point(atoms, 0)))
        return known[-1][1]

    def _atoms(self, structure: Structure) -> Atoms:
        from pymatgen.io.ase import AseAtomsAdaptor

        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = self.calculator
        return atoms
