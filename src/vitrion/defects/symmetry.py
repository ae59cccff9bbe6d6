"""Symmetry-equivalent sites of a crystal, and hops between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import minimum_image, wrap

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SYMPREC_A = 0.01


@dataclass(frozen=True)
class SpaceGroup:
    """Symmetry operations of a cell, acting on fractional coordinates.

    Attributes
    ----------
    rotations : (m, 3, 3) array
    translations : (m, 3) array
    """

    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]

    @classmethod
    def of(cls, structure: Structure, symprec_A: float = SYMPREC_A) -> SpaceGroup:
        """Find the operations with spglib; only the identity if spglib fails."""
        import spglib

        numbers = [site.specie.Z for site in structure]
        cell = (structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), numbers)
        found = spglib.get_symmetry(cell, symprec=symprec_A)
        if found is None:
            return cls(np.eye(3)[None], np.zeros((1, 3)))
        return cls(found["rotations"].astype(float), found["translations"])

    @property
    def is_trivial(self) -> bool:
        """Whether the identity is the only operation."""
        return len(self.rotations) == 1

    def images(self, frac: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the images of one point, (m, 3), in [0, 1)."""
        return wrap(self.rotations @ frac + self.translations)

    def images_of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the images of several points, (m, n, 3)."""
        return points @ self.rotations.transpose(0, 2, 1) + self.translations[:, None]


def orbit(
    point: NDArray[np.float64],
    group: SpaceGroup,
    matrix: NDArray[np.float64],
    tolerance_A: float = 0.2,
) -> NDArray[np.float64]:
    """Return the distinct images of a point in the cell, (k, 3); k is its multiplicity.

    A point within ``tolerance_A`` of its own image is moved onto the symmetry element between
    them, so that the orbit is exact.
    """
    images = group.images(point)
    near = np.linalg.norm(minimum_image(np.tile(point, (len(images), 1)), images, matrix), axis=1)
    own = images[near < tolerance_A]
    shifts = own - point
    center = wrap(point + (shifts - np.round(shifts)).mean(axis=0))
    images = group.images(center)
    distinct: list[NDArray[np.float64]] = []
    for image in images:
        if distinct:
            others = np.array(distinct)
            gaps = minimum_image(np.tile(image, (len(others), 1)), others, matrix)
            if np.min(np.linalg.norm(gaps, axis=1)) < tolerance_A:
                continue
        distinct.append(image)
    return np.array(distinct)


def site_orbits(
    points: NDArray[np.float64],
    group: SpaceGroup,
    matrix: NDArray[np.float64],
    tolerance_A: float = 0.2,
) -> list[NDArray[np.float64]]:
    """Group points into orbits, in the order in which their first member appears.

    Returns
    -------
    list of (k, 3) arrays
        All images of each distinct point; the first is the point itself, symmetrized.
    """
    orbits: list[NDArray[np.float64]] = []
    for point in points:
        if orbits:
            known = np.vstack(orbits)
            gaps = minimum_image(np.tile(point, (len(known), 1)), known, matrix)
            if np.min(np.linalg.norm(gaps, axis=1)) < tolerance_A:
                continue
        orbits.append(orbit(point, group, matrix, tolerance_A))
    return orbits


def hop_orbits(
    sites: NDArray[np.float64],
    hops: list[tuple[int, int, tuple[int, int, int]]],
    group: SpaceGroup,
    matrix: NDArray[np.float64],
    tolerance_A: float = 0.2,
) -> list[list[int]]:
    """Group symmetry-equivalent hops, forward or backward.

    Parameters
    ----------
    sites : (n, 3) array
        Fractional coordinates of all sites of the cell, whole orbits.
    hops : list of (i, j, image)
        From site i to the image of site j.
    group : SpaceGroup
    matrix : (3, 3) array
        Lattice vectors as rows, A.
    tolerance_A : float
        Maximum distance in A between the image of a site and a site.

    Returns
    -------
    list of list of int
        Indices into ``hops``; the first of each group is its representative.
    """
    number = {_canonical(*hop): k for k, hop in enumerate(hops)}
    label = np.arange(len(hops))

    def root(k: int) -> int:
        while label[k] != k:
            k = label[k]
        return k

    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        moved = sites @ rotation.T + translation
        target, lattice = _match(moved, sites, matrix, tolerance_A)
        if target is None:
            continue
        for k, (i, j, image) in enumerate(hops):
            shift = np.round(rotation @ np.array(image)).astype(int) + lattice[j] - lattice[i]
            other = number.get(_canonical(target[i], target[j], tuple(shift.tolist())))
            if other is not None:
                first, second = sorted((root(k), root(other)))
                label[second] = first
    groups: dict[int, list[int]] = {}
    for k in range(len(hops)):
        groups.setdefault(root(k), []).append(k)
    return list(groups.values())


def _canonical(i: int, j: int, image: tuple[int, int, int]) -> tuple[int, ...]:
    """Return the same key for a hop and its reverse."""
    forward = (int(i), int(j), *map(int, image))
    backward = (int(j), int(i), *(-int(x) for x in image))
    return min(forward, backward)


def _match(
    moved: NDArray[np.float64],
    sites: NDArray[np.float64],
    matrix: NDArray[np.float64],
    tolerance_A: float,
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Return which site each moved site falls on and the lattice vector between them."""
    target = np.empty(len(moved), dtype=int)
    lattice = np.zeros((len(moved), 3), dtype=int)
    for k, point in enumerate(moved):
        delta = minimum_image(sites, np.tile(point, (len(sites), 1)), matrix)
        distances = np.linalg.norm(delta, axis=1)
        target[k] = np.argmin(distances)
        if distances[target[k]] > tolerance_A:
            return None, lattice
        lattice[k] = np.round(point - sites[target[k]] - delta[target[k]] @ np.linalg.inv(matrix))
    return target, lattice
