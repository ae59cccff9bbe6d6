"""Density map of the mobile ions, and the barrier of paths through the cell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.ndimage import gaussian_filter, label

from vitrion.transport.constants import KB_EV_PER_K
from vitrion.transport.schema import Model

VOXEL_A = 0.3
SMOOTHING_VOXELS = 0.5
"""Width of the filter that closes single empty voxels; a larger value would lower the barrier."""

MOST_VOXELS = 10**7
"""Maximum number of voxels of a percolation analysis, about 13,000 atoms of a solid."""

LEVELS_EV = 1e-3
"""Resolution of a barrier."""


@dataclass(frozen=True)
class DensityMap:
    """Time-averaged density on a grid over the cell.

    Attributes
    ----------
    density : ndarray, shape (nx, ny, nz)
        Ions per A3; the axes follow the lattice vectors.
    cell : ndarray, shape (3, 3)
        Lattice vectors in rows, in A.
    """

    density: np.ndarray
    cell: np.ndarray


class PercolationBarriers(Model):
    """Bottleneck of the free energy -kT ln(density) along each lattice vector.

    The lowest level whose sublevel set connects a site with its periodic image, relative to the
    minimum of the deepest site on such a path.
    """

    a_eV: float | None = Field(description="Along the first lattice vector; None if not crossed.")
    b_eV: float | None = Field(description="Along the second lattice vector.")
    c_eV: float | None = Field(description="Along the third lattice vector.")
    unseen_eV: float = Field(
        description="Depth of the deepest site relative to a voxel with one count: the lower limit "
        "of a barrier that was not crossed."
    )


def grid_shape(cell: np.ndarray, voxel_A: float = VOXEL_A) -> np.ndarray:
    """Return the number of voxels along each lattice vector."""
    return np.maximum(np.rint(np.linalg.norm(cell, axis=1) / voxel_A).astype(int), 4)


def density_map(positions: np.ndarray, cell: np.ndarray, voxel_A: float = VOXEL_A) -> DensityMap:
    """Count ions in voxels.

    Parameters
    ----------
    positions : ndarray, shape (n_frames, n_ions, 3)
        Positions in A, wrapped or not, framework drift removed.
    cell : ndarray, shape (3, 3)
        Lattice vectors in rows, in A.
    voxel_A : float
        Edge of a voxel.
    """
    shape = grid_shape(cell, voxel_A)
    counts = np.zeros(int(np.prod(shape)))
    inverse = np.linalg.inv(cell) * shape
    for start in range(0, len(positions), 500):
        voxel = np.floor(positions[start : start + 500].reshape(-1, 3) @ inverse).astype(int)
        flat = np.ravel_multi_index(tuple(voxel.T), shape, mode="wrap")
        counts += np.bincount(flat, minlength=counts.size)
    voxel_volume = abs(float(np.linalg.det(cell))) / counts.size
    return DensityMap(counts.reshape(shape) / (len(positions) * voxel_volume), cell)


def percolation_barriers(density: DensityMap, temperature_K: float) -> PercolationBarriers:
    """Find the bottleneck along each lattice vector by bisection of a threshold.

    Parameters
    ----------
    density : DensityMap
        From `density_map`.
    temperature_K : float
        Temperature of the run.
    """
    rho = density.density
    least = rho[rho > 0.0].min()
    rho = gaussian_filter(rho, SMOOTHING_VOXELS, mode="wrap")
    kt = KB_EV_PER_K * temperature_K
    energy = -kt * np.log(np.maximum(rho, least * 1e-6) / rho.max())
    ceiling = float(-kt * np.log(least / rho.max()))
    barriers = [_barrier(energy, axis, ceiling) for axis in range(3)]
    return PercolationBarriers(
        a_eV=barriers[0], b_eV=barriers[1], c_eV=barriers[2], unseen_eV=ceiling
    )


def _barrier(energy: np.ndarray, axis: int, ceiling: float) -> float | None:
    """Bisect the lowest level that percolates along an axis."""
    best = _percolating_floor(energy <= ceiling, energy, axis)
    if best is None:
        return None
    low, high = 0.0, ceiling
    while high - low > LEVELS_EV:
        middle = 0.5 * (low + high)
        floor = _percolating_floor(energy <= middle, energy, axis)
        if floor is None:
            low = middle
        else:
            high, best = middle, floor
    return high - best


def _percolating_floor(open_: np.ndarray, energy: np.ndarray, axis: int) -> float | None:
    """Return the lowest energy on a cluster that winds around the cell along an axis, or None."""
    labels, n_labels = label(open_)
    winding = _winding_labels(labels, n_labels, axis)
    if not winding:
        return None
    inside = np.isin(labels, list(winding))
    return float(energy[inside].min())


def _winding_labels(labels: np.ndarray, n_labels: int, axis: int) -> set[int]:
    """Return the labels of all clusters that connect to their own image along an axis.

    Clusters that touch opposite faces are joined. Each label gets the cell it lies in,
    counted along the axis from the first of its cluster; a label that is reached in two
    different cells closes a path around the cell.
    """
    links: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for face in range(3):
        last, first = np.take(labels, -1, axis=face), np.take(labels, 0, axis=face)
        both = (last > 0) & (first > 0)
        shift = int(face == axis)
        pairs = np.unique(last[both].astype(np.int64) * (n_labels + 1) + first[both])
        for a, b in zip(*(part.tolist() for part in divmod(pairs, n_labels + 1)), strict=True):
            links[a].add((b, shift))
            links[b].add((a, -shift))
    place: dict[int, int] = {}
    winding: set[int] = set()
    for seed in links:
        if seed in place:
            continue
        place[seed], members, winds = 0, [seed], False
        for here in members:  # grows while it is walked
            for there, shift in links[here]:
                if there not in place:
                    place[there] = place[here] + shift
                    members.append(there)
                elif place[there] != place[here] + shift:
                    winds = True
        if winds:
            winding.update(members)
    return winding
