"""Combine estimates of independent runs, of one system or of systems that differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from vitrion.uncertainty import Estimate, student_quantile, welch_satterthwaite

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLICA_SPREAD = 0.5
"""Scale of the half-Cauchy prior of the spread of ln(value) between systems, such as glasses."""


def combine_estimates(
    values: Sequence[Estimate], *, hierarchical: bool, systems: Sequence[int] | None = None
) -> Estimate:
    """Combine independent estimates of one quantity, or of one that varies between systems.

    Parameters
    ----------
    values : sequence of Estimate
        Estimates from independent runs.
    hierarchical : bool
        Whether the true values differ between systems.
    systems : sequence of int or None
        Index of each estimate's system; estimates of one system are combined first. None: all
        systems differ.

    Returns
    -------
    Estimate
        Estimate of the common value, or of the median over systems.

    Notes
    -----
    Hierarchical: ``y_r = mu + tau_r + e_r`` with the errors e_r known, a flat prior on mu and a
    half-Cauchy one on the spread tau (A. Gelman, Bayesian Anal. 1, 515 (2006)), integrated on a
    grid. Three glasses constrain tau weakly; the prior keeps the interval finite. Runs of one glass
    share its tau_r: as separate glasses they would make the interval too narrow.
    """
    if hierarchical and systems is not None:
        values = list(combine_by_system(values, systems).values())
    y = np.array([math.log(value.value) + value.log_shift for value in values])
    variance = np.array([value.relative_error**2 for value in values])
    if hierarchical:
        return _mean_over_systems(y, variance)
    freedoms = [value.degrees_of_freedom for value in values]
    weights = 1.0 / variance / np.sum(1.0 / variance)
    parts = weights**2 * variance
    return Estimate(
        value=math.exp(weights @ y),
        relative_error=math.sqrt(parts.sum()),
        degrees_of_freedom=welch_satterthwaite(parts, freedoms),
    )


def combine_by_system(values: Sequence[Estimate], systems: Sequence[int]) -> dict[int, Estimate]:
    """Combine independent estimates of each system by their errors."""
    groups: dict[int, list[Estimate]] = {}
    for value, system in zip(values, systems, strict=True):
        groups.setdefault(system, []).append(value)
    return {
        system: combine_estimates(group, hierarchical=False) for system, group in groups.items()
    }


def _mean_over_systems(y: np.ndarray, variance: np.ndarray) -> Estimate:
    """Integrate the posterior of the mean over the spread between systems."""
    taus = np.linspace(0.0, 8.0 * REPLICA_SPREAD, 501)
    weights = 1.0 / (variance + taus[:, None] ** 2)
    precision = weights.sum(axis=1)
    means = weights @ y / precision
    residuals = np.sum(weights * (y - means[:, None]) ** 2, axis=1)
    log_likelihood = 0.5 * (np.log(weights).sum(axis=1) - np.log(precision) - residuals)
    log_posterior = log_likelihood - np.log1p((taus / REPLICA_SPREAD) ** 2)
    posterior = np.exp(log_posterior - log_posterior.max())
    posterior /= posterior.sum()
    return matched_t(float(posterior @ means), means, 1.0 / np.sqrt(precision), posterior)


def matched_t(
    center: float, means: np.ndarray, errors: np.ndarray, posterior: np.ndarray
) -> Estimate:
    """Match a t distribution of ln(value) to quantiles of a mixture of normal distributions.

    Parameters
    ----------
    center : float
        Mean of the mixture.
    means, errors, posterior : ndarray, shape (m,)
        Mean, standard deviation and weight of each part.

    Returns
    -------
    Estimate
        With half the distance of the 16 and 84 %, and of the 2.5 and 97.5 % quantiles.
    """

    def quantile(probability: float) -> float:
        reach = 12.0 * errors.max() + np.abs(means - center).max()
        return float(
            brentq(
                lambda z: posterior @ ndtr((center + z - means) / errors) - probability,
                -reach,
                reach,
            )
        )

    inner = (quantile(0.84) - quantile(0.16)) / 2
    outer = (quantile(0.975) - quantile(0.025)) / 2
    freedom = _freedom_of_ratio(outer / inner)
    scale = inner / student_quantile(0.84, freedom)
    return Estimate(value=math.exp(center), relative_error=scale, degrees_of_freedom=freedom)


def _freedom_of_ratio(target: float) -> float:
    """Return the degrees of freedom of a t distribution by its ratio of 97.5 to 84 % quantiles."""

    def excess(freedom: float) -> float:
        outer, inner = (student_quantile(p, freedom) for p in (0.975, 0.84))
        return outer / inner - target

    if excess(math.inf) >= -1e-3:
        return math.inf
    return float(brentq(excess, 1.0, 1e5)) if excess(1.0) > 0.0 else 1.0
