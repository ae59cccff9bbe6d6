"""Mean square displacements and the non-Gaussian parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

IONS_AT_ONCE = 8
VALUES_AT_ONCE = 200_000
"""Frames times ions that are transformed together, which bounds the memory."""

SAMPLES, MIN_ORIGINS = 50_000, 200
"""Displacements per lag, and time origins at least, of the fourth moment."""

WINDOWS_PER_LAG = 16
"""Number of overlapping windows per lag; more add almost no information."""


@dataclass(frozen=True)
class MeanSquares:
    """Mean square displacements at chosen lags.

    Attributes
    ----------
    lags : ndarray of int, shape (n_lags,)
        In frames.
    ions : ndarray, shape (n_lags, n_ions)
        MSD of each ion in A2.
    axes : ndarray, shape (n_lags, 3)
        Mean over ions along x, y and z in A2.
    collective : ndarray, shape (n_lags,)
        ``<|sum_i z_i dr_i|^2> / N`` in A2 with z the charge over its root mean square.
    """

    lags: np.ndarray
    ions: np.ndarray
    axes: np.ndarray
    collective: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """MSD over all ions in A2, shape (n_lags,)."""
        return self.ions.mean(axis=1)

    @property
    def error(self) -> np.ndarray:
        """Standard error of `mean` over the ions in A2; NaN for a single ion."""
        n_ions = self.ions.shape[1]
        if n_ions < 2:
            return np.full(len(self.lags), np.nan)
        return self.ions.std(axis=1, ddof=1) / np.sqrt(n_ions)


def thinned_lags(n_frames: int, per_doubling: int = 4) -> np.ndarray:
    """Return lags in frames from 1 to half the run, evenly spaced on a logarithmic scale."""
    last = max(n_frames // 2, 2)
    count = int(per_doubling * np.log2(last)) + 1
    return np.unique(np.rint(np.geomspace(1, last, count)).astype(int))


def mean_squares(
    positions: np.ndarray, charges: np.ndarray, lags: np.ndarray | None = None
) -> MeanSquares:
    """Average squared displacements over all time origins by fast Fourier transform.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A, framework drift removed.
    charges : ndarray, shape (n_ions,)
        Charges of the ions in e.
    lags : ndarray of int or None
        Lags in frames; `thinned_lags` by default.

    Notes
    -----
    ``msd(m) = <r(k)^2> + <r(k+m)^2> - 2 <r(k) r(k+m)>``, the last term by the Wiener-Khinchin
    theorem (V. Calandrini et al., Collection SFN 12, 201 (2011)).
    """
    n_frames, n_ions = positions.shape[:2]
    lags = thinned_lags(n_frames) if lags is None else lags
    ions = np.empty((len(lags), n_ions))
    # Padded by the longest lag, so that the correlation does not wrap around.
    length = next_fast_len(n_frames + int(lags.max()) + 1, real=True)
    of_axes = np.zeros((3, length // 2 + 1)), np.zeros((3, n_frames))
    at_once = int(np.clip(VALUES_AT_ONCE // n_frames, 1, IONS_AT_ONCE))
    for start in range(0, n_ions, at_once):
        part = slice(start, start + at_once)
        power, squares = _power(positions[:, part].transpose(1, 2, 0), length)
        # The transform is linear: sums over axes or ions need one back transform each.
        ions[:, part] = _increments(power.sum(axis=1), squares.sum(axis=1), lags, length).T
        of_axes[0][:] += power.sum(axis=0)
        of_axes[1][:] += squares.sum(axis=0)
    axes = _increments(*of_axes, lags, length).T
    weights = charges / np.sqrt(np.mean(charges**2) * n_ions)
    total = positions.reshape(n_frames, -1) @ np.kron(weights[:, None], np.eye(3))
    collective = _increments(*_power(total.T, length), lags, length).sum(axis=0)
    return MeanSquares(lags, ions, axes / n_ions, collective)


def _power(paths: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return power spectrum, padded by zeros to a length, and squares of paths (ions, 3, time)."""
    # Small numbers: less cancellation. Contiguous in time, or every later step is slow.
    x = np.subtract(paths, paths[..., :1], order="C")
    spectrum = rfft(x, length)
    return spectrum.real**2 + spectrum.imag**2, np.square(x, out=x)


def _increments(
    power: np.ndarray, squares: np.ndarray, lags: np.ndarray, length: int
) -> np.ndarray:
    """Return the mean squared increments at each lag."""
    n = squares.shape[-1]
    correlation = irfft(power, length)
    running = np.cumsum(squares, axis=-1)
    first = running[..., n - 1 - lags]
    last = running[..., -1:] - np.where(lags > 0, running[..., lags - 1], 0.0)
    return np.maximum(first + last - 2.0 * correlation[..., lags], 0.0) / (n - lags)


def non_gaussian_parameter(positions: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Return ``alpha2 = 3 <r^4> / (5 <r^2>^2) - 1`` at each lag; zero for Brownian motion.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A.
    lags : ndarray of int
        Lags in frames.
    """
    values = np.empty(len(lags))
    origins = max(SAMPLES // positions.shape[1], MIN_ORIGINS)
    for k, lag in enumerate(lags):
        stride = max(1, lag // WINDOWS_PER_LAG, len(positions) // origins)
        steps = positions[lag::stride] - positions[:-lag:stride]
        squares = np.einsum("kia,kia->ki", steps, steps)
        mean = squares.mean()
        values[k] = 0.6 * np.mean(squares**2) / mean**2 - 1.0 if mean > 0.0 else 0.0
    return values
