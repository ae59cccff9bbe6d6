"""Operations that create defects in a host, and their outcome after relaxation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from vitrion.chemistry.geometry import indices_of, minimum_image, site_symbols, wrap
from vitrion.chemistry.structures import without_site_properties
from vitrion.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.defects.document import DefectKind, Separation

DISPLACED_A = 1.0
"""Displacement in A beyond which an atom has left its site: about half a Li-anion distance."""


@dataclass(frozen=True)
class DefectOperation:
    """Ions to remove from a host and positions of ions to add.

    Attributes
    ----------
    kind : str
        ``interstitial``, ``vacancy``, ``frenkel`` or ``move``.
    label : str
        Unique among the operations of a host.
    remove : tuple of int
        Sites of the host.
    add : tuple of (3,) tuples
        Fractional coordinates in the host's cell.
    weight : float
        Number of symmetry-equivalent defects.
    site : int or None
        Index of the candidate site that is filled.
    separation : str or None
        ``near`` or ``far``, for a pair.
    """

    kind: DefectKind
    label: str
    remove: tuple[int, ...] = ()
    add: tuple[tuple[float, float, float], ...] = ()
    weight: float = 1.0
    site: int | None = None
    separation: Separation | None = None

    @property
    def net(self) -> int:
        """Number of ions taken from the reservoir."""
        return len(self.add) - len(self.remove)


@dataclass(frozen=True)
class DefectOutcome:
    """Displacements of the atoms of a host with a relaxed defect.

    Attributes
    ----------
    displaced_ions, displaced_framework : int
        Numbers of displaced host atoms, mobile and other.
    max_displacement_A : float
        Largest displacement of a host atom.
    interstitials : (k, 3) array
        Fractional coordinates of the mobile ions off the regular sites.
    vacant : tuple of int
        Vacant regular sites of the host.
    recombined : bool
        Whether every ion is on a regular site and every regular site is occupied.
    """

    displaced_ions: int
    displaced_framework: int
    max_displacement_A: float
    interstitials: NDArray[np.float64]
    vacant: tuple[int, ...]
    recombined: bool


def apply(
    operation: DefectOperation, host: Structure, mobile: str, *, rattle_A: float, seed: int
) -> Structure:
    """Apply an operation to the host: remaining atoms in order, then added atoms.

    Parameters
    ----------
    operation : DefectOperation
    host : Structure
    mobile : str
        Mobile element.
    rattle_A : float
        Standard deviation of random displacements in A, which move a defect off a symmetric saddle
        point; 0 disables them.
    seed : int

    Raises
    ------
    InputError
        If a site to remove does not exist or holds another element.
    """
    symbols = site_symbols(host)
    for k in operation.remove:
        if not 0 <= k < len(host) or symbols[k] != mobile:
            raise InputError(f"Site {k} of the host does not contain {mobile}.")
    structure = without_site_properties(host)
    structure.remove_sites(sorted(operation.remove))
    for frac in operation.add:
        structure.append(mobile, frac)
    if rattle_A > 0:
        rng = np.random.default_rng(seed)
        shifts = rng.normal(0.0, rattle_A, (len(structure), 3))
        inverse = np.linalg.inv(structure.lattice.matrix)
        for site, shift in zip(structure, shifts - shifts.mean(axis=0), strict=True):
            site.frac_coords = site.frac_coords + shift @ inverse
    return structure


def outcome(
    operation: DefectOperation, host: Structure, relaxed: Structure, mobile: str
) -> DefectOutcome:
    """Compare a relaxed defect with its host.

    The mean displacement of the framework (the other elements) is removed first. Mobile ions are
    then assigned to regular sites with the least sum of squared distances: an ion that replaced
    another on its site is not a defect.
    """
    matrix = host.lattice.matrix
    symbols = np.array(site_symbols(host))
    kept = np.array([k for k in range(len(host)) if k not in operation.remove], dtype=int)
    start, end = host.frac_coords[kept], relaxed.frac_coords[: len(kept)]
    vectors = minimum_image(start, end, matrix)
    framework = symbols[kept] != mobile
    drift = vectors[framework].mean(axis=0) if framework.any() else np.zeros(3)
    moved = np.linalg.norm(vectors - drift, axis=1)

    regular = indices_of(list(symbols), mobile)
    ions = relaxed.frac_coords[indices_of(site_symbols(relaxed), mobile)]
    ions = ions - drift @ np.linalg.inv(matrix)
    pairs, distances = _assign(host.frac_coords[regular], ions, matrix)
    settled = {
        int(i): int(r) for (r, i), d in zip(pairs, distances, strict=True) if d < DISPLACED_A
    }
    loose = [i for i in range(len(ions)) if i not in settled]
    filled = set(settled.values())
    vacant = tuple(int(regular[r]) for r in range(len(regular)) if r not in filled)
    return DefectOutcome(
        displaced_ions=int((moved[~framework] > DISPLACED_A).sum()),
        displaced_framework=int((moved[framework] > DISPLACED_A).sum()),
        max_displacement_A=float(moved.max(initial=0.0)),
        interstitials=wrap(ions[loose]) if loose else np.empty((0, 3)),
        vacant=vacant,
        recombined=not loose and not vacant,
    )


def undo(host: Structure, relaxed: Structure, mobile: str) -> Structure:
    """Remove the defect from a relaxed structure; atoms in the order of the host.

    Ions off the regular sites are removed and vacant regular sites are filled, so a host whose
    framework did not anneal relaxes back to its initial structure.
    """
    matrix = host.lattice.matrix
    symbols = np.array(site_symbols(host))
    regular = indices_of(list(symbols), mobile)
    ions = relaxed.frac_coords[indices_of(site_symbols(relaxed), mobile)]
    pairs, distances = _assign(host.frac_coords[regular], ions, matrix)
    structure = without_site_properties(host)
    framework = np.flatnonzero(symbols != mobile)
    found = relaxed.frac_coords[np.array(site_symbols(relaxed)) != mobile]
    for k, frac in zip(framework, found, strict=True):
        structure[int(k)].frac_coords = frac
    for (r, i), distance in zip(pairs, distances, strict=True):
        if distance < DISPLACED_A:
            structure[int(regular[r])].frac_coords = ions[i]
    return structure


def _assign(
    sites: NDArray[np.float64], ions: NDArray[np.float64], matrix: NDArray[np.float64]
) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """Match regular sites with ions; return (site, ion) pairs and their distances in A."""
    if not len(sites) or not len(ions):
        return [], np.empty(0)
    first = np.repeat(sites, len(ions), axis=0)
    second = np.tile(ions, (len(sites), 1))
    gaps = np.linalg.norm(minimum_image(first, second, matrix), axis=1)
    gaps = gaps.reshape(len(sites), len(ions))
    # Constant cost beyond the threshold: a far pair must not displace its neighbors.
    cost = np.minimum(gaps, DISPLACED_A) ** 2
    rows, columns = linear_sum_assignment(cost)
    return list(zip(rows.tolist(), columns.tolist(), strict=True)), gaps[rows, columns]
