"""Attempt frequencies of the hops of relaxed bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import SimulationError
from vitrion.migration.vibrations import StationaryPoint, attempt_frequency, stationary_point

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SAME_ENERGY_EV = 1e-3
"""Relaxed defects on one site whose energies differ by less are the same minimum."""

SAME_POINT_A = 0.1
"""Largest distance in A between atoms of two saddle points that are the same."""


@dataclass(frozen=True)
class HopVibrations:
    """Harmonic theory of a hop.

    Attributes
    ----------
    values : dict
        ``forward_Hz`` and ``backward_Hz``, of both paths if two pass beside a ridge, and
        ``soft_modes``, the largest number of modes that count as 0.5 THz; or ``failure``, the
        reason why harmonic theory does not apply.
    saddle : StationaryPoint or None
    """

    values: dict[str, Any]
    saddle: StationaryPoint | None = None


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
    ) -> HopVibrations:
        """Return the attempt frequencies of a hop and of its reverse.

        Parameters
        ----------
        sites : (int, int)
            Sites of the unit cell at which the hop starts and ends.
        start, end : Structure
            Relaxed ends of the band; coordinates run on across the faces of the cell.
        saddle : Structure or None
            Its highest image.
        """
        if saddle is None:
            return HopVibrations({"failure": "The band does not return its saddle point."})
        hop = (end.frac_coords - start.frac_coords) @ start.lattice.matrix
        try:
            first, last = (
                self._minimum(site, structure)
                for site, structure in zip(sites, (start, end), strict=True)
            )
            top = stationary_point(self._atoms(saddle), 1, along=hop)
        except SimulationError as exc:
            return HopVibrations({"failure": str(exc)})
        paths = 2 if top.off_ridge and self._is_on_both_sides(saddle, hop, top) else 1
        found = {
            "forward_Hz": paths * attempt_frequency(first, top),
            "backward_Hz": paths * attempt_frequency(last, top),
            "soft_modes": max(point.n_soft for point in (first, last, top)),
        }
        return HopVibrations(found, top)

    def _is_on_both_sides(
        self, ridge: Structure, hop: NDArray[np.float64], top: StationaryPoint
    ) -> bool:
        """Whether the other side of a ridge has a saddle point of the same energy."""
        try:
            other = stationary_point(self._atoms(ridge), 1, along=hop, side=-1)
        except SimulationError:
            return False
        apart = np.linalg.norm(other.positions_A - top.positions_A, axis=1).max()
        return bool(apart > SAME_POINT_A and abs(other.energy_eV - top.energy_eV) < SAME_ENERGY_EV)

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
