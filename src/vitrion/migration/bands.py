"""Bands of images between the ends of a hop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from vitrion.chemistry.geometry import indices_of, minimum_image, site_symbols
from vitrion.chemistry.structures import without_site_properties
from vitrion.defects.document import NO_BARRIER_EV
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

CLOSE_CONTACT = 0.85
"""Images with a shortest contact below this fraction of the ends' contact are relaxed by IDPP."""


@dataclass(frozen=True)
class Band:
    """A relaxed band.

    Attributes
    ----------
    energies_eV : tuple of float
        Of all images, both ends among them.
    converged : bool
    saddle : Structure or None
        The highest image; None if the relaxer does not return it.
    n_paths : int
        Number of equivalent paths: 2 if both sides of a ridge have the same saddle point.
    """

    energies_eV: tuple[float, ...]
    converged: bool
    saddle: Structure | None = None
    n_paths: int = 1

    @property
    def height_eV(self) -> float:
        """Energy of the highest image."""
        return max(self.energies_eV)

    @property
    def has_barrier(self) -> bool:
        """Whether the highest image is above both ends."""
        return self.height_eV - max(self.energies_eV[0], self.energies_eV[-1]) > NO_BARRIER_EV


class BandRelaxer(Protocol):
    """Relaxes a band with fixed first and last images (nudged elastic band)."""

    def __call__(self, images: Sequence[Structure]) -> Band:
        """Return the energies of the relaxed images."""


def interpolate(
    start: Structure, end: Structure, n_between: int, *, mobile: str | None = None
) -> list[Structure]:
    """Return the images of a hop by linear interpolation along minimum-image vectors.

    If atoms come too close, the images are relaxed with the image dependent pair potential
    (S. Smidstrup et al., J. Chem. Phys. 140, 214106 (2014)).

    Parameters
    ----------
    start, end : Structure
        The same atoms in the same cell.
    n_between : int
        Images between the two.
    mobile : str, optional
        Ions of this element may be permuted in ``end`` to minimize the sum of squared
        displacements: a chain of short moves instead of one long move.

    Returns
    -------
    list of Structure
        ``n_between + 2`` images; coordinates run on across the faces of the cell.

    Raises
    ------
    InputError
        If the ends do not match, or ``n_between`` is less than 1.
    """
    if n_between < 1:
        raise InputError("A band needs at least one image between its ends.")
    symbols = site_symbols(start)
    same_cell = np.allclose(start.lattice.matrix, end.lattice.matrix, atol=1e-4)
    if symbols != site_symbols(end) or not same_cell:
        raise InputError("The two ends of a hop must hold the same atoms in the same cell.")
    matrix = start.lattice.matrix
    target = end.frac_coords.copy()
    if mobile is not None:
        target = _trade_places(start.frac_coords, target, indices_of(symbols, mobile), matrix)
    path = minimum_image(start.frac_coords, target, matrix) @ np.linalg.inv(matrix)
    images = []
    for share in np.linspace(0.0, 1.0, n_between + 2):
        image = without_site_properties(start)
        for site, first, step in zip(image, start.frac_coords, path, strict=True):
            site.frac_coords = first + share * step
        images.append(image)
    contacts = [_shortest_contact(image) for image in images]
    if min(contacts) < CLOSE_CONTACT * min(contacts[0], contacts[-1]):
        return _spread_out(images)
    return images


def through(images: Sequence[Structure], positions_A: np.ndarray) -> list[Structure]:
    """Return the images of a hop by linear interpolation over given positions halfway.

    Parameters
    ----------
    images : sequence of Structure
        Of another band between the same ends.
    positions_A : (n, 3) array
        Cartesian coordinates of the atoms, in A.
    """
    first, last = images[0], images[-1]
    middle = positions_A @ np.linalg.inv(first.lattice.matrix)
    half = (len(images) - 1) // 2
    shares = [*np.linspace(0.0, 1.0, half + 1), *np.linspace(1.0, 2.0, len(images) - half)[1:]]
    found = []
    for share in shares:
        image = first.copy()
        toward = first.frac_coords if share < 1.0 else last.frac_coords
        for site, near, far in zip(image, middle, toward, strict=True):
            site.frac_coords = near + abs(1.0 - share) * (far - near)
        found.append(image)
    return found


def _trade_places(
    start: np.ndarray, end: np.ndarray, ions: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    n = len(ions)
    first = np.repeat(start[ions], n, axis=0)
    second = np.tile(end[ions], (n, 1))
    gaps = np.linalg.norm(minimum_image(first, second, matrix), axis=1).reshape(n, n)
    _, partner = linear_sum_assignment(gaps**2)
    traded = end.copy()
    traded[ions] = end[ions[partner]]
    return traded


def _shortest_contact(structure: Structure) -> float:
    distances = structure.distance_matrix.copy()
    np.fill_diagonal(distances, np.inf)
    return float(distances.min())


def _spread_out(images: list[Structure]) -> list[Structure]:
    from ase.mep.neb import NEB, idpp_interpolate
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = [AseAtomsAdaptor.get_atoms(image, msonable=False) for image in images]
    idpp_interpolate(NEB(atoms, method="improvedtangent"), traj=None, log=None, mic=True)
    spread = []
    for image, found in zip(images, atoms, strict=True):
        moved = image.copy()
        for site, frac in zip(moved, found.get_scaled_positions(wrap=False), strict=True):
            site.frac_coords = frac
        spread.append(moved)
    return spread
