"""Percolation of a periodic network: the least energy at which a path crosses the crystal.

Union-find that keeps, for each site, the lattice vector from its root. A bond that closes a loop
with a net lattice vector makes its cluster periodic; the rank of all such vectors is the dimension
of the cluster. Bonds are added by rising energy, so the first time the dimension is reached gives
the bottleneck (minimax) energy: Kruskal's algorithm on the quotient graph of the crystal.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Image = tuple[int, int, int]


@dataclass(frozen=True)
class Bond:
    """A hop from site ``start`` to the copy of site ``end`` in the cell ``image``.

    Attributes
    ----------
    start, end : int
        Sites.
    image : tuple of three int
        Lattice vector, in units of the cell, of the copy of ``end``.
    energy_eV : float
        Energy at the saddle point, on the scale of the site energies.
    """

    start: int
    end: int
    image: Image
    energy_eV: float


@dataclass(frozen=True)
class Percolation:
    """Percolation threshold of a network.

    Attributes
    ----------
    threshold_eV : float
        Energy of the highest saddle point on the easiest periodic path.
    barrier_eV : float
        Threshold above the lowest site of the conducting cluster.
    percentile : float
        Percentage of all saddle points that are not above the threshold.
    sites : tuple of int
        Sites of the conducting cluster at the threshold.
    dimension : int
        Number of independent directions.
    """

    threshold_eV: float
    barrier_eV: float
    percentile: float
    sites: tuple[int, ...]
    dimension: int


@dataclass
class PeriodicClusters:
    """Clusters of the sites of a periodic network, grown bond by bond.

    Parameters
    ----------
    n_sites : int
    """

    n_sites: int
    _parent: list[int] = field(init=False)
    _offset: NDArray[np.int64] = field(init=False)
    _size: list[int] = field(init=False)
    _loops: dict[int, NDArray[np.int64]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._parent = list(range(self.n_sites))
        self._offset = np.zeros((self.n_sites, 3), dtype=int)
        self._size = [1] * self.n_sites

    def find(self, site: int) -> tuple[int, NDArray[np.int64]]:
        """Return the root of a site's cluster and the lattice vector from the root to the site."""
        path = []
        while self._parent[site] != site:
            path.append(site)
            site = self._parent[site]
        offset = np.zeros(3, dtype=int)
        for node in reversed(path):
            offset = offset + self._offset[node]
            self._parent[node], self._offset[node] = site, offset
        return site, offset

    def add(self, start: int, end: int, image: Sequence[int]) -> int:
        """Add a bond; return the dimension of the cluster that it now belongs to."""
        root_a, to_a = self.find(start)
        root_b, to_b = self.find(end)
        # Where the root of b lies as seen from the root of a.
        vector = to_a + np.asarray(image, dtype=int) - to_b
        if root_a == root_b:
            if vector.any():
                self._extend(root_a, vector[None])
            return self.dimension(start)
        if self._size[root_a] < self._size[root_b]:
            root_a, root_b, vector = root_b, root_a, -vector
        self._parent[root_b], self._offset[root_b] = root_a, vector
        self._size[root_a] += self._size[root_b]
        if (loops := self._loops.pop(root_b, None)) is not None:
            self._extend(root_a, loops)
        return self.dimension(start)

    def dimension(self, site: int) -> int:
        """Return in how many independent directions the cluster of a site is infinite."""
        return len(self._loops.get(self.find(site)[0], ()))

    def members(self, site: int) -> tuple[int, ...]:
        """Return the sites of the cluster of a site."""
        root = self.find(site)[0]
        return tuple(k for k in range(self.n_sites) if self.find(k)[0] == root)

    def _extend(self, root: int, vectors: NDArray[np.int64]) -> None:
        """Keep a largest independent set of the loops of a cluster."""
        basis = self._loops.get(root, np.empty((0, 3), dtype=int))
        for vector in vectors:
            longer = np.vstack([basis, vector])
            if np.linalg.matrix_rank(longer) == len(longer):
                basis = longer
        self._loops[root] = basis


def percolation(
    site_energies_eV: Sequence[float], bonds: Sequence[Bond], dimension: int = 1
) -> Percolation | None:
    """Find the easiest periodic path through a network of sites.

    Parameters
    ----------
    site_energies_eV : (n,) sequence
        Energy of the ion (or vacancy) at rest on each site.
    bonds : sequence of Bond
        Each hop once, in either direction.
    dimension : {1, 2, 3}
        In how many independent directions the path must lead.

    Returns
    -------
    Percolation or None
        None if all bonds together do not conduct in that many directions.

    Raises
    ------
    InputError
        If a bond names an unknown site, or the dimension is not 1, 2 or 3.
    """
    n_sites = len(site_energies_eV)
    if dimension not in (1, 2, 3):
        raise InputError(f"Dimension {dimension} must be 1, 2 or 3.")
    if any(not 0 <= s < n_sites for bond in bonds for s in (bond.start, bond.end)):
        raise InputError(f"A bond names a site that is not among the {n_sites} of the network.")
    clusters = PeriodicClusters(n_sites)
    ordered = sorted(bonds, key=lambda bond: bond.energy_eV)
    for bond in ordered:
        if clusters.add(bond.start, bond.end, bond.image) >= dimension:
            members = clusters.members(bond.start)
            lowest = min(site_energies_eV[k] for k in members)
            below = sum(other.energy_eV <= bond.energy_eV for other in ordered)
            return Percolation(
                threshold_eV=bond.energy_eV,
                barrier_eV=bond.energy_eV - lowest,
                percentile=100.0 * below / len(ordered),
                sites=members,
                dimension=dimension,
            )
    return None


def easiest_loop(
    n_sites: int, bonds: Sequence[Bond], threshold_eV: float
) -> list[tuple[int, float]]:
    """Return a shortest periodic path whose saddle points are not above a threshold.

    Parameters
    ----------
    n_sites : int
    bonds : sequence of Bond
    threshold_eV : float
        As found by :func:`percolation`.

    Returns
    -------
    list of (site, saddle energy in eV)
        The sites in the order of the path, each with the saddle point after it; the last leads to
        a copy of the first. Empty without such a path.
    """
    steps: dict[int, list[tuple[int, Image, float]]] = defaultdict(list)
    for bond in bonds:
        if bond.energy_eV <= threshold_eV:
            back = (-bond.image[0], -bond.image[1], -bond.image[2])
            steps[bond.start].append((bond.end, bond.image, bond.energy_eV))
            steps[bond.end].append((bond.start, back, bond.energy_eV))
    loops = [loop for start in range(n_sites) if (loop := _loop_from(start, steps))]
    return min(loops, key=len, default=[])


def _loop_from(
    start: int, steps: dict[int, list[tuple[int, Image, float]]], reach: int = 3
) -> list[tuple[int, float]]:
    """Search breadth first from a site for any copy of it but itself, ``reach`` cells away."""
    origin = (start, (0, 0, 0))
    queue = deque([origin])
    came: dict[tuple[int, Image], tuple[tuple[int, Image], float] | None] = {origin: None}
    while queue:
        node = queue.popleft()
        if node[0] == start and node != origin:
            return _backtrack(node, came)
        for end, image, energy in steps[node[0]]:
            cell = tuple(a + b for a, b in zip(node[1], image, strict=True))
            target = (end, (cell[0], cell[1], cell[2]))
            if target in came or max(map(abs, cell)) > reach:
                continue
            came[target] = (node, energy)
            queue.append(target)
    return []


def _backtrack(
    node: tuple[int, Image], came: dict[tuple[int, Image], tuple[tuple[int, Image], float] | None]
) -> list[tuple[int, float]]:
    path: list[tuple[int, float]] = []
    while (step := came[node]) is not None:
        node, energy = step
        path.append((node[0], energy))
    return path[::-1]
