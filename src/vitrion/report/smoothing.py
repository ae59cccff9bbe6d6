"""Smooth pair distributions for display."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SMOOTHING_A = 0.05
"""Standard deviation in A of the Gaussian that smooths shown pair distributions."""
MIN_POINTS = 3


def smoothed(g: ArrayLike, r: ArrayLike) -> NDArray[np.float64]:
    """Convolve functions of distance with a Gaussian of :data:`SMOOTHING_A`.

    Parameters
    ----------
    g : array, shape (..., n_r)
    r : array, shape (n_r,)
        Even distances in A.
    """
    from scipy.ndimage import gaussian_filter1d

    values, distances = np.asarray(g, dtype=float), np.asarray(r, dtype=float)
    if len(distances) < MIN_POINTS:
        return values
    width = SMOOTHING_A / float(distances[1] - distances[0])
    return gaussian_filter1d(values, width, axis=-1, mode="nearest")
