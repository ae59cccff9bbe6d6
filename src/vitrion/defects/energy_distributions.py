"""Summary of the energies of many defects or hops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.defects.document import BoltzmannPoint, EnergyDistribution
from vitrion.defects.statistics import boltzmann_energy, weighted_quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

QUANTILES = (5, 25, 50, 75, 95)


def summarize(
    energies_eV: ArrayLike, weights: ArrayLike, temperatures_K: Sequence[float]
) -> EnergyDistribution | None:
    """Return mean, spread, quantiles and Boltzmann energies; None without energies.

    Parameters
    ----------
    energies_eV, weights : (n,) arrays
        Each energy with its multiplicity.
    temperatures_K : sequence of float
        For the Boltzmann energies.
    """
    energies = np.asarray(energies_eV, dtype=float)
    weights = np.asarray(weights, dtype=float)
    if not len(energies):
        return None
    mean = float(np.average(energies, weights=weights))
    spread = float(np.sqrt(np.average((energies - mean) ** 2, weights=weights)))
    values = weighted_quantiles(energies, np.array(QUANTILES) / 100, weights)
    return EnergyDistribution(
        n=len(energies),
        mean_eV=mean,
        std_eV=spread,
        minimum_eV=float(energies.min()),
        quantiles_eV={str(q): float(v) for q, v in zip(QUANTILES, values, strict=True)},
        boltzmann=[
            BoltzmannPoint(temperature_K=t, energy_eV=boltzmann_energy(energies, t, weights))
            for t in temperatures_K
        ],
    )
