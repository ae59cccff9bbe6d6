"""Distributions of defect energies, and what follows from them in equilibrium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from vitrion.errors import InputError
from vitrion.transport.constants import KB_EV_PER_K

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def boltzmann_energy(
    energies_eV: ArrayLike, temperature_K: float, weights: ArrayLike | None = None
) -> float:
    """Return ``-kT ln <exp(-E / kT)>`` in eV, the energy that the whole distribution acts as.

    Parameters
    ----------
    energies_eV : (n,) array
    temperature_K : float
    weights : (n,) array, optional
        Multiplicity of each energy; equal by default.
    """
    energies, multiplicity = _weighted(energies_eV, weights)
    if temperature_K <= 0:
        raise InputError(f"The temperature must be above 0 K, not {temperature_K:g} K.")
    kt = KB_EV_PER_K * temperature_K
    return float(-kt * logsumexp(-energies / kt, b=multiplicity / multiplicity.sum()))


def weighted_quantiles(
    energies_eV: ArrayLike, quantiles: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return quantiles of weighted values, interpolated between the middles of their steps.

    With equal weights this is Hazen's rule; outside the outermost middles it is the outermost
    value.
    """
    energies, multiplicity = _weighted(energies_eV, weights)
    order = np.argsort(energies, kind="stable")
    shares = multiplicity[order] / multiplicity.sum()
    middle = np.cumsum(shares) - 0.5 * shares
    return np.interp(np.asarray(quantiles, dtype=float), middle, energies[order])


def frenkel_fraction(
    pair_energy_eV: float, temperature_K: float, voids_per_ion: float = 1.0
) -> float:
    """Return the fraction of the mobile ions that sit on interstitial sites in equilibrium.

    Mass action with site exclusion, ``x^2 / ((1 - x) (r - x)) = exp(-E / kT)``, where r is the
    number of interstitial sites for each regular one. Vibrations, the interaction of defects and
    other charged defects are left out. In a glass E is the Boltzmann energy of the distribution.

    Parameters
    ----------
    pair_energy_eV : float
        Energy of a well separated pair.
    temperature_K : float
    voids_per_ion : float
        r.

    Source: N. F. Mott and M. J. Littleton, Trans. Faraday Soc. 34, 485 (1938), for the dilute
    limit ``x = sqrt(r) exp(-E / 2kT)``.
    """
    if temperature_K <= 0 or voids_per_ion <= 0:
        raise InputError("A concentration needs a temperature and a number of sites above zero.")
    # With K = exp(-E/kT): (1 - K) x^2 + K (1 + r) x - K r = 0, solved without cancellation after
    # division by exp(-E/2kT), which keeps both very small and very large K in range.
    half = np.exp(-pair_energy_eV / (2 * KB_EV_PER_K * temperature_K))
    r = voids_per_ion
    if half <= 1.0:
        root = np.sqrt((half * (1 - r)) ** 2 + 4 * r)
        return float(2 * half * r / (half * (1 + r) + root))
    root = np.sqrt((1 - r) ** 2 + 4 * r / half**2)
    return float(2 * r / ((1 + r) + root))


def overlap_probability(lower_eV: ArrayLike, upper_eV: ArrayLike) -> float:
    """Return the chance that a value of the upper set lies below one of the lower set.

    0 where a gap parts the sets, 1/2 where they are alike (Mann and Whitney's U over the product
    of sizes); ties count half.
    """
    lower = np.sort(np.asarray(lower_eV, dtype=float))
    upper = np.asarray(upper_eV, dtype=float)
    if not len(lower) or not len(upper):
        raise InputError("An overlap needs at least one energy on each side.")
    above = len(lower) - np.searchsorted(lower, upper, side="right")
    ties = np.searchsorted(lower, upper, side="right") - np.searchsorted(lower, upper, side="left")
    return float((above + 0.5 * ties).sum() / (len(lower) * len(upper)))


def between_replicas(values: ArrayLike) -> tuple[float, float | None]:
    """Return the mean over replicas and its standard error; None where there is one replica."""
    values = np.asarray(values, dtype=float)
    if not len(values):
        raise InputError("A mean needs at least one replica.")
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), None if error is None else float(error)


def _weighted(
    energies: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.asarray(energies, dtype=float)
    if not len(values):
        raise InputError("A distribution needs at least one energy.")
    if weights is None:
        return values, np.ones(len(values))
    given = np.asarray(weights, dtype=float)
    if given.shape != values.shape or (given < 0).any() or not given.any():
        raise InputError("The weights must be as many as the energies, none negative.")
    return values, given
