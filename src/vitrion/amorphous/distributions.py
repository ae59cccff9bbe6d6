"""Partial pair distribution functions and the coordination numbers they integrate to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from vitrion.amorphous.bonds import site_symbols
from vitrion.chemistry import electronegativity
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from pymatgen.core import Structure

SMOOTHING_A = 0.08
"""Width of the Gaussian that g(r) is smoothed with before its extrema are sought."""


@dataclass(frozen=True)
class PairDistributions:
    """Partial pair distribution functions, averaged over frames.

    Attributes
    ----------
    r_A : ndarray, shape (n_bins,)
        Middle of each bin in A.
    g : dict of (str, str) to ndarray, shape (n_bins,)
        ``g[a, b]``, with ``a`` not the more electronegative; 1 for an ideal gas.
    densities_per_A3 : dict of str to float
        Mean number of atoms of each element per A3.
    counts : dict of str to int
        Atoms of each element in the cell.
    """

    r_A: NDArray[np.float64]
    g: dict[tuple[str, str], NDArray[np.float64]]
    densities_per_A3: dict[str, float]
    counts: dict[str, int]

    def pair(self, first: str, second: str) -> NDArray[np.float64]:
        """Return g of two elements in either order."""
        return self.g[first, second] if (first, second) in self.g else self.g[second, first]

    def first_shell(self, first: str, second: str) -> tuple[float, float] | None:
        """Return the position of the first peak and of the minimum behind it in A.

        None where g never rises above 1.1, or no minimum follows within the range.
        """
        bin_width = self.r_A[1] - self.r_A[0]
        g = gaussian_filter1d(self.pair(first, second), SMOOTHING_A / bin_width)
        rising = np.flatnonzero(g > 1.1)
        if not len(rising):
            return None
        turns = np.flatnonzero((g[1:-1] >= g[:-2]) & (g[1:-1] > g[2:])) + 1
        peaks = turns[turns >= rising[0]]
        if not len(peaks):
            return None
        # Noise makes many small turns: the shell ends where g is least before the next real peak.
        later = [p for p in peaks[1:] if g[peaks[0] : p].min() < 0.7 * min(g[peaks[0]], g[p])]
        if not later:
            return None
        end = peaks[0] + int(np.argmin(g[peaks[0] : later[0]]))
        return float(self.r_A[peaks[0] : end][np.argmax(g[peaks[0] : end])]), float(self.r_A[end])

    def coordination(self, center: str, neighbor: str, r_A: float) -> float:
        """Return the mean number of ``neighbor`` within ``r_A`` of a ``center``.

        The integral of ``4 pi r^2 rho_b g_ab(r)``, with the atom itself left out of ``rho_b``.

        Parameters
        ----------
        center, neighbor : str
            Elements.
        r_A : float
            Radius of the sphere in A, as far as g(r) is known.
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
    All periodic images count except an atom's own, so that an ideal gas has 1 at every r below the
    cell's edge, whatever the number of atoms.

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
            kinds = sorted(set(symbols.tolist()), key=electronegativity)
            index = np.array([kinds.index(s) for s in symbols.tolist()])
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
    )
