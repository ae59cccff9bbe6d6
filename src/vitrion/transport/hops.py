"""Hops of the ions from site to site, counted from their paths alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from vitrion.transport.constants import NOMINAL_HOP_A

BLOCKS = 2000
"""Blocks of frames over which positions are averaged at most, so that vibration is no hop."""


@dataclass(frozen=True)
class HopRecord:
    """All hops of a run, in order of time.

    Attributes
    ----------
    ion : ndarray of int, shape (n_hops,)
        Index of the mobile ion.
    frame : ndarray of int, shape (n_hops,)
        Frame in which the ion is first seen beyond the threshold.
    start, end : ndarray, shape (n_hops, 3)
        Mean unwrapped positions in A of the stays before and after the hop.
    """

    ion: np.ndarray
    frame: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.ion)

    @property
    def lengths(self) -> np.ndarray:
        """Hop lengths in A."""
        return np.linalg.norm(self.end - self.start, axis=1)


def find_hops(positions: np.ndarray, threshold_A: float = NOMINAL_HOP_A / 2) -> HopRecord:
    """Find when ions leave the neighborhood of their site.

    An ion hops when its position, averaged over a block of frames, is further than the threshold
    from the mean of its stay so far. There is no list of sites, so glasses need no reference.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A.
    threshold_A : float
        Distance that ends a stay: about half the distance between sites.
    """
    block = max(1, len(positions) // BLOCKS)
    n_blocks, n_ions = len(positions) // block, positions.shape[1]
    blocks = positions[: n_blocks * block].reshape(n_blocks, block, n_ions, 3).mean(axis=1)
    anchor = blocks[0].copy()
    stay = np.ones(n_ions)
    ions, times, starts = [], [], []
    for k in range(1, n_blocks):
        step = blocks[k] - anchor
        gone = np.einsum("ia,ia->i", step, step) > threshold_A**2
        if gone.any():
            who = np.flatnonzero(gone)
            ions.append(who)
            times.append(np.full(len(who), k * block))
            starts.append(anchor[who].copy())
            anchor[who] = blocks[k, who]
            stay[who] = 0.0
            step[who] = 0.0
        stay += 1.0
        anchor += step / stay[:, None]
    if not ions:
        empty = np.empty((0, 3))
        return HopRecord(np.empty(0, int), np.empty(0, int), empty, empty)
    ion, frame, start = np.concatenate(ions), np.concatenate(times), np.concatenate(starts)
    return HopRecord(ion, frame, start, _next_stays(ion, start, anchor))


def _next_stays(ion: np.ndarray, start: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Return where each hop ended: the start of the ion's next hop, or where it is now."""
    end = anchor[ion]
    order = np.lexsort((np.arange(len(ion)), ion))
    same = ion[order[1:]] == ion[order[:-1]]
    end[order[:-1][same]] = start[order[1:][same]]
    return end


def event_bound(n_events: int, level: float = 0.95) -> float:
    """Return the upper bound of a Poisson mean after `n_events`; 3.0 for none at 95 %."""
    return float(chi2.ppf(level, 2 * (n_events + 1)) / 2)
