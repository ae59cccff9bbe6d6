"""Test for long-range order: the isometry that best maps a cell onto itself, and Bragg peaks.

In a crystal, a translation, rotation, reflection or inversion other than the lattice of the
simulation cell maps the structure onto itself. In a glass, none does. The test searches for the
best isometry other than the identity and measures the fraction of the structure that it maps onto
itself. For translations this is the height of the largest peak of the Patterson function
(Patterson, Phys. Rev. 46, 372 (1934)). Rotations also detect crystals whose cell contains a single
primitive cell.

A crystal of molecular ions whose orientations are disordered passes this test, because no isometry
maps its ligands onto each other. Its Bragg peaks give it away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from vitrion.chemistry.elements import bonds_covalently
from vitrion.chemistry.geometry import site_symbols
from vitrion.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Lattice, Structure

WIDTH_A = 0.5
"""Gaussian width of a match: above thermal displacements, below interatomic distances."""

AMORPHOUS_BELOW = 0.5
"""Overlap below which a cell is amorphous. Measured on 68 ordered Li-ion conductors of the OBELiX
set, as supercells of their primitive cells with 50 to 160 atoms: no false "amorphous" without
displacements or with Gaussian displacements of 0.15 or 0.25 A on every coordinate (lowest overlaps
1.00, 0.75 and 0.52), and none in 17 frames of Li10GeP2S12 with diffusing Li at 600 K by ab initio
dynamics (50 atoms; lowest 0.67). Packed cells of 14 compositions at the density of the crystal: no
false "crystalline" in 87 cells of 60 atoms or more (highest overlap 0.46), 1 in 39 of 48 to 60."""

ORDERED_ABOVE = 0.5
"""Bragg intensity above which a cell is not amorphous. Measured on glasses of 66 to 76 atoms of
LiF-Li3PO4-LiPO3: 0.18 to 0.40, on 45 packed cells of 15 compositions of 56 to 66 atoms: 0.13 to
0.29, on crystals of 27 to 144 atoms with displacements of 0.15 A: 0.43 to 0.97. Two quenched cells
of LiF-Li3PO4 exceed it, 0.66 (framework and Li at rest at 690 K) and 0.52."""

SURE_VERDICT_ATOMS = 48
"""Smaller glasses can look crystalline: 13 % of packed cells of 32 atoms did, 43 % of 24."""

LEAST_FRAMEWORK = 12
"""With fewer non-metal atoms, the test includes the metals: few points look ordered by chance.
Packed cells of 60 to 64 atoms of Cu and P were classified as crystalline by their P alone in 5 of
5 cases with 4 P and in 2 of 5 with 6, by all of their atoms in none (highest overlap 0.34)."""

METRIC_TOLERANCE = 0.08
"""Largest relative change of the cell metric under a candidate rotation."""

PIVOTS, SCORED = 2, 16
"""Atoms of the rarest element that generate the candidate isometries, and that rank them."""

CANDIDATES = 256
"""Number of isometries, ranked by the rarest element alone, that are tested on all atoms. That
element may occupy a lattice of higher symmetry than the crystal, which yields false candidates."""

REACH_A = 4 * WIDTH_A
"""Distance from which a point has no weight in the ranking of candidates."""

K_MAX_PER_A = 5.0
"""Largest wave vector of the Bragg peaks in 1/A."""

PHASES_AT_ONCE = 10**7
"""Limit of the memory for Bragg peaks, which would grow with the square of the number of atoms."""

REFINED = 12
SMALLEST_TRANSLATION_A = 1.5


@dataclass(frozen=True)
class LongRangeOrder:
    """Overlap of a structure with its image under the best isometry other than the identity.

    Attributes
    ----------
    overlap : float
        Mean over atoms of ``exp(-d^2 / 2 w^2)``, with d the distance from an atom's image to the
        nearest atom of its kind and w = 0.5 A: 1 for a perfect crystal.
    rotation : ndarray of int, shape (3, 3)
        Linear part in fractional coordinates of the LLL-reduced cell.
    translation_A : ndarray, shape (3,)
        In A.
    bragg : float
        Highest Bragg peak of all atoms, see :func:`bragg_intensity`.
    """

    overlap: float
    rotation: NDArray[np.int_]
    translation_A: NDArray[np.float64]
    bragg: float

    @property
    def is_amorphous(self) -> bool:
        """Whether neither the overlap nor the Bragg peaks are those of a crystal."""
        return self.overlap < AMORPHOUS_BELOW and self.bragg < ORDERED_ABOVE


def long_range_order(
    structure: Structure, *, mobile: tuple[str, ...] | None = None
) -> LongRangeOrder:
    """Find the isometry that best maps the framework of a structure onto itself.

    Parameters
    ----------
    structure : Structure
    mobile : tuple of str, optional
        Elements to exclude because they may be disordered in a crystal; by default the metals that
        do not form covalent bonds, if at least 12 atoms of other elements remain.

    Returns
    -------
    LongRangeOrder

    Raises
    ------
    InputError
        If fewer than four framework atoms remain.
    """
    kinds, fractional, lattice = _framework(structure, mobile)
    best = (0.0, np.eye(3, dtype=int), np.zeros(3))
    for rotation, start in _candidates(kinds, fractional, lattice):
        overlap, translation = _refine(kinds, fractional, lattice, rotation, start)
        if overlap > best[0] and not _is_trivial(rotation, translation, lattice):
            best = (overlap, rotation, translation)
    overlap, rotation, translation = best
    wrapped = translation - np.round(translation)
    return LongRangeOrder(overlap, rotation, wrapped @ lattice.matrix, bragg_intensity(structure))


def bragg_intensity(structure: Structure) -> float:
    """Return the highest Bragg peak of a structure, as if elements scattered incoherently.

    ``max_k sum_e (N_e / N) |sum_j exp(i k r_j) / N_e|^2`` over the wave vectors of the cell below
    `K_MAX_PER_A`, with j over the N_e atoms of element e: between 0 and 1, near 1 for a simple
    crystal, of the order of 10/N for a glass. Peaks of several elements cannot cancel.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    float
    """
    lattice = structure.lattice
    symbols = np.array(site_symbols(structure))
    reciprocal = lattice.reciprocal_lattice.matrix
    limits = np.floor(K_MAX_PER_A * np.array(lattice.abc) / (2 * np.pi)).astype(int)
    indices = np.array(list(product(*(range(-n, n + 1) for n in limits))))
    lengths = np.linalg.norm(indices @ reciprocal, axis=1)
    indices = indices[(lengths > 0) & (lengths < K_MAX_PER_A)]
    indices = indices[len(indices) // 2 :]  # of k and -k, which have the same intensity
    kinds = [symbols == symbol for symbol in set(symbols.tolist())]
    highest = 0.0
    for part in np.array_split(indices, 1 + indices.size * len(structure) // PHASES_AT_ONCE):
        phases = np.exp(2j * np.pi * (part @ structure.frac_coords.T))
        peaks = sum(kind.mean() * np.abs(phases[:, kind].mean(axis=1)) ** 2 for kind in kinds)
        highest = float(np.max(peaks, initial=highest))
    return highest


def _framework(
    structure: Structure, mobile: tuple[str, ...] | None
) -> tuple[NDArray[np.str_], NDArray[np.float64], Lattice]:
    symbols = np.array(site_symbols(structure))
    if mobile is None:
        covalent = np.array([bonds_covalently(s) for s in symbols.tolist()])
        keep = covalent if covalent.sum() >= LEAST_FRAMEWORK else np.full(len(symbols), True)
    else:
        keep = ~np.isin(symbols, mobile)
    if keep.sum() < 4:
        raise InputError("The test for long-range order needs at least four framework atoms.")
    lattice = structure.lattice.get_lll_reduced_lattice()
    fractional = lattice.get_fractional_coords(structure.cart_coords[keep])
    return symbols[keep], fractional, lattice


@lru_cache(maxsize=1)
def _unimodular() -> NDArray[np.int_]:
    """Return all matrices of -1, 0, 1 with determinant +-1, shape (n, 3, 3)."""
    matrices = np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3)
    return matrices[np.abs(np.round(np.linalg.det(matrices))) == 1]


def _point_operations(lattice: Lattice) -> NDArray[np.int_]:
    """Return the linear maps of fractional columns that keep the metric, shape (n, 3, 3)."""
    metric = lattice.matrix @ lattice.matrix.T
    maps = _unimodular()
    changed = np.einsum("nji,jk,nkl->nil", maps, metric, maps)
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    return maps[np.abs((changed - metric) / scale).max(axis=(1, 2)) < METRIC_TOLERANCE]


def _is_trivial(
    rotation: NDArray[np.int_], translation: NDArray[np.float64], lattice: Lattice
) -> bool:
    """Whether an isometry is close to the identity."""
    step = (translation - np.round(translation)) @ lattice.matrix
    return bool(
        np.array_equal(rotation, np.eye(3)) and np.linalg.norm(step) < SMALLEST_TRANSLATION_A
    )


def _candidates(
    kinds: NDArray[np.str_], fractional: NDArray[np.float64], lattice: Lattice
) -> list[tuple[NDArray[np.int_], NDArray[np.float64]]]:
    """Return the isometries with the highest overlap of the rarest element."""
    names, counts = np.unique(kinds, return_counts=True)
    rarest = names[np.argmin(counts)]
    rare = fractional[kinds == rarest]
    neighbors = {kind: _Neighbors(fractional[kinds == kind], lattice) for kind in names.tolist()}
    found: list[tuple[float, NDArray[np.int_], NDArray[np.float64]]] = []
    for rotation in _point_operations(lattice):
        turned = rare @ rotation.T
        fresh: dict[bytes, NDArray[np.float64]] = {}
        for translation in (rare[:, None] - turned[None, :PIVOTS]).reshape(-1, 3):
            key = np.round((translation % 1) * np.array(lattice.abc) / WIDTH_A).tobytes()
            if key not in fresh and not _is_trivial(rotation, translation, lattice):
                fresh[key] = translation
        if fresh:
            shifts = np.array(list(fresh.values()))
            overlaps = neighbors[rarest].weights(turned[:SCORED] + shifts[:, None]).mean(axis=1)
            found += [(o, rotation, s) for o, s in zip(overlaps.tolist(), shifts, strict=True)]
    likely = sorted(found, key=lambda item: -item[0])[:CANDIDATES]
    overlaps = np.zeros(len(likely))
    for kind, points in neighbors.items():
        images = [fractional[kinds == kind] @ turn.T + shift for _, turn, shift in likely]
        overlaps += points.weights(np.array(images).reshape(len(likely), -1, 3)).sum(axis=1)
    return [likely[k][1:] for k in np.argsort(overlaps)[::-1][:REFINED]]


class _Neighbors:
    """Points of one element and their periodic images near the cell, in a search tree."""

    def __init__(self, fractional: NDArray[np.float64], lattice: Lattice) -> None:
        self.lattice = lattice
        margins = REACH_A * np.array(lattice.reciprocal_lattice.abc) / (2 * np.pi)
        shifts = product(*(range(-n, n + 1) for n in np.ceil(margins).astype(int)))
        points = (fractional % 1 + np.array(list(shifts))[:, None]).reshape(-1, 3)
        near = np.all((points > -margins) & (points < 1 + margins), axis=1)
        self.tree = cKDTree(points[near] @ lattice.matrix)

    def weights(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Gaussian weights of images, zero if no point is near; any leading shape."""
        positions = (images % 1) @ self.lattice.matrix
        distances, _ = self.tree.query(positions, distance_upper_bound=REACH_A)
        return np.exp(-(distances**2) / (2 * WIDTH_A**2))


def _refine(
    kinds: NDArray[np.str_],
    fractional: NDArray[np.float64],
    lattice: Lattice,
    rotation: NDArray[np.int_],
    translation: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Refine a translation on all atoms; return the overlap and the translation."""
    turned = fractional @ rotation.T
    best = (0.0, translation)
    for _ in range(4):
        weights, steps = _overlap(kinds, turned + translation, fractional, lattice)
        if weights.mean() <= best[0]:
            break
        best = (float(weights.mean()), translation)
        translation = translation + (weights @ steps) / max(weights.sum(), 1e-9)
    return best


def _overlap(
    kinds: NDArray[np.str_],
    images: NDArray[np.float64],
    points: NDArray[np.float64],
    lattice: Lattice,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Match every image to the points of the same element; as :func:`_match`."""
    weights, steps = np.empty(len(kinds)), np.empty((len(kinds), 3))
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        weights[of_kind], steps[of_kind] = _match(images[of_kind], points[of_kind], lattice)
    return weights, steps


def _match(
    images: NDArray[np.float64], points: NDArray[np.float64], lattice: Lattice
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each image its Gaussian weight and the fractional step to the nearest point."""
    steps = points[None] - images[:, None]
    steps -= np.round(steps)
    squares = np.sum((steps @ lattice.matrix) ** 2, axis=-1)
    nearest = squares.argmin(axis=1)
    rows = np.arange(len(images))
    return np.exp(-squares[rows, nearest] / (2 * WIDTH_A**2)), steps[rows, nearest]
