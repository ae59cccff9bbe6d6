"""Distances and clusters of points in a periodic cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from vitrion.chemistry.structures import check_ordered
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure

WRAP_TOLERANCE = 1e-9


def wrap(frac: ArrayLike) -> NDArray[np.float64]:
    """Return fractional coordinates in [0, 1); values within a rounding error of 1 become 0."""
    wrapped = np.asarray(frac, dtype=float) % 1.0
    wrapped[wrapped > 1.0 - WRAP_TOLERANCE] = 0.0
    return wrapped


def face_distances(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances in A between opposite faces of cells (rows are vectors), (..., 3)."""
    return 1.0 / np.linalg.norm(np.linalg.inv(matrix), axis=-2)


def padded_points(
    frac: NDArray[np.float64], matrix: NDArray[np.float64], pad_A: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the Cartesian points in the cell and their images within ``pad_A`` of its faces.

    Parameters
    ----------
    frac : (n, 3) array
        Fractional coordinates in [0, 1).
    matrix : (3, 3) array
        Lattice vectors as rows, A.
    pad_A : float
        Thickness of the layer of images around the cell.

    Returns
    -------
    points : (m, 3) array
        The points of the cell first, in input order, then their images.
    owners : (m,) array of int
        Index of the point in the cell of which each is an image.
    """
    margin = pad_A / face_distances(matrix)
    reach = np.ceil(margin).astype(int)
    shifts = np.array(np.meshgrid(*[np.arange(-n, n + 1) for n in reach])).reshape(3, -1).T
    shifts = shifts[np.any(shifts != 0, axis=1)]
    images = (frac[None] + shifts[:, None]).reshape(-1, 3)
    near = np.all((images >= -margin) & (images <= 1.0 + margin), axis=1)
    owners = np.tile(np.arange(len(frac)), len(shifts))[near]
    return np.vstack([frac, images[near]]) @ matrix, np.append(np.arange(len(frac)), owners)


def nearest_atom_distances(
    points: NDArray[np.float64], structure: Structure, limit_A: float = 6.0
) -> NDArray[np.float64]:
    """Return the distance in A from each point to the nearest atom; inf beyond the limit."""
    matrix = structure.lattice.matrix
    tree = cKDTree(padded_points(wrap(structure.frac_coords), matrix, limit_A)[0])
    distances, _ = tree.query(wrap(points) @ matrix, distance_upper_bound=limit_A)
    return distances


def merge_points(
    frac: NDArray[np.float64], matrix: NDArray[np.float64], distance_A: float
) -> NDArray[np.int64]:
    """Select points that are at least a distance apart under periodic boundary conditions.

    The points are visited in order, so sort them best first; a point is kept if no kept point is
    within ``distance_A``. Chains of close points therefore do not collapse into one point.

    Returns
    -------
    (k,) array of int
        Indices of the kept points, in order.
    """
    if len(frac) == 0:
        return np.empty(0, dtype=int)
    wrapped = wrap(frac)
    points, owner = padded_points(wrapped, matrix, distance_A)
    tree = cKDTree(points)
    neighbors = tree.query_ball_point(points[: len(wrapped)], distance_A)
    taken = np.zeros(len(wrapped), dtype=bool)
    kept = []
    for i, close in enumerate(neighbors):
        if taken[owner[close]].any():
            continue
        taken[i] = True
        kept.append(i)
    return np.array(kept, dtype=int)


def minimum_image(
    start: NDArray[np.float64], end: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shortest Cartesian vectors from ``start[i]`` to an image of ``end[i]``, (n, 3)."""
    delta = end - start
    delta = delta - np.round(delta)
    shifts = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    vectors = (delta[:, None] + shifts[None]) @ matrix
    shortest = np.argmin(np.einsum("nsk,nsk->ns", vectors, vectors), axis=1)
    return vectors[np.arange(len(delta)), shortest]


def site_symbols(structure: Structure) -> list[str]:
    """Return the element symbol of each site.

    Raises
    ------
    InputError
        If a site is disordered or holds no element.
    """
    from pymatgen.core import Element

    check_ordered(structure)
    symbols = []
    for site in structure:
        element = getattr(site.specie, "element", site.specie)
        if not isinstance(element, Element):
            raise InputError(f"'{site.specie}' is not an element: correct the structure.")
        symbols.append(element.symbol)
    return symbols


def indices_of(symbols: Sequence[str], species: str) -> NDArray[np.int64]:
    """Return the sites of one element."""
    return np.flatnonzero(np.array(symbols) == species)
