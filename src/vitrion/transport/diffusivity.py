"""Self-diffusivity, collective diffusivity and Haven ratio of one run, with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from vitrion.transport.path_transform import transforms
from vitrion.transport.spectrum import MAX_MODES, MIN_MODES, ModeFit, choose_modes, mode_frequencies
from vitrion.transport.stays import find_stays
from vitrion.uncertainty import Estimate, welch_satterthwaite

FEW_IONS = 8
"""Number of ions below which their scatter does not show the noise of rare hops reliably."""

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


class SineModes:
    """Sine-mode amplitudes of the increments, from the transforms of the paths.

    Parameters
    ----------
    n_frames, n_ions : int
        Frames of each path, and number of paths.
    interval_fs : float
        Time between frames.
    max_modes : int
        Number of lowest modes.

    Attributes
    ----------
    amplitudes : ndarray, shape (3, n_ions, n_modes)
        In A/sqrt(fs), normalized so that their variance is D for a Brownian path.
    n_steps : int
        Increments of each path.

    Notes
    -----
    The increments of a path padded by zeros have the transform ``X_j (1 - exp(-i w_j))``, with
    ``w_j = pi j / n_frames`` if as many zeros are added. The increment into the zeros adds a real
    number, so the imaginary part contains the sine modes alone.
    """

    def __init__(
        self, n_frames: int, n_ions: int, interval_fs: float, max_modes: int = MAX_MODES
    ) -> None:
        self.n_steps = n_frames - 1
        self.amplitudes = np.empty((3, n_ions, min(self.n_steps, max_modes)))
        w = np.pi * np.arange(1, self.amplitudes.shape[-1] + 1) / n_frames
        scale = 1.0 / np.sqrt(interval_fs * n_frames)
        self._of_real, self._of_imaginary = -scale * np.sin(w), scale * (np.cos(w) - 1.0)

    def add(self, part: slice, paths: np.ndarray, spectra: np.ndarray) -> None:
        """Add ions; see `transforms`."""
        modes = spectra[..., 1 : self.amplitudes.shape[-1] + 1].transpose(1, 0, 2)
        out = self.amplitudes[:, part]
        np.multiply(modes.real, self._of_real, out=out)
        out += modes.imag * self._of_imaginary


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
    modes = SineModes(len(positions), positions.shape[1], interval_fs)
    for transform in transforms(positions):
        modes.add(*transform)
    return diffusivities_of(
        modes, symbols, charges, find_stays(positions, interval_fs).hops_of_ions
    )


def diffusivities_of(
    modes: SineModes, symbols: tuple[str, ...], charges: np.ndarray, hops: np.ndarray
) -> Diffusivities:
    """Estimate all diffusivities from the modes and the number of hops of each ion.

    See `estimate_diffusivities`.
    """
    amplitudes = modes.amplitudes
    n_ions = amplitudes.shape[1]
    charge = charges / np.sqrt(np.mean(charges**2))
    squares = amplitudes**2
    power = (charge**2 @ squares).sum(axis=0) / (3 * n_ions)
    f = mode_frequencies(len(power), modes.n_steps)
    concert = _concert(amplitudes[..., :PROBE_MODES], power[:PROBE_MODES])
    fit = choose_modes(power, f, 3 * n_ions / (1.0 + concert))
    m = fit.n_modes
    used = amplitudes[..., :m]
    ion_values = (squares[..., :m] @ fit.weights).mean(axis=0)
    weighted = charge**2 * ion_values
    gaussian = fit.gaussian_variance() / 3.0
    concert = _concert(used, power[:m])
    excess, freedom = _hop_noise(weighted, gaussian, hops)
    systematic = fit.systematic_error**2
    relative_variance = excess + (1.0 + concert) * gaussian / n_ions + systematic
    self_ = _self_estimate(float(weighted.mean()), relative_variance, excess, freedom)

    total = charge @ used / np.sqrt(n_ions)
    d_collective = float((total**2).mean(axis=0) @ fit.weights)
    collective, nu = _chi_square_estimate(d_collective, gaussian + excess + systematic)
    haven = _haven_ratio(self_, collective, nu, relative_variance)
    weighted_used = used * fit.weights * charge[:, None] ** 2
    tensor = weighted_used.reshape(3, -1) @ used.reshape(3, -1).T
    species = {}
    for name in dict.fromkeys(symbols):
        chosen = np.array([symbol == name for symbol in symbols])
        own = ion_values[chosen]
        own_excess, freedom = _hop_noise(own, gaussian, hops[chosen])
        variance = own_excess + gaussian / len(own) + systematic
        species[name] = _self_estimate(float(own.mean()), variance, own_excess, freedom)
    slowest = _slowest_modes(charge**2 * squares[..., :MIN_MODES].mean(axis=(0, 2)), m, concert)
    return Diffusivities(self_, collective, haven, species, tensor / n_ions, slowest, fit)


def _slowest_modes(values: np.ndarray, n_modes: int, concert: float) -> Estimate:
    """Return the mean of the power of the slowest modes of each ion."""
    gaussian = 2.0 / (3 * min(MIN_MODES, n_modes))
    variance = _plain_variance(values, gaussian) + concert * gaussian / len(values)
    return _chi_square_estimate(float(values.mean()), variance)[0]


def _plain_variance(values: np.ndarray, gaussian: float) -> float:
    """Relative variance of the mean of independent ions, at least the Brownian value."""
    n, mean = len(values), values.mean()
    spread = values.var(ddof=1) / mean**2 if n > 1 and mean > 0.0 else 0.0
    return float(max(spread, gaussian) / n)


def _hop_noise(values: np.ndarray, gaussian: float, hops: np.ndarray) -> tuple[float, float]:
    """Return the relative variance of the mean by rare hops, and its degrees of freedom.

    This four-point term does not decrease with the number of modes. It follows from the scatter of
    the ions; for few ions, which may agree by chance, it is at least the Poisson noise of the hops.
    """
    n_ions, n_hops = len(values), int(hops.sum())
    excess = max(_plain_variance(values, gaussian) - gaussian / n_ions, 0.0)
    if n_ions < FEW_IONS and n_hops and excess < 1.0 / n_hops:
        return 1.0 / n_hops, float(n_hops)
    return excess, float(max(n_ions - 1, 1))


def _concert(amplitudes: np.ndarray, power: np.ndarray) -> float:
    """Return the relative increase of the Gaussian variance of D* by correlated motion.

    The mean of squares of Gaussian paths has the variance ``2 sum_ik C_ik^2 / N^2`` with C the
    correlation matrix of the ions. The bias 1/(number of modes) of squared
    correlations is subtracted. Ions that never move are left out.
    """
    amplitudes = amplitudes[:, amplitudes.any(axis=(0, 2))]
    n = amplitudes.shape[1]
    if n == 0:
        return 0.0
    relative = (amplitudes / np.sqrt(power)).transpose(1, 0, 2).reshape(n, -1)
    relative /= np.linalg.norm(relative, axis=1, keepdims=True)
    # Both products have the same sum of squares; the smaller one bounds the memory.
    small = relative.T if n > relative.shape[1] else relative
    chance = n * (n - 1) / (3 * len(power))
    return float(max(np.sum((small @ small.T) ** 2) - n - chance, 0.0) / n)


def _self_estimate(
    value: float, relative_variance: float, excess: float, freedom: float
) -> Estimate:
    """Return an estimate whose variance contains the term `excess` with degrees of freedom.

    The rest, the variance of Brownian paths, is known.
    """
    if value <= 0.0:
        return Estimate(value=0.0, relative_error=float("inf"), degrees_of_freedom=float("inf"))
    parts = (excess, max(relative_variance - excess, 0.0))
    return Estimate(
        value=value,
        relative_error=float(np.sqrt(relative_variance)),
        degrees_of_freedom=welch_satterthwaite(parts, (freedom, np.inf)),
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
