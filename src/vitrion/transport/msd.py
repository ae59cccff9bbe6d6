"""Mean square displacements and the non-Gaussian parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, rfft

from vitrion.transport.path_transform import transforms

SAMPLES, MIN_ORIGINS = 50_000, 200
"""Displacements per lag, and time origins at least, of the fourth moment."""

_ONES = np.ones(3)

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


def thinned_lags(n_frames: int) -> np.ndarray:
    """Return lags in frames from 1 to half the run, four per doubling."""
    last = max(n_frames // 2, 2)
    count = int(4 * np.log2(last)) + 1
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
    sums = SquareSums(len(positions), charges, lags)
    for transform in transforms(positions):
        sums.add(*transform)
    return sums.result()


class SquareSums:
    """Accumulates `mean_squares` of ions from the transforms of their paths.

    Parameters
    ----------
    n_frames : int
        Frames of each path.
    charges : ndarray, shape (n_ions,)
        Charges of all ions in e.
    lags : ndarray of int or None
        As in `mean_squares`.
    """

    def __init__(self, n_frames: int, charges: np.ndarray, lags: np.ndarray | None = None) -> None:
        self._lags = thinned_lags(n_frames) if lags is None else lags
        self._weights = charges / np.sqrt(np.mean(charges**2) * len(charges))
        self._ions = np.empty((len(self._lags), len(charges)))
        self._power = np.zeros((3, n_frames + 1))
        self._squares = np.zeros((3, n_frames))
        self._total = np.zeros((3, n_frames))

    def add(self, part: slice, paths: np.ndarray, spectra: np.ndarray) -> None:
        """Add ions; see `transforms`."""
        power, squares = spectra.real**2 + spectra.imag**2, paths**2
        # The transform is linear: sums over axes or ions need one back transform each.
        self._ions[:, part] = _increments(power.sum(axis=1), squares.sum(axis=1), self._lags).T
        self._power += power.sum(axis=0)
        self._squares += squares.sum(axis=0)
        self._total += np.tensordot(self._weights[part], paths, axes=1)

    def result(self) -> MeanSquares:
        """Return the mean squares after all ions were added."""
        n_ions = self._ions.shape[1]
        axes = _increments(self._power, self._squares, self._lags).T / n_ions
        total = rfft(self._total, 2 * self._total.shape[-1])
        power = total.real**2 + total.imag**2
        collective = _increments(power, self._total**2, self._lags).sum(axis=0)
        return MeanSquares(self._lags, self._ions, axes, collective)


def _increments(power: np.ndarray, squares: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Return the mean squared increments at each lag."""
    n = squares.shape[-1]
    correlation = irfft(power, 2 * n)
    starts = np.unique([0, *lags[lags < n], *(n - lags)[lags > 0]])
    before = np.zeros((*squares.shape[:-1], len(starts) + 1))  # sums of all earlier squares
    np.cumsum(np.add.reduceat(squares, starts, axis=-1), axis=-1, out=before[..., 1:])
    first = before[..., np.searchsorted(starts, n - lags)]
    last = before[..., -1:] - before[..., np.searchsorted(starts, lags)]
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
        steps *= steps
        squares = steps.reshape(-1, 3) @ _ONES  # faster than einsum over a short axis
        mean = squares.mean()
        fourth = squares @ squares / len(squares)
        values[k] = 0.6 * fourth / mean**2 - 1.0 if mean > 0.0 else 0.0
    return values
