"""Voids of a structure: vertices of its Voronoi tessellation, and points of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import Voronoi, cKDTree

from vitrion.chemistry.geometry import (
    face_distances,
    merge_points,
    nearest_atom_distances,
    padded_points,
    wrap,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

FIRST_PAD_A = 4.0
MIN_RADIUS_A = 1.4
"""Minimum distance in A of a candidate site to an atom: shorter than any cation-anion distance."""
MERGE_A = 0.7
"""Voids closer than this distance in A are merged: an ion in either relaxes to the same site."""


def voronoi_voids(
    structure: Structure, *, min_radius_A: float = MIN_RADIUS_A, merge_A: float = MERGE_A
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the points that are locally farthest from all atoms.

    A vertex of the Voronoi tessellation is equally far from at least four atoms and farther from
    all others: the center of an empty sphere. Close vertices are merged to the widest, also across
    the faces of the cell.

    Parameters
    ----------
    structure : Structure
        Ordered or not; only positions matter.
    min_radius_A : float
        Least distance from the void to the nearest atom.
    merge_A : float
        Voids closer than this are one.

    Returns
    -------
    frac : (n, 3) array
        Fractional coordinates in [0, 1), widest void first.
    radii : (n,) array
        Distance to the nearest atom, A.
    """
    matrix = structure.lattice.matrix
    atoms = wrap(structure.frac_coords)
    pad = FIRST_PAD_A
    while True:
        frac, radii = _vertices(atoms, matrix, pad)
        # An empty sphere wider than the padding may contain atoms beyond it.
        if len(radii) and radii.max() <= pad:
            break
        pad = 1.5 * pad
    wide = radii >= min_radius_A
    frac, radii = frac[wide], radii[wide]
    order = np.lexsort((*np.round(frac, 6).T, -np.round(radii, 6)))
    frac, radii = frac[order], radii[order]
    kept = merge_points(frac, matrix, merge_A)
    return frac[kept], radii[kept]


def grid_voids(
    structure: Structure,
    *,
    spacing_A: float = 0.4,
    min_radius_A: float = MIN_RADIUS_A,
    merge_A: float = 1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cover the empty space with points of a grid, widest first, ``merge_A`` apart.

    Unlike Voronoi vertices these points also cover the edges of a wide void, where an ion may have
    a minimum next to an anion.

    Returns
    -------
    frac, radii
        As :func:`voronoi_voids`.
    """
    matrix = structure.lattice.matrix
    counts = np.maximum(np.ceil(np.linalg.norm(matrix, axis=1) / spacing_A).astype(int), 1)
    axes = [np.arange(n) / n for n in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    radii = nearest_atom_distances(grid, structure, limit_A=max(6.0, *face_distances(matrix)))
    wide = radii >= min_radius_A
    grid, radii = grid[wide], radii[wide]
    order = np.argsort(-np.round(radii, 6), kind="stable")
    grid, radii = grid[order], radii[order]
    kept = merge_points(grid, matrix, merge_A)
    return grid[kept], radii[kept]


def _vertices(
    atoms: NDArray[np.float64], matrix: NDArray[np.float64], pad_A: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Voronoi vertices inside the cell, fractional, and their distance to an atom."""
    points, _ = padded_points(atoms, matrix, pad_A)
    vertices = Voronoi(points).vertices
    frac = vertices @ np.linalg.inv(matrix)
    edge = 1e-6
    inside = np.all((frac > -edge) & (frac < 1.0 + edge), axis=1)
    radii, _ = cKDTree(points).query(vertices[inside])
    return wrap(frac[inside]), radii
