"""Self-diffusivity, collective diffusivity and Haven ratio of one run, with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dst
from scipy.special import digamma, polygamma

from vitrion.transport.spectrum import MAX_MODES, MIN_MODES, ModeFit, choose_modes, mode_frequencies
from vitrion.uncertainty import Estimate, welch_satterthwaite

IONS_AT_ONCE = 16

PROBE_MODES = 64
"""Slow modes from which concerted motion is first judged."""


@dataclass(frozen=True)
class Diffusivities:
    """Diffusivities of one run in A2/fs.

    Attributes
    ----------
    self_, collective, haven : Estimate
        D*, D_sigma and D*/D_sigma.
    species : dict of str to Estimate
        D* of each species.
    tensor : ndarray, shape (3, 3)
        Self-diffusivity tensor.
    slowest_modes : Estimate
        Mean power of the slowest modes: the upper limit of D* for subdiffusive motion.
    fit : ModeFit
        Which modes were used and how.
    """

    self_: Estimate
    collective: Estimate
    haven: Estimate
    species: dict[str, Estimate]
    tensor: np.ndarray
    slowest_modes: Estimate
    fit: ModeFit


def mode_amplitudes(
    positions: np.ndarray, interval_fs: float, max_modes: int = MAX_MODES
) -> np.ndarray:
    """Return the sine-mode amplitudes of the increments.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A.
    interval_fs : float
        Time between frames.
    max_modes : int
        Number of lowest modes to return.

    Returns
    -------
    ndarray, shape (n_modes, n_ions, 3)
        Amplitudes in A/sqrt(fs), normalized so that their variance is D for a Brownian path.
    """
    n_steps, n_ions = len(positions) - 1, positions.shape[1]
    n_modes = min(n_steps, max_modes)
    amplitudes = np.empty((n_modes, n_ions, 3))
    scale = 1.0 / np.sqrt(2.0 * interval_fs)
    for start in range(0, n_ions, IONS_AT_ONCE):
        part = slice(start, start + IONS_AT_ONCE)
        paths = np.ascontiguousarray(positions[:, part].transpose(1, 2, 0))
        modes = dst(np.diff(paths, axis=-1), type=1, norm="ortho", overwrite_x=True)
        amplitudes[:, part] = scale * modes[..., :n_modes].transpose(2, 0, 1)
    return amplitudes


def estimate_diffusivities(
    positions: np.ndarray,
    interval_fs: float,
    symbols: tuple[str, ...],
    charges: np.ndarray,
) -> Diffusivities:
    """Estimate all diffusivities of one run.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions of the mobile ions in A, framework drift removed.
    interval_fs : float
        Time between frames.
    symbols : tuple of str
        Species of each ion.
    charges : ndarray, shape (n_ions,)
        Charge of each ion in e.

    Notes
    -----
    With several species, D* and D_sigma are weighted by the squared charges, so that the Haven
    ratio stays the ratio of Nernst-Einstein to Einstein conductivity.
    """
    n_ions = positions.shape[1]
    amplitudes = mode_amplitudes(positions, interval_fs)
    charge = charges / np.sqrt(np.mean(charges**2))
    squares = amplitudes**2
    power = squares.reshape(len(squares), -1) @ np.repeat(charge**2, 3) / (3 * n_ions)
    f = mode_frequencies(len(power), len(positions) - 1)
    concert = _concert(amplitudes[:PROBE_MODES], power[:PROBE_MODES])
    fit = choose_modes(power, f, 3 * n_ions / (1.0 + concert))
    m = fit.n_modes
    ion_values = np.tensordot(fit.weights, squares[:m], axes=1).mean(axis=1)
    weighted = charge**2 * ion_values
    gaussian = fit.gaussian_variance() / 3.0
    concert = _concert(amplitudes[:m], power[:m])
    independent = _plain_variance(weighted, gaussian)
    # Four-point term: the noise of rare hops does not decrease with the number of modes.
    excess = max(independent - gaussian / n_ions, 0.0)
    systematic = fit.systematic_error**2
    relative_variance = independent + concert * gaussian / n_ions + systematic
    self_ = _self_estimate(float(weighted.mean()), relative_variance, n_ions, excess)

    flat = amplitudes[:m].reshape(m, -1)
    total = flat @ np.kron(charge[:, None], np.eye(3)) / np.sqrt(n_ions)
    d_collective = float(fit.weights @ (total**2).mean(axis=1))
    collective, nu = _chi_square_estimate(d_collective, gaussian + excess + systematic)
    haven = _haven_ratio(self_, collective, nu, relative_variance)
    weighted_flat = fit.weights[:, None] * flat * np.repeat(charge**2, 3)
    tensor = weighted_flat.reshape(-1, 3).T @ flat.reshape(-1, 3)
    species = {}
    for name in dict.fromkeys(symbols):
        own = ion_values[np.array([symbol == name for symbol in symbols])]
        variance, count = _plain_variance(own, gaussian), len(own)
        own_excess = max(variance - gaussian / count, 0.0)
        species[name] = _self_estimate(float(own.mean()), variance + systematic, count, own_excess)
    slow_values = charge**2 * squares[:MIN_MODES].mean(axis=(0, 2))
    slow_gaussian = 2.0 / (3 * min(MIN_MODES, m))
    slowest, _ = _chi_square_estimate(
        float(slow_values.mean()),
        _plain_variance(slow_values, slow_gaussian) + concert * slow_gaussian / n_ions,
    )
    return Diffusivities(self_, collective, haven, species, tensor / n_ions, slowest, fit)


def _plain_variance(values: np.ndarray, gaussian: float) -> float:
    """Relative variance of the mean of independent ions, at least the Brownian value."""
    n, mean = len(values), values.mean()
    spread = values.var(ddof=1) / mean**2 if n > 1 else 0.0
    return float(max(spread, gaussian) / n)


def _concert(amplitudes: np.ndarray, power: np.ndarray) -> float:
    """Return the relative increase of the Gaussian variance of D* by correlated motion.

    The mean of squares of Gaussian paths has the variance ``2 sum_ik C_ik^2 / N^2`` with C the
    correlation matrix of the ions. The bias 1/(number of modes) of squared
    correlations is subtracted.
    """
    n = amplitudes.shape[1]
    flat = (amplitudes / np.sqrt(power)[:, None, None]).transpose(0, 2, 1).reshape(-1, n)
    covariance = flat.T @ flat
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    chance = n * (n - 1) / len(flat)
    return float(max(np.sum(correlation**2) - n - chance, 0.0) / n)


def _self_estimate(value: float, relative_variance: float, n_ions: int, excess: float) -> Estimate:
    """Return an estimate whose variance contains the term `excess`, estimated from the ions.

    The rest, the variance of Brownian paths, is known.
    """
    if value <= 0.0:
        return Estimate(value=0.0, relative_error=float("inf"), degrees_of_freedom=float("inf"))
    parts = (excess, max(relative_variance - excess, 0.0))
    return Estimate(
        value=value,
        relative_error=float(np.sqrt(relative_variance)),
        degrees_of_freedom=welch_satterthwaite(parts, (max(n_ions - 1, 1), np.inf)),
    )


def _chi_square_estimate(value: float, relative_variance: float) -> tuple[Estimate, float]:
    """Return the estimate of a variance-like quantity and its degrees of freedom nu."""
    nu = 2.0 / relative_variance
    if value <= 0.0:
        empty = Estimate(value=0.0, relative_error=float("inf"), degrees_of_freedom=float("inf"))
        return empty, nu
    estimate = Estimate(
        value=value,
        relative_error=float(np.sqrt(polygamma(1, nu / 2))),
        degrees_of_freedom=float("inf"),
        log_shift=float(np.log(nu / 2) - digamma(nu / 2)),
    )
    return estimate, nu


def _haven_ratio(
    self_: Estimate, collective: Estimate, nu: float, self_variance: float
) -> Estimate:
    """Ratio of the two, corrected for the bias nu/(nu - 2) of an inverse chi-square."""
    if collective.value <= 0.0 or self_.value <= 0.0:
        return Estimate(value=0.0, relative_error=float("inf"), degrees_of_freedom=float("inf"))
    unbias = max(nu - 2.0, 1.0) / nu
    # D_sigma contains D* as its diagonal terms, whose noise cancels in the ratio.
    variance = max(collective.relative_error**2 - self_variance, 0.1 * collective.relative_error**2)
    return Estimate(
        value=unbias * self_.value / collective.value,
        relative_error=float(np.sqrt(variance)),
        degrees_of_freedom=float("inf"),
        log_shift=float(-collective.log_shift - np.log(unbias)),
    )
