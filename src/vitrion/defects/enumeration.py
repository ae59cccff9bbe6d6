"""Enumerate the symmetry-distinct defects of a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import indices_of, minimum_image, site_symbols
from vitrion.defects.operations import DefectOperation
from vitrion.defects.symmetry import site_orbits
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.defects.document import Separation
    from vitrion.defects.host import Host
    from vitrion.defects.sites import Site

SHELL_A = 0.1
"""Largest difference of distances in A within one shell."""


@dataclass(frozen=True)
class DistinctIon:
    """A mobile ion of the host with its multiplicity in the unit cell."""

    index: int
    multiplicity: int


def distinct_ions(host: Host) -> list[DistinctIon]:
    """Return one mobile ion for each orbit of the crystal; all of them for a glass."""
    if host.group.is_trivial and host.n_cells == 1:
        return [DistinctIon(int(k), 1) for k in host.ions]
    cell = host.unit_cell
    points = cell.frac_coords[indices_of(site_symbols(cell), host.mobile)]
    orbits = site_orbits(points, host.group, cell.lattice.matrix)
    return [DistinctIon(host.nearest_ion(host.to_supercell(o[0]))[0], len(o)) for o in orbits]


def interstitials(host: Host, sites: Sequence[Site]) -> list[DefectOperation]:
    """Return an interstitial ion in each site."""
    return [
        DefectOperation(
            kind="interstitial",
            label=f"interstitial in site {k}",
            add=(_triple(host.to_supercell(site.frac)),),
            weight=site.multiplicity,
            site=k,
        )
        for k, site in enumerate(sites)
    ]


def vacancies(host: Host) -> list[DefectOperation]:
    """Return the removal of each distinct ion."""
    return [
        DefectOperation(
            kind="vacancy",
            label=f"vacancy at ion {ion.index}",
            remove=(ion.index,),
            weight=ion.multiplicity,
        )
        for ion in distinct_ions(host)
    ]


def near_pairs(
    host: Host, sites: Sequence[Site], active: Sequence[int] | None = None, n_shells: int = 2
) -> list[DefectOperation]:
    """Return pairs of each distinct ion and its nearest active sites (all by default).

    In a crystal these are the ``n_shells`` nearest shells of each kind of site, because a pair in
    the first shell often recombines; in a glass the nearest ``n_shells`` sites of any kind.
    """
    operations = []
    for ion in distinct_ions(host):
        shells: list[tuple[float, int, NDArray[np.float64], int]] = []
        for k in _active(sites, active):
            places, distances = _distances(host, ion.index, sites[k])
            for shell in _shells(distances)[:n_shells]:
                shells.append((float(distances[shell[0]]), k, places[shell[0]], len(shell)))
        shells.sort(key=lambda item: item[0])
        if host.group.is_trivial:
            shells = shells[:n_shells]
        operations += [
            _pair(ion, k, place, distance, ion.multiplicity * count, "near")
            for distance, k, place, count in shells
        ]
    return operations


def far_pairs(
    host: Host, sites: Sequence[Site], active: Sequence[int] | None = None
) -> list[DefectOperation]:
    """Return pairs as far apart as the cell allows, enough to give every site an energy.

    In a crystal every distinct ion moves to the farthest copy of every kind of site. In a glass
    every site is filled from the farther of two reference ions, and every ion moves to the farther
    of two reference sites: one pair per site and per ion, and four more that connect them.
    """
    ions = distinct_ions(host)
    if not host.group.is_trivial:
        pairs = [(ion, k) for ion in ions for k in _active(sites, active)]
    else:
        pairs = _reference_pairs(host, ions, sites, _active(sites, active))
    operations = []
    for ion, k in pairs:
        places, distances = _distances(host, ion.index, sites[k])
        farthest = int(np.argmax(np.round(distances, 3)))
        weight = ion.multiplicity * sites[k].multiplicity
        distance = float(distances[farthest])
        operations.append(_pair(ion, k, places[farthest], distance, weight, "far"))
    return operations


def move(
    host: Host, ion: int, target: Sequence[float], label: str | None = None
) -> DefectOperation:
    """Return the move of any ion of the host to any place, fractional in the host's cell.

    Raises
    ------
    InputError
        If the ion is not a mobile one.
    """
    if ion not in host.ions:
        raise InputError(f"Site {ion} of the host holds no {host.mobile} that could be moved.")
    return DefectOperation(
        kind="move", label=label or f"move of ion {ion}", remove=(ion,), add=(_triple(target),)
    )


def _pair(
    ion: DistinctIon,
    site: int,
    place: NDArray[np.float64],
    distance: float,
    weight: float,
    separation: Separation,
) -> DefectOperation:
    return DefectOperation(
        kind="frenkel",
        label=f"ion {ion.index} into site {site} at {distance:.2f} A",
        remove=(ion.index,),
        add=(_triple(place),),
        weight=weight,
        site=site,
        separation=separation,
    )


def _distances(host: Host, ion: int, site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all copies of a site in the host and their distances in A from an ion."""
    places = np.vstack([host.copies(frac) for frac in site.orbit])
    start = np.tile(host.structure.frac_coords[ion], (len(places), 1))
    vectors = minimum_image(start, places, host.structure.lattice.matrix)
    return places, np.linalg.norm(vectors, axis=1)


def _shells(distances: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Group distances that are equal within SHELL_A, nearest first."""
    order = np.argsort(distances, kind="stable")
    breaks = np.flatnonzero(np.diff(distances[order]) > SHELL_A) + 1
    return np.split(order, breaks)


def _reference_pairs(
    host: Host, ions: Sequence[DistinctIon], sites: Sequence[Site], active: Sequence[int]
) -> list[tuple[DistinctIon, int]]:
    table = np.array(
        [[_distances(host, ion.index, sites[k])[1].max() for k in active] for ion in ions]
    )
    # Two ions that see the sites most differently, and two sites that see the ions so.
    ion_pair = _most_different(table)
    site_pair = _most_different(table.T)
    chosen = [(i, k) for i in ion_pair for k in site_pair]
    chosen += [(max(ion_pair, key=lambda i: table[i, k]), k) for k in range(len(active))]
    chosen += [(i, max(site_pair, key=lambda k: table[i, k])) for i in range(len(ions))]
    return [(ions[i], active[k]) for i, k in dict.fromkeys(chosen)]


def _active(sites: Sequence[Site], active: Sequence[int] | None) -> Sequence[int]:
    return range(len(sites)) if active is None else active


def _most_different(table: NDArray[np.float64]) -> tuple[int, int]:
    """Return the two rows whose column-wise maximum has the largest least value."""
    best, pair = -1.0, (0, 0)
    for i in range(len(table)):
        for j in range(i, len(table)):
            worst = float(np.maximum(table[i], table[j]).min())
            if worst > best:
                best, pair = worst, (i, j)
    return pair


def _triple(frac: Sequence[float] | NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in frac)
    return (x, y, z)
