"""Attempt frequencies of the hops of relaxed bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import SimulationError
from vitrion.migration.vibrations import StationaryPoint, attempt_frequency, stationary_point

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

SAME_ENERGY_EV = 1e-3
"""Relaxed defects on one site whose energies differ by less are the same minimum."""


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
        self, sites: tuple[int, int], start: Structure, end: Structure, saddle: Structure | None
    ) -> dict[str, Any]:
        """Return the attempt frequencies of a hop and of its reverse.

        Parameters
        ----------
        sites : (int, int)
            Sites of the unit cell at which the hop starts and ends.
        start, end : Structure
            Relaxed ends of the band.
        saddle : Structure or None
            Its highest image.

        Returns
        -------
        dict
            ``forward_Hz``, ``backward_Hz`` and ``soft_modes``, the largest number of modes that
            count as 0.5 THz; or ``failure``, the reason why harmonic theory does not apply.
        """
        if saddle is None:
            return {"failure": "The band does not return its saddle point."}
        try:
            first, last = (
                self._minimum(site, structure)
                for site, structure in zip(sites, (start, end), strict=True)
            )
            top = stationary_point(self._atoms(saddle), 1)
        except SimulationError as exc:
            return {"failure": str(exc)}
        return {
            "forward_Hz": attempt_frequency(first, top),
            "backward_Hz": attempt_frequency(last, top),
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
