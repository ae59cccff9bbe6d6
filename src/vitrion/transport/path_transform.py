"""Fourier transforms of the paths: one serves the mean squares and the sine modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import rfft

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES_AT_ONCE = 40_000
"""Frames times ions that are transformed together, small enough for the processor cache."""


def transforms(positions: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Transform the paths of a few ions at a time.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A.

    Yields
    ------
    part : slice
        The ions.
    paths : ndarray, shape (n_part, 3, n_frames)
        Displacements from the first frame, in A.
    spectra : ndarray, shape (n_part, 3, n_frames + 1)
        Transforms of `paths`, padded by as many zeros.
    """
    n_frames, n_ions = positions.shape[:2]
    at_once = max(1, VALUES_AT_ONCE // n_frames)
    for start in range(0, n_ions, at_once):
        part = slice(start, start + at_once)
        chosen = positions[:, part].transpose(1, 2, 0)
        # Small numbers: less cancellation. Contiguous in time, or every later step is slow.
        paths = np.subtract(chosen, chosen[..., :1], order="C")
        yield part, paths, rfft(paths, 2 * n_frames)
