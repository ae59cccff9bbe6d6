"""Stays and hops of the ions, detected from their paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrion.transport.constants import NOMINAL_HOP_A

BLOCK_FS = 100.0
"""Time of the averages that remove vibration. It does not depend on the length of a run, because
short returns count as hops: averages over 1.5 ps find a third of them."""

LEFT_A = NOMINAL_HOP_A / 2
"""Distance that ends a stay: about half the distance between sites."""

_ONES = np.ones(3)


@dataclass(frozen=True)
class Stays:
    """Positions and times of the stays of each ion, ordered by ion and time.

    Two consecutive stays of one ion are separated by a hop.

    Attributes
    ----------
    ion : ndarray of int, shape (n_stays,)
        Index of the mobile ion.
    begin, end : ndarray of int, shape (n_stays,)
        First frame of the stay and first frame after it.
    position : ndarray, shape (n_stays, 3)
        Mean unwrapped position in A.
    """

    ion: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    position: np.ndarray

    @property
    def before_hop(self) -> np.ndarray:
        """Indices of the stays that end in a hop; the next index is the following stay."""
        return np.flatnonzero(self.ion[1:] == self.ion[:-1])

    @property
    def n_hops(self) -> int:
        """Number of hops of all ions."""
        return len(self.before_hop)

    @property
    def hops_of_ions(self) -> np.ndarray:
        """Number of hops of each ion, shape (n_ions,)."""
        return np.bincount(self.ion) - 1

    def count_lasting(self) -> int:
        """Count the hops that were not reversed by a later hop.

        A hop is reversed if a later stay is within `LEFT_A` of the stay before the hop.
        """
        count = 0
        for ion in np.unique(self.ion[self.before_hop]):
            way: list[np.ndarray] = []
            for position in self.position[self.ion == ion]:
                if len(way) > 1 and not _is_far((position - way[-2])[None])[0]:
                    way.pop()
                else:
                    way.append(position)
            count += len(way) - 1
        return count

    @property
    def hop_lengths(self) -> np.ndarray:
        """Hop lengths in A, shape (n_hops,)."""
        first = self.before_hop
        return np.linalg.norm(self.position[first + 1] - self.position[first], axis=1)


def find_stays(positions: np.ndarray, interval_fs: float) -> Stays:
    """Detect when ions leave the neighborhood of their site.

    An ion hops when its position, averaged over a short time, is further than `LEFT_A`
    from the mean of its stay so far, and remains so in the next average. A list of sites is not
    needed, so the method applies to glasses.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Unwrapped positions in A.
    interval_fs : float
        Time between frames.
    """
    size = min(max(1, round(BLOCK_FS / interval_fs)), len(positions))
    n_blocks, n_ions = len(positions) // size, positions.shape[1]
    blocks = positions[: n_blocks * size].reshape(n_blocks, size, n_ions, 3).mean(axis=1)
    center, length = blocks[0].copy(), np.ones(n_ions)
    begin = np.zeros(n_ions, dtype=int)
    found: list[tuple[np.ndarray, ...]] = []
    step = np.empty_like(center)
    for k in range(1, n_blocks):
        np.subtract(blocks[k], center, out=step)
        gone = _is_far(step)
        who = gone.nonzero()[0]
        if len(who) and k + 1 < n_blocks:  # a single outlier is vibration
            who = who[_is_far(blocks[k + 1, who] - center[who])]
        if len(who):
            found.append((who, begin[who], np.full(len(who), k * size), center[who]))
            center[who], begin[who], length[who], step[who] = blocks[k, who], k * size, 0.0, 0.0
        length += 1.0
        step /= length[:, None]
        center += step
    everyone = np.arange(n_ions)
    found.append((everyone, begin, np.full(n_ions, len(positions)), center))
    ion, start, end, place = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((start, ion))
    return Stays(ion[order], start[order], end[order], place[order])


def _is_far(step: np.ndarray) -> np.ndarray:
    return (step * step) @ _ONES > LEFT_A**2
