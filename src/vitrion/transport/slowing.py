"""How the diffusivity of ions in a disordered solid decreases with time.

Ions return many times before they diffuse. In networks of random site energies, barriers, traps and
closed paths, whose diffusivities are known exactly (``benchmarks/transport_disorder.py``), the
growth of the MSD over 6, D(h), decreases with the mean number h of hops of an ion as

    D(h) = D (1 + h0/h)^A,

so the exponent of this growth is one less ``A / (1 + h/h0)``. The amplitude A increases with the
disorder over kT; h0 is 2 to 8 hops, the same at all temperatures.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vitrion.transport.regime import MAX_EXPONENT_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.transport.result import TransportResult

FADING_HOPS, FADING_SPREAD = 4.0, 0.6
"""Median of the prior of h0, and standard deviation of its logarithm."""

NODES = np.linspace(-3.0, 3.0, 25)
"""Values of ln h0 that represent the prior, in standard deviations from the median."""

AMPLITUDE = 0.3
"""Scale of the prior of the amplitude at `REFERENCE_K`."""

REFERENCE_K = 440.0
AMPLITUDE_POWER = 2.0
"""The amplitude is proportional to this power of 1/T: the mean square of fixed energies over kT."""

AMPLITUDE_SPREAD = 0.04
"""Deviation of the amplitude at one temperature from this proportion."""

SHAPE_ERROR = 0.15
"""Relative error of an extrapolation, since other disorder may deviate from the law."""

SMALL_ERROR = 0.03
"""Least error of the amplitude."""

FIRST_HOPS = 0.35
"""Hops of an ion at the first lag whose slope is used; vibration and the first returns rule
shorter ones."""

WINDOW_WIDTH = 1.08
"""Width of the correlation between the errors of slopes in ln lag, whose windows overlap."""

OWN_SHARE = 0.02
"""Part of the variance of a slope that is not correlated with others."""


class Slowing(NamedTuple):
    """Decrease of D with time at one temperature, for each of several values of h0.

    Attributes
    ----------
    hops_per_ps : float
        Mean number of hops of an ion in 1 ps.
    fading_hops, weights, amplitudes, errors : ndarray, shape (n,)
        Values of h0 and their probabilities; amplitudes and their standard errors given h0.
    """

    hops_per_ps: float
    fading_hops: np.ndarray
    weights: np.ndarray
    amplitudes: np.ndarray
    errors: np.ndarray

    @property
    def amplitude(self) -> float:
        """Mean amplitude; at least zero, because D does not increase with time."""
        return float(self.weights @ np.maximum(self.amplitudes, 0.0))

    def remaining(self, lag_ps: float) -> tuple[float, float]:
        """Return by how much ln D still decreases after a time, and the standard error."""
        lengths = np.log1p(self.fading_hops / (self.hops_per_ps * lag_ps))
        decreases = np.maximum(self.amplitudes, 0.0) * lengths
        mean = self.weights @ decreases
        variance = self.weights @ ((lengths * self.errors) ** 2 + (decreases - mean) ** 2)
        least = SMALL_ERROR * (self.weights @ lengths)
        return float(mean), float(np.sqrt(variance + (SHAPE_ERROR * mean) ** 2 + least**2))


class _Slopes(NamedTuple):
    """Slopes of one run less one, at the hops of their lags, and their inverse covariance."""

    n_hops: int
    hops: np.ndarray
    values: np.ndarray
    precision: np.ndarray


def slowing(
    groups: Sequence[Sequence[TransportResult]], solid_up_to_K: float = math.inf
) -> list[Slowing]:
    """Return the slowing at each temperature, from the runs at all of them.

    Parameters
    ----------
    groups : sequence of sequence of TransportResult
        Runs of one disordered material, such as its glasses, by temperature.
    solid_up_to_K : float
        Runs above this temperature in K, or whose framework diffuses, show nothing of the solid.

    Notes
    -----
    For each h0, the amplitudes of the runs at a temperature are averaged with weights by hops. The
    amplitudes at the temperatures are proportional to ``T^-2`` up to a small deviation, so that one
    with few hops learns from the others. The values of h0 are weighted by their evidence.
    """
    rates = [_hops_per_ps(runs) for runs in groups]
    temperatures = np.array([runs[0].temperature_K for runs in groups])
    slopes = [
        [found for run in runs if kelvin <= solid_up_to_K and (found := _slopes(run, rate))]
        for kelvin, runs, rate in zip(temperatures, groups, rates, strict=True)
    ]
    law = (REFERENCE_K / temperatures) ** AMPLITUDE_POWER
    values = FADING_HOPS * np.exp(FADING_SPREAD * NODES)
    given = [_given(fading, slopes, law) for fading in values]
    evidence, amplitudes, errors = (np.array(part) for part in zip(*given, strict=True))
    logs = evidence - 0.5 * NODES**2
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    return [
        Slowing(rate, values, weights, amplitudes[:, k], errors[:, k])
        for k, rate in enumerate(rates)
    ]


def _hops_per_ps(runs: Sequence[TransportResult]) -> float:
    """Return the mean number of hops of an ion in 1 ps."""
    hops = sum(run.hops.n_hops for run in runs)
    return hops / sum(run.n_mobile * run.duration_ps for run in runs)


def _slopes(run: TransportResult, hops_per_ps: float) -> _Slopes | None:
    """Return the slopes of a run at its longest lags; None if it shows nothing of the solid."""
    hops = hops_per_ps * np.array(run.regime.lags_ps)
    errors = np.array(run.regime.exponent_errors)
    known = np.isfinite(run.regime.exponents) & (errors <= MAX_EXPONENT_ERROR)
    if run.melted or not run.hops.n_hops or not known.any():
        return None
    used = known & (hops >= min(FIRST_HOPS, hops[known][-1]))
    apart = np.subtract.outer(np.log(hops[used]), np.log(hops[used])) / WINDOW_WIDTH
    correlation = (1.0 - OWN_SHARE) * np.exp(-(apart**2)) + OWN_SHARE * np.eye(used.sum())
    precision = np.linalg.inv(np.outer(errors[used], errors[used]) * correlation)
    slopes = np.array(run.regime.exponents)[used] - 1.0
    return _Slopes(run.hops.n_hops, hops[used], slopes, precision)


def _given(
    fading: float, slopes: Sequence[Sequence[_Slopes]], law: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return log evidence, amplitudes and their errors by temperature, for one h0."""
    found = [_mean_amplitude(of_one, fading) for of_one in slopes]
    means, errors, misfits = np.array(found).T
    known = np.isfinite(errors)
    prior = AMPLITUDE**2 * np.outer(law, law) + AMPLITUDE_SPREAD**2 * np.eye(len(law))
    data = prior[np.ix_(known, known)] + np.diag(errors[known] ** 2)
    gain = np.linalg.solve(data, prior[known]).T
    covariance = prior - gain @ prior[known]
    evidence = (
        np.log(errors[known]).sum()
        - 0.5 * misfits.sum()
        - 0.5 * np.linalg.slogdet(data)[1]
        - 0.5 * means[known] @ np.linalg.solve(data, means[known])
    )
    return float(evidence), gain @ means[known], np.sqrt(np.diag(covariance))


def _mean_amplitude(runs: Sequence[_Slopes], fading: float) -> tuple[float, float, float]:
    """Return the mean amplitude of runs, its error (infinite without runs), and their misfit.

    The error contains the scatter, because errors of single runs are too small if few ions move.
    """
    if not runs:
        return 0.0, math.inf, 0.0
    found = np.array([_amplitude(run, fading) for run in runs])
    weights = np.array([run.n_hops for run in runs], dtype=float)
    weights /= weights.sum()
    mean = weights @ found[:, 0]
    variance = weights**2 @ found[:, 1] ** 2
    if (n := len(runs)) > 1:
        variance = max(variance, weights**2 @ (found[:, 0] - mean) ** 2 * n / (n - 1))
    return float(mean), math.sqrt(variance), float(found[:, 2].sum())


def _amplitude(run: _Slopes, fading: float) -> tuple[float, float, float]:
    """Return the amplitude of one run, its error, and chi square, by generalized least squares."""
    shape = -1.0 / (1.0 + run.hops / fading)
    weights = run.precision @ shape
    precision = weights @ shape
    amplitude = weights @ run.values / precision
    chi_square = run.values @ run.precision @ run.values
    return amplitude, 1.0 / math.sqrt(precision), chi_square - amplitude**2 * precision
