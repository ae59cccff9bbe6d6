"""Distinct candidate sites of an ion: voids, grid points, density peaks and given sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from vitrion.chemistry.geometry import merge_points, nearest_atom_distances, wrap
from vitrion.defects.symmetry import SpaceGroup, site_orbits
from vitrion.defects.voids import MERGE_A, MIN_RADIUS_A, grid_voids, voronoi_voids
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure

    from vitrion.defects.document import CandidateSite, SiteSource


VACUUM_A = 5.5
"""Distance to the nearest atom in A from which a point is in vacuum; no ion is bound there."""


@dataclass(frozen=True)
class Site:
    """A candidate site with all symmetry-equivalent positions.

    Attributes
    ----------
    orbit : (k, 3) array
        Fractional coordinates of the equivalent positions; the first is the representative.
    radius_A : float
        Distance to the nearest atom.
    source : str
        Source of the site.
    n_states : int or None
        Number of equivalent states in the cell that an ion in the site relaxes to; None before.
    """

    orbit: NDArray[np.float64]
    radius_A: float
    source: SiteSource
    n_states: int | None = None

    @property
    def frac(self) -> NDArray[np.float64]:
        """Fractional coordinates of the representative site."""
        return self.orbit[0]

    @property
    def multiplicity(self) -> int:
        """Number of relaxed states in the cell if known, otherwise of copies of the site."""
        return len(self.orbit) if self.n_states is None else self.n_states

    def document(self) -> CandidateSite:
        """Return the site as a document."""
        from vitrion.defects.document import CandidateSite

        x, y, z = (float(value) for value in self.frac)
        return CandidateSite(
            frac_coords=(x, y, z),
            radius_A=self.radius_A,
            source=self.source,
            multiplicity=self.multiplicity,
        )


def candidate_sites(
    structure: Structure,
    group: SpaceGroup | None = None,
    *,
    sources: Sequence[str] = ("voronoi",),
    given: Mapping[SiteSource, ArrayLike] | None = None,
    min_radius_A: float = MIN_RADIUS_A,
    merge_A: float = MERGE_A,
    max_sites: int | None = None,
) -> list[Site]:
    """Find the distinct empty sites of a structure from several sources.

    Parameters
    ----------
    structure : Structure
        Structure including its mobile ions.
    group : SpaceGroup, optional
        Equivalent sites are merged; by default without symmetry.
    sources : sequence of str
        ``voronoi`` (centers of voids) and ``grid`` (evenly spaced points in empty space).
    given : mapping of source to (n, 3) array, optional
        Fractional coordinates from other sources: peaks of the ion density (``density``), or ions
        inserted by a generator (``given``). They have priority when sites are merged.
    min_radius_A : float
        Minimum distance to an atom in A.
    merge_A : float
        Sites closer than this are merged.
    max_sites : int, optional
        Maximum number of sites, widest first.

    Returns
    -------
    list of Site
        Widest first.

    Raises
    ------
    InputError
        If a source is unknown, or the structure has no void.
    """
    unknown = set(sources) - {"voronoi", "grid"}
    if unknown:
        raise InputError(
            f"'{unknown.pop()}' is not a source of sites: choose from voronoi and grid, and pass "
            "density peaks or other positions in 'given'."
        )
    group = group or SpaceGroup(np.eye(3)[None], np.zeros((1, 3)))
    found: list[tuple[SiteSource, NDArray[np.float64]]] = [
        (source, wrap(np.reshape(points, (-1, 3)))) for source, points in (given or {}).items()
    ]
    if "voronoi" in sources:
        found.append(("voronoi", voronoi_voids(structure, min_radius_A=min_radius_A)[0]))
    if "grid" in sources:
        found.append(("grid", grid_voids(structure, min_radius_A=min_radius_A)[0]))
    points = np.vstack([points for _, points in found]) if found else np.empty((0, 3))
    labels = [source for source, points in found for _ in points]
    radii = nearest_atom_distances(points, structure) if len(points) else np.empty(0)
    wide = np.flatnonzero((radii >= min_radius_A) & (radii < VACUUM_A))
    kept = wide[merge_points(points[wide], structure.lattice.matrix, merge_A)]
    if not len(kept):
        raise InputError(
            f"The structure has no void {min_radius_A:g} A from every atom: reduce min_radius_A."
        )
    sites = _by_symmetry(points[kept], [labels[k] for k in kept], structure, group, merge_A)
    sites.sort(key=lambda site: -round(site.radius_A, 4))
    return sites[:max_sites]


def density_peaks(
    density: NDArray[np.float64],
    structure: Structure,
    *,
    n_ions: float,
    smoothing_A: float = 0.3,
    merge_A: float = 1.0,
    min_occupancy: float = 0.02,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the peaks of an ion density.

    Parameters
    ----------
    density : (na, nb, nc) array
        Density, or counts, on a grid whose points ``i / n`` are the voxels' corners and whose
        values belong to the voxels' centers, periodic.
    structure : Structure
        Structure with the cell of the density.
    n_ions : float
        Number of ions in the density.
    smoothing_A : float
        Width in A of the Gaussian that removes counting noise.
    merge_A : float
        Peaks closer than this are merged.
    min_occupancy : float
        Minimum mean number of ions at a peak.

    Returns
    -------
    frac : (n, 3) array
        Peaks by decreasing occupancy, at the center of mass of their voxels.
    occupancy : (n,) array
        Mean number of ions nearer to this peak than to another.
    """
    if density.ndim != 3 or not np.isfinite(density).all() or density.sum() <= 0:
        raise InputError("A density needs three axes and a positive sum.")
    matrix = structure.lattice.matrix
    shape = np.array(density.shape)
    voxel = np.linalg.norm(matrix, axis=1) / shape
    smooth = ndimage.gaussian_filter(density.astype(float), smoothing_A / voxel, mode="wrap")
    highest = ndimage.maximum_filter(smooth, size=3, mode="wrap")
    peaks = np.argwhere((smooth == highest) & (smooth > 0))
    peaks = peaks[np.argsort(-smooth[tuple(peaks.T)], kind="stable")]
    frac = (peaks + 0.5) / shape
    frac = frac[merge_points(frac, matrix, merge_A)]
    voxels = np.argwhere(density > 0)
    weights = density[tuple(voxels.T)] * (n_ions / density.sum())
    centers = (voxels + 0.5) / shape
    owner, shift = _nearest(centers, frac, matrix)
    occupancy = np.bincount(owner, weights, minlength=len(frac)).astype(float)
    near = np.linalg.norm(shift @ matrix, axis=1) < merge_A
    mass = np.bincount(owner[near], weights[near], minlength=len(frac))
    moment = np.stack(
        [np.bincount(owner[near], (weights[:, None] * shift)[near, k], len(frac)) for k in range(3)]
    ).T
    frac = wrap(frac + moment / np.maximum(mass, 1e-300)[:, None])
    order = np.argsort(-occupancy, kind="stable")
    order = order[occupancy[order] >= min_occupancy]
    return frac[order], occupancy[order]


def _by_symmetry(
    points: NDArray[np.float64],
    labels: list[SiteSource],
    structure: Structure,
    group: SpaceGroup,
    merge_A: float,
) -> list[Site]:
    matrix = structure.lattice.matrix
    if group.is_trivial:
        orbits = [point[None] for point in points]
        firsts = list(range(len(points)))
    else:
        tolerance = merge_A / 2
        orbits = site_orbits(points, group, matrix, tolerance)
        # The first point near an orbit is its generating point.
        firsts = [int(_nearest(orbit[:1], points, matrix)[0][0]) for orbit in orbits]
    radii = nearest_atom_distances(np.array([orbit[0] for orbit in orbits]), structure)
    return [
        Site(orbit=orbit, radius_A=float(radius), source=labels[first])
        for orbit, radius, first in zip(orbits, radii, firsts, strict=True)
    ]


def _nearest(
    points: NDArray[np.float64], centers: NDArray[np.float64], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest center of each point and the fractional vector from it to the point."""
    from scipy.spatial import cKDTree

    from vitrion.chemistry.geometry import face_distances, padded_points

    images, owners = padded_points(wrap(centers), matrix, float(face_distances(matrix).max()))
    _, index = cKDTree(images).query(wrap(points) @ matrix)
    shift = wrap(points) - images[index] @ np.linalg.inv(matrix)
    return owners[index], shift
