"""Hops between neighboring sites of a periodic cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import face_distances
from vitrion.defects.symmetry import hop_orbits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vitrion.defects.symmetry import SpaceGroup
    from vitrion.migration.network import Image

MAX_LENGTH_A = 5.0


@dataclass(frozen=True)
class Hop:
    """A hop from site ``start`` to the copy of site ``end`` in the cell ``image``."""

    start: int
    end: int
    image: Image
    length_A: float


def direct_hops(
    sites: NDArray[np.float64],
    matrix: NDArray[np.float64],
    *,
    max_length_A: float = MAX_LENGTH_A,
    slack: float = 0.95,
) -> list[Hop]:
    """Find the pairs of sites that have no other site between them.

    A hop is excluded if a third site is nearer to both ends than ``slack`` times its length: the
    ion then moves in two steps. The result contains the relative neighborhood graph, which connects
    all sites that longer hops would connect.

    Parameters
    ----------
    sites : (n, 3) array
        Fractional coordinates.
    matrix : (3, 3) array
        Lattice vectors as rows, A.
    max_length_A : float
        Longest hop.
    slack : float
        At most 1; keeps pairs whose detour is hardly shorter, so that sites equal by symmetry are
        treated alike in spite of rounding.

    Returns
    -------
    list of Hop
        Each pair once, shortest first, including hops from a site to its own image.
    """
    reach = np.ceil(max_length_A / face_distances(matrix)).astype(int) + 1
    images = np.array(np.meshgrid(*[np.arange(-n, n + 1) for n in reach])).reshape(3, -1).T
    hops = []
    vectors = {}
    for i in range(len(sites)):
        delta = (sites[None] + images[:, None] - sites[i]) @ matrix
        distances = np.linalg.norm(delta, axis=-1)
        cells, ends = np.nonzero((distances > 1e-3) & (distances <= max_length_A))
        vectors[i] = (delta[cells, ends], distances[cells, ends])
        for cell, end in zip(cells.tolist(), ends.tolist(), strict=True):
            hops.append((i, end, images[cell], delta[cell, end], distances[cell, end]))
    found: dict[tuple[int, ...], Hop] = {}
    for i, j, image, vector, length in hops:
        forward = (i, j, *image.tolist())
        backward = (j, i, *(-image).tolist())
        name = min(forward, backward)
        if name in found:
            continue
        near, distances = vectors[i]
        between = np.linalg.norm(near - vector, axis=1)
        closer = np.maximum(distances, between) < slack * length
        if not closer.any():
            found[name] = Hop(name[0], name[1], (name[2], name[3], name[4]), float(length))
    return sorted(found.values(), key=lambda hop: (round(hop.length_A, 4), hop.start, hop.end))


def distinct_hops(
    hops: list[Hop],
    sites: NDArray[np.float64],
    group: SpaceGroup,
    matrix: NDArray[np.float64],
) -> list[list[int]]:
    """Group symmetry-equivalent hops; the first of each group is its representative."""
    if group.is_trivial:
        return [[k] for k in range(len(hops))]
    return hop_orbits(sites, [(h.start, h.end, h.image) for h in hops], group, matrix)
