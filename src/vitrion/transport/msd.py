"""Mean square displacements and the non-Gaussian parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

IONS_AT_ONCE = 8
MAX_ORIGINS = 2000
"""Maximum number of time origins of the fourth moment."""

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
    axes = np.zeros((len(lags), 3))
    for start in range(0, n_ions, IONS_AT_ONCE):
        part = slice(start, start + IONS_AT_ONCE)
        per_axis = _squares(positions[:, part].transpose(1, 2, 0), lags)  # ions, 3, lags
        ions[:, part] = per_axis.sum(axis=1).T
        axes += per_axis.sum(axis=0).T
    weights = charges / np.sqrt(np.mean(charges**2) * n_ions)
    total = np.einsum("kia,i->ak", positions - positions[:1], weights)
    return MeanSquares(lags, ions, axes / n_ions, _squares(total, lags).sum(axis=0))


def _squares(paths: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Mean squared increments of each path (last axis: time) at each lag."""
    x = paths - paths[..., :1]  # small numbers: less cancellation
    n = x.shape[-1]
    spectrum = rfft(x, next_fast_len(2 * n, real=True))
    correlation = irfft(spectrum.real**2 + spectrum.imag**2, next_fast_len(2 * n, real=True))
    running = np.cumsum(x * x, axis=-1)
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
    for k, lag in enumerate(lags):
        stride = max(1, lag // WINDOWS_PER_LAG, len(positions) // MAX_ORIGINS)
        steps = positions[lag::stride] - positions[:-lag:stride]
        squares = np.einsum("kia,kia->ki", steps, steps)
        mean = squares.mean()
        values[k] = 0.6 * np.mean(squares**2) / mean**2 - 1.0 if mean > 0.0 else 0.0
    return values
