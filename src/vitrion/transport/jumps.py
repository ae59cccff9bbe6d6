"""The network of sites that the ions visit, with hops as its edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from vitrion.transport.schema import Matrix, Model, Series

if TYPE_CHECKING:
    from vitrion.transport.stays import Stays

MAX_EDGES = 1000
SITE_TOLERANCE_A = 1.2
"""Maximum distance of a stay from its site."""


class Edge(Model):
    """A pair of sites between which ions hopped."""

    site_1: int = Field(description="Index of a site.")
    site_2: int = Field(description="Index of the other site, in the image of the hop.")
    image: tuple[int, int, int] = Field(
        description="Lattice vector of the image of site 2 relative to site 1."
    )
    forward: int = Field(description="Hops from site 1 to site 2.")
    backward: int = Field(description="Hops from site 2 to site 1.")
    length_A: float = Field(description="Distance of the sites in A.")


class JumpNetwork(Model):
    """Sites, their occupancies, and the hops between them."""

    sites_A: Matrix = Field(description="Cartesian positions in A, folded into the cell.")
    occupancy: Series = Field(description="Mean number of ions on each site.")
    residence_ps: list[float | None] = Field(
        description="Mean residence time on each site in ps: occupied time over departures; None "
        "if no ion left."
    )
    edges: list[Edge] = Field(
        description="Pairs of sites with hops, most frequent first, at most 1000."
    )
    n_edges: int = Field(description="Number of pairs of sites with hops.")
    n_unresolved: int = Field(
        description="Number of hops that end on their initial site, within the tolerance of a site."
    )


def jump_network(
    stays: Stays,
    cell: np.ndarray,
    n_frames: int,
    interval_fs: float,
) -> JumpNetwork:
    """Group stays into sites and count the hops between these; the longest stays define the sites.

    Parameters
    ----------
    stays : Stays
        From `find_stays`.
    cell : ndarray, shape (3, 3)
        Lattice vectors in rows, in A.
    n_frames : int
        Frames of the run.
    interval_fs : float
        Time between frames.
    """
    site, sites = _assign_sites(stays, cell)
    duration = (stays.end - stays.begin) * interval_fs / 1000.0
    time = np.bincount(site, weights=duration, minlength=len(sites))
    first = stays.before_hop
    departures = np.bincount(site[first], minlength=len(sites))
    counts, n_same = _count_edges(stays, site, sites, cell)
    busiest = sorted(counts.items(), key=lambda item: (-sum(item[1]), item[0]))
    edges = [
        Edge(
            site_1=key[0],
            site_2=key[1],
            image=(key[2], key[3], key[4]),
            forward=forward,
            backward=backward,
            length_A=float(np.linalg.norm((sites[key[1]] + key[2:] - sites[key[0]]) @ cell)),
        )
        for key, (forward, backward) in busiest[:MAX_EDGES]
    ]
    return JumpNetwork(
        sites_A=sites @ cell,
        occupancy=time / (n_frames * interval_fs / 1000.0),
        residence_ps=[t / n if n else None for t, n in zip(time, departures.tolist(), strict=True)],
        edges=edges,
        n_edges=len(counts),
        n_unresolved=n_same,
    )


def _assign_sites(stays: Stays, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the site of each stay, and the sites in fractional coordinates within the cell."""
    fractional = stays.position @ np.linalg.inv(cell)
    sites = np.empty((0, 3))
    site = np.empty(len(fractional), dtype=int)
    for k in np.argsort(stays.begin - stays.end, kind="stable"):
        if len(sites):
            apart = sites - fractional[k]
            distance = np.linalg.norm((apart - np.rint(apart)) @ cell, axis=1)
            nearest = int(distance.argmin())
            if distance[nearest] <= SITE_TOLERANCE_A:
                site[k] = nearest
                continue
        site[k] = len(sites)
        sites = np.vstack([sites, fractional[k] % 1.0])
    return site, sites


def _count_edges(
    stays: Stays, site: np.ndarray, sites: np.ndarray, cell: np.ndarray
) -> tuple[dict[tuple[int, ...], list[int]], int]:
    """Count hops forward and backward for each (site, site, image), lower site first."""
    fractional = stays.position @ np.linalg.inv(cell)
    images = np.rint(fractional - sites[site]).astype(int)
    first = stays.before_hop
    shift = images[first + 1] - images[first]
    counts: dict[tuple[int, ...], list[int]] = {}
    n_same = 0
    for a, b, s in zip(site[first].tolist(), site[first + 1].tolist(), shift.tolist(), strict=True):
        forward, backward = (a, b, *s), (b, a, *(-x for x in s))
        if forward == backward:
            n_same += 1
            continue
        key = min(forward, backward)
        counts.setdefault(key, [0, 0])[key != forward] += 1
    return counts, n_same
