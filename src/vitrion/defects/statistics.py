"""Distributions of defect energies, and equilibrium concentrations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from vitrion.errors import InputError
from vitrion.transport.constants import KB_EV_PER_K

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def boltzmann_energy(
    energies_eV: ArrayLike, temperature_K: float, weights: ArrayLike | None = None
) -> float:
    """Return ``-kT ln <exp(-E / kT)>`` in eV, the Boltzmann-averaged energy.

    Parameters
    ----------
    energies_eV : (n,) array
    temperature_K : float
    weights : (n,) array, optional
        Multiplicity of each energy; equal by default.

    Raises
    ------
    InputError
        If there are no energies, or the temperature is not above 0 K.
    """
    energies, multiplicity = _weighted(energies_eV, weights)
    if temperature_K <= 0:
        raise InputError(f"Temperature {temperature_K:g} K must be above 0 K.")
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


def ion_potential(
    occupied_eV: ArrayLike,
    empty_eV: ArrayLike,
    temperature_K: float,
    occupied_weights: ArrayLike | None = None,
    empty_weights: ArrayLike | None = None,
) -> float:
    """Return the chemical potential of the ion in eV, on the scale of the site energies.

    Non-interacting ions on sites of single occupancy: a Fermi distribution, with the chemical
    potential at which vacancies and interstitials are equal in number. Vibrations, defect
    interactions and charged defects of other species are neglected.

    Parameters
    ----------
    occupied_eV, empty_eV : (n,) and (m,) arrays
        Energies of the regular and of the interstitial sites on one scale.
    temperature_K : float
    occupied_weights, empty_weights : arrays, optional
        Number of sites of each energy.

    Raises
    ------
    InputError
        If there is no energy on a side, or the temperature is not above 0 K.
    """
    occupied, n_ions = _weighted(occupied_eV, occupied_weights)
    empty, n_voids = _weighted(empty_eV, empty_weights)
    if temperature_K <= 0:
        raise InputError(f"Temperature {temperature_K:g} K must be above 0 K.")
    kt = KB_EV_PER_K * temperature_K

    def log_vacancies(level: float) -> float:
        return _log_fermi((level - occupied) / kt, n_ions)

    energies = np.concatenate([occupied, empty])
    ratio = abs(np.log(n_voids.sum() / n_ions.sum()))
    margin = kt * (ratio + 5.0)
    return float(
        brentq(
            lambda level: _log_fermi((empty - level) / kt, n_voids) - log_vacancies(level),
            energies.min() - margin,
            energies.max() + margin,
            xtol=1e-12 * kt,
        )
    )


def log_interstitial_fraction(
    occupied_eV: ArrayLike,
    empty_eV: ArrayLike,
    temperature_K: float,
    occupied_weights: ArrayLike | None = None,
    empty_weights: ArrayLike | None = None,
) -> float:
    """Return ln x of the equilibrium fraction x of the mobile ions on interstitial sites.

    Parameters and errors as of :func:`ion_potential`. For one kind of site each it is the law of
    mass action, ``x^2 / ((1 - x) (r - x)) = exp(-E / kT)``, with pair energy E and ratio r of
    interstitial to regular sites.
    """
    level = ion_potential(occupied_eV, empty_eV, temperature_K, occupied_weights, empty_weights)
    empty, n_voids = _weighted(empty_eV, empty_weights)
    _, n_ions = _weighted(occupied_eV, occupied_weights)
    filled = _log_fermi((empty - level) / (KB_EV_PER_K * temperature_K), n_voids)
    return filled - float(np.log(n_ions.sum()))


def _log_fermi(x: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the logarithm of the weighted sum of 1 / (1 + exp(x))."""
    return float(logsumexp(-np.logaddexp(0.0, x), b=weights))


def log_vacancy_fraction(
    log_frenkel: float,
    excess: float = 0.0,
    log_schottky: float = -math.inf,
    ions_per_anion: int = 1,
) -> float:
    """Return ln v of the vacancies per mobile ion v, from charge neutrality.

    With interstitials i per mobile ion, and the vacant fraction a of the anion sites, it solves
    ``v = excess + i + a`` with the products ``v i`` and ``v^n a`` in equilibrium: there are
    ``1 / n`` anions per mobile ion, each of charge ``n``. Products are logarithms, because they
    underflow at low temperatures.

    Parameters
    ----------
    log_frenkel : float
        ``ln(v i)``.
    excess : float
        Vacancies that dopants cause, per mobile ion.
    log_schottky : float
        ``ln(v^n a)``, which is ``-E / kT`` of the Schottky defect; minus infinity without it.
    ions_per_anion : int
        The number n.
    """
    n, log_excess = ions_per_anion, math.log(excess) if excess else -math.inf

    def imbalance(log_v: float) -> float:
        terms = [log_excess, log_frenkel - log_v, log_schottky - n * log_v]
        return log_v - float(logsumexp(terms))

    # The vacancies of one origin alone are a lower bound, and three times the most an upper bound.
    low = max(log_excess, log_frenkel / 2, log_schottky / (n + 1))
    return float(brentq(imbalance, low - 1e-9, low + math.log(3.0) + 1e-9, xtol=1e-13))


def overlap_probability(lower_eV: ArrayLike, upper_eV: ArrayLike) -> float:
    """Return the probability that a value of the upper set is below a value of the lower set.

    0 if a gap separates the sets, 1/2 for equal distributions (Mann and Whitney's U over the
    product of sizes); ties count half.

    Raises
    ------
    InputError
        If a set is empty.
    """
    lower = np.sort(np.asarray(lower_eV, dtype=float))
    upper = np.asarray(upper_eV, dtype=float)
    if not len(lower) or not len(upper):
        raise InputError("An overlap needs at least one energy on each side.")
    above = len(lower) - np.searchsorted(lower, upper, side="right")
    ties = np.searchsorted(lower, upper, side="right") - np.searchsorted(lower, upper, side="left")
    return float((above + 0.5 * ties).sum() / (len(lower) * len(upper)))


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
