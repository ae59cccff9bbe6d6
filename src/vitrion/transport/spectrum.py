"""Diffusivity as the zero-frequency limit of the displacement spectrum, with its error.

The increments of a path of n steps are expanded in the sine modes
``sin(pi j k / (n + 1))``. For a Brownian path plus uncorrelated noise on each position (vibration)
these amplitudes are independent normal numbers of variance ``D + b f_j`` with
``f_j = 2 - 2 cos(pi j / (n + 1))``: the modes diagonalize the covariance exactly (A. J. Berglund,
Phys. Rev. E 82, 011917 (2010), whose likelihood this is). Any motion with a memory
shorter than tau has the same form below the frequency 1/tau. A regression of squared amplitudes
over the lowest modes therefore gives D without a choice of lags, with the full information of the
path, and without overlapping windows, which would make the error appear too small. The number of
modes is chosen from the data: the largest number whose estimate agrees with the estimates of all
smaller numbers (O. V. Lepski's rule).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

MIN_MODES = 6
MAX_MODES = 4096
LEPSKI_FACTOR = 3.0
"""Maximum difference of estimates from different numbers of modes, in standard errors."""

UNDERSMOOTHING = 4.0
"""If larger numbers of modes disagree, the number is divided by this factor, because an undetected
bias increases faster with the number of modes than the variance decreases. For trapped ions the
spectrum falls towards zero frequency more steeply than the fit; the factor halves the bias, see
``benchmarks/transport_disorder.py``."""

REMAINING_BIAS = 0.6
"""Systematic error, as a fraction of the decrease of the estimate by the reduction."""


@dataclass(frozen=True)
class ModeFit:
    """A linear estimator of the zero-frequency limit.

    Attributes
    ----------
    weights : ndarray, shape (n_modes,)
        Weight of each squared mode amplitude; they add up to one.
    shape : ndarray, shape (n_modes,)
        Fitted spectrum over its value at zero frequency.
    systematic_error : float
        Relative standard error because the spectrum may fall more steeply than the fit; 0 if all
        modes of the path agree.
    """

    weights: np.ndarray
    shape: np.ndarray
    systematic_error: float = 0.0

    @property
    def n_modes(self) -> int:
        """Number of modes used."""
        return len(self.weights)

    def gaussian_variance(self) -> float:
        """Relative variance of the estimate from one Gaussian path along one axis."""
        return float(2.0 * np.sum((self.weights * self.shape) ** 2))


def mode_frequencies(n_modes: int, n_steps: int) -> np.ndarray:
    """Return f_j = 2 - 2 cos(pi j / (n_steps + 1)) for the modes j = 1 ... n_modes."""
    return 4.0 * np.sin(0.5 * np.pi * np.arange(1, n_modes + 1) / (n_steps + 1)) ** 2


def fit_modes(power: np.ndarray, f: np.ndarray) -> ModeFit:
    """Fit ``D + b f`` to mean squared amplitudes by weighted least squares.

    Parameters
    ----------
    power : ndarray, shape (n_modes,)
        Squared amplitudes, averaged over ions and axes; their standard deviation is taken as
        proportional to the fitted spectrum.
    f : ndarray, shape (n_modes,)
        Values of `mode_frequencies`.
    """
    shape = np.ones_like(f)
    for _ in range(6):
        v = 1.0 / shape**2
        s0, s1, s2 = v.sum(), v @ f, v @ (f * f)
        determinant = s0 * s2 - s1 * s1
        weights = v * (s2 - s1 * f) / determinant
        d = weights @ power
        b = (v * (s0 * f - s1) / determinant) @ power
        # The shape diverges as D approaches zero; the lower limit keeps the fit a plain regression.
        floor = max(d, 1e-3 * power.mean(), np.finfo(float).tiny)
        shape = np.maximum(1.0 + (b / floor) * f, 0.1)
    return ModeFit(weights, shape)


def choose_modes(power: np.ndarray, f: np.ndarray, paths: float) -> ModeFit:
    """Use the largest number of modes that agrees with the results of fewer modes.

    Parameters
    ----------
    power : ndarray, shape (n_modes,)
        Squared amplitudes averaged over all paths.
    f : ndarray, shape (n_modes,)
        Values of `mode_frequencies`.
    paths : float
        Number of independent one-dimensional paths in the average.
    """
    fits = [fit_modes(power[:size], f[:size]) for size in _candidate_sizes(len(power))]
    values = np.array([fit.weights @ power[: fit.n_modes] for fit in fits])
    variances = np.array([fit.gaussian_variance() / paths for fit in fits])
    for best in range(len(fits) - 1, 0, -1):
        # Nested estimates: the variance of a difference is the difference of the variances.
        scatter = abs(values[best]) * np.sqrt(np.maximum(variances[:best] - variances[best], 0.0))
        if np.all(np.abs(values[:best] - values[best]) <= LEPSKI_FACTOR * scatter):
            agreed = fits[best].n_modes
            if agreed == len(power):
                return fits[best]
            fewer = max(int(agreed / UNDERSMOOTHING), MIN_MODES)
            return _reduced(fit_modes(power[:fewer], f[:fewer]), power, float(values[best]))
    return _reduced(fits[0], power, float(values[1]) if len(values) > 1 else 0.0)


def _reduced(fit: ModeFit, power: np.ndarray, before: float) -> ModeFit:
    """Add the systematic error of a fit that replaces one of more modes."""
    value = float(fit.weights @ power[: fit.n_modes])
    if not 0.0 < value < before:
        return fit
    return replace(fit, systematic_error=REMAINING_BIAS * float(np.log(before / value)))


def _candidate_sizes(available: int) -> list[int]:
    sizes = []
    size = float(MIN_MODES)
    while size < available:
        sizes.append(int(size))
        size *= 1.4
    return [*sizes, available]
