"""Van Hove correlation functions, self and distinct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from vitrion.chemistry.geometry import face_distances
from vitrion.errors import InputError
from vitrion.transport.schema import Matrix, Model, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGINS = 200
"""Maximum number of time origins."""

PAIRS_AT_ONCE = 400_000
"""Maximum number of pairs of ions per time origin; if there are more, distances are measured from
some ions, evenly spaced in their order."""


class VanHove(Model):
    """Self and distinct van Hove functions at several lags."""

    lag_ps: Series = Field(description="Lags in ps, one per row of the functions.")
    r_A: Series = Field(description="Centers of the distance bins in A.")
    self_per_A: Matrix = Field(
        description="4 pi r^2 G_s(r, t): distribution of an ion's displacement, 1/A."
    )
    distinct: Matrix = Field(
        description="G_d(r, t) over the density of the other ions: 1 where uncorrelated."
    )


def van_hove(
    positions: np.ndarray,
    cell: np.ndarray,
    interval_fs: float,
    lags_ps: Sequence[float],
    *,
    bin_A: float = 0.1,
) -> VanHove:
    """Compute both van Hove functions, to half the smallest height of the cell.

    Below that distance, rounding finds the nearest image in any cell.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A, framework drift removed.
    cell : ndarray, shape (3, 3)
        Lattice vectors in rows, in A.
    interval_fs : float
        Time between frames.
    lags_ps : sequence of float
        Lags, rounded to frames.
    bin_A : float
        Width of the bins.

    Raises
    ------
    InputError
        If a lag is longer than the run.
    """
    lags = np.rint(1000.0 * np.asarray(lags_ps) / interval_fs).astype(int)
    if lags.min(initial=0) < 0 or lags.max(initial=0) >= len(positions):
        raise InputError("The lags of van Hove functions must be within the run.")
    edges = np.arange(0.0, 0.5 * (face_distances(cell).min() + bin_A), bin_A)
    n_ions = positions.shape[1]
    volume = abs(float(np.linalg.det(cell)))
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    self_part = np.empty((len(lags), len(edges) - 1))
    distinct = np.zeros_like(self_part)
    for row, lag in enumerate(lags):
        origins = np.unique(np.linspace(0, len(positions) - 1 - lag, ORIGINS).astype(int))
        start, end = positions[origins], positions[origins + lag]
        moved = np.linalg.norm(end - start, axis=-1)
        self_part[row] = np.histogram(moved, edges)[0] / (moved.size * bin_A)
        if n_ions > 1:
            density = (n_ions - 1) / volume
            distinct[row] = _neighbors(start, end, cell, edges) / (density * shells)
    return VanHove(
        lag_ps=lags * interval_fs / 1000.0,
        r_A=0.5 * (edges[1:] + edges[:-1]),
        self_per_A=self_part,
        distinct=distinct,
    )


def _neighbors(
    start: np.ndarray, end: np.ndarray, cell: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Return the mean number of other ions of `end` by their distance from an ion of `start`."""
    n_ions = start.shape[1]
    n_chosen = min(n_ions, max(PAIRS_AT_ONCE // n_ions, 1))
    chosen = np.linspace(0, n_ions - 1, n_chosen).astype(int)
    inverse = np.linalg.inv(cell)
    counts = np.zeros(len(edges) - 1)
    for before, after in zip(start, end, strict=True):
        apart = (after - before[chosen][:, None]) @ inverse
        distance = np.linalg.norm((apart - np.rint(apart)) @ cell, axis=-1)
        distance[np.arange(n_chosen), chosen] = np.inf
        counts += np.histogram(distance, edges)[0]
    return counts / (len(start) * n_chosen)
