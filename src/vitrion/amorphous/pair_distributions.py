"""Partial pair distribution functions and the coordination numbers they integrate to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from vitrion.chemistry.elements import electronegativity
from vitrion.chemistry.geometry import site_symbols
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

MAX_FRAMES = 100
"""Maximum number of averaged frames of a run."""

SMOOTHING_A = 0.08
"""Width of the Gaussian that smooths g(r) before its extrema are located."""

DIP = 0.75
"""Largest ratio of the minimum between two shells to the adjacent peaks."""

SURE_DIP = 3.0
"""Minimum depth of the minimum in standard errors of counting."""


@dataclass(frozen=True)
class PairDistributions:
    """Partial pair distribution functions, averaged over frames.

    Attributes
    ----------
    r_A : ndarray, shape (n_bins,)
        Middle of each bin in A.
    g : dict of (str, str) to ndarray, shape (n_bins,)
        ``g[a, b]``, with ``a`` the less electronegative element; 1 for an ideal gas.
    densities_per_A3 : dict of str to float
        Mean number of atoms of each element per A3.
    counts : dict of str to int
        Atoms of each element in the cell.
    n_frames : int
        Frames in the average.
    """

    r_A: NDArray[np.float64]
    g: dict[tuple[str, str], NDArray[np.float64]]
    densities_per_A3: dict[str, float]
    counts: dict[str, int]
    n_frames: int

    def pair(self, first: str, second: str) -> NDArray[np.float64]:
        """Return g of two elements in either order."""
        return self.g[first, second] if (first, second) in self.g else self.g[second, first]

    def first_shell(self, first: str, second: str) -> tuple[float, float] | None:
        """Return the position of the first significant peak and of the minimum behind it in A.

        A shell may be sparse: the Li-F shell of glassy LiPO2F2, with few Li-F contacts, peaks far
        below g = 1. A peak is therefore defined by the minimum behind it: at most three quarters of
        the two adjacent maxima, and lower by three standard errors of counting. Frames are treated
        as independent, which is approximate for a short run.

        Returns
        -------
        tuple of float or None
            None without such a peak within the range.
        """
        bin_width = self.r_A[1] - self.r_A[0]
        g = gaussian_filter1d(self.pair(first, second), SMOOTHING_A / bin_width)
        # Square roots of counts all have the variance 1/4 (Anscombe, Biometrika 35, 246 (1948)).
        error = 0.5 / np.sqrt(self._counts_at_one(first, second))

        def is_dip(low: int, high: int) -> bool:
            depth = np.sqrt(g[high]) - np.sqrt(g[low])
            clear = depth > SURE_DIP * np.hypot(error[high], error[low])
            return bool(clear and g[low] < DIP * g[high])

        peak = end = 0
        for here in range(len(g)):
            if is_dip(end, peak) and is_dip(end, here):
                return float(self.r_A[peak]), float(self.r_A[end])
            if g[here] > g[peak]:
                peak = end = here
            elif g[here] < g[end]:
                end = here
        return None

    def _counts_at_one(self, first: str, second: str) -> NDArray[np.float64]:
        """Return the number of pairs of an ideal gas within the smoothing width, per distance."""
        like = first == second
        pairs = self.counts[first] * (self.counts[second] - like) / (1 + like)
        volume = self.counts[first] / self.densities_per_A3[first]
        width = max(2 * np.sqrt(np.pi) * SMOOTHING_A, self.r_A[1] - self.r_A[0])
        shells = 4 * np.pi * self.r_A**2 * width
        return np.maximum(self.n_frames * pairs * shells / volume, 1e-12)

    def coordination(self, center: str, neighbor: str, r_A: float) -> float:
        """Return the mean number of ``neighbor`` within ``r_A`` of a ``center``.

        The integral of ``4 pi r^2 rho_b g_ab(r)``, with ``rho_b`` excluding the atom itself.

        Parameters
        ----------
        center, neighbor : str
            Elements.
        r_A : float
            Radius of the sphere in A, within the range of g(r).
        """
        bin_width = self.r_A[1] - self.r_A[0]
        edges = self.r_A - bin_width / 2
        volumes = 4 / 3 * np.pi * ((edges + bin_width) ** 3 - edges**3)
        density = self.densities_per_A3[neighbor]
        if center == neighbor:
            density *= (self.counts[center] - 1) / self.counts[center]
        inside = np.clip((r_A - edges) / bin_width, 0, 1)
        return float(density * np.sum(self.pair(center, neighbor) * volumes * inside))


def pair_distributions(
    frames: Iterable[Structure],
    *,
    r_max_A: float = 8.0,
    bin_width_A: float = 0.05,
) -> PairDistributions:
    """Compute the partial pair distribution functions of frames with the same atoms.

    ``g_ab(r) = V n_ab(r) / (N_a (N_b - delta_ab) dV(r))`` with ``n_ab`` the number of pairs in the
    shell of volume ``dV`` (Allen and Tildesley, Computer Simulation of Liquids, 2nd ed., sec. 8.2).
    All periodic images count except the images of the atom itself, so an ideal gas has g = 1 at
    every r below the cell's edge for any number of atoms.

    Parameters
    ----------
    frames : iterable of Structure
    r_max_A, bin_width_A : float
        Range and resolution in A. Beyond half the cell's edge the structure repeats itself.

    Returns
    -------
    PairDistributions

    Raises
    ------
    InputError
        If there are no frames.
    """
    edges = np.arange(0, r_max_A + bin_width_A / 2, bin_width_A)
    shell_volumes = 4 / 3 * np.pi * np.diff(edges**3)
    kinds: list[str] = []
    n_frames, mean_volume = 0, 0.0
    for frame in frames:
        if not n_frames:
            symbols = site_symbols(frame)
            kinds = sorted(set(symbols), key=electronegativity)
            index = np.array([kinds.index(s) for s in symbols])
            sums = np.zeros((len(kinds), len(kinds), len(edges) - 1))
        first, second, _, distances = frame.get_neighbor_list(r_max_A)
        apart = first != second
        pair_index = (index[first] * len(kinds) + index[second])[apart]
        bins = np.minimum((distances[apart] / bin_width_A).astype(int), len(edges) - 2)
        flat = np.bincount(pair_index * (len(edges) - 1) + bins, minlength=sums.size)
        sums += flat.reshape(sums.shape) * frame.volume
        mean_volume += frame.volume
        n_frames += 1
    if not n_frames:
        raise InputError("A pair distribution needs at least one frame.")
    number = {kind: int(np.sum(index == k)) for k, kind in enumerate(kinds)}
    g = {}
    for (i, a), (j, b) in combinations_with_replacement(enumerate(kinds), 2):
        pairs = number[a] * (number[b] - (a == b))
        g[a, b] = sums[i, j] / (n_frames * max(pairs, 1) * shell_volumes)
    return PairDistributions(
        r_A=(edges[1:] + edges[:-1]) / 2,
        g=g,
        densities_per_A3={k: n * n_frames / mean_volume for k, n in number.items()},
        counts=number,
        n_frames=n_frames,
    )


def mean_distributions(replicas: Sequence[PairDistributions]) -> PairDistributions:
    """Average over the replicas of a glass on the distance grid of the first; skip other grids.

    The mean resolves sparse shells that one small cell does not.
    """
    first = replicas[0]
    same = [
        one
        for one in replicas
        if np.array_equal(one.r_A, first.r_A) and one.g.keys() == first.g.keys()
    ]
    return PairDistributions(
        r_A=first.r_A,
        g={pair: np.mean([one.g[pair] for one in same], axis=0) for pair in first.g},
        densities_per_A3={
            kind: float(np.mean([one.densities_per_A3[kind] for one in same]))
            for kind in first.densities_per_A3
        },
        counts=first.counts,
        n_frames=sum(one.n_frames for one in same),
    )
