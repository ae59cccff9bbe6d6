"""Barriers of all hops of a host, and percolation of their network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.geometry import indices_of, minimum_image, site_symbols
from vitrion.defects.document import BarrierNetwork, HopRecord, PercolationRecord
from vitrion.defects.energies import defect_energies
from vitrion.defects.energy_distributions import summarize
from vitrion.defects.operations import DefectOperation
from vitrion.errors import InputError
from vitrion.migration.attempt_frequencies import AttemptFrequencies
from vitrion.migration.bands import Band, interpolate
from vitrion.migration.hops import MAX_LENGTH_A, Hop, direct_hops, distinct_hops
from vitrion.migration.network import Bond, easiest_loop, percolation
from vitrion.relaxation.relaxers import describe
from vitrion.runtime.cache import ResultCache, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.defects.document import Mechanism
    from vitrion.defects.energies import Defect, EnergySettings
    from vitrion.defects.host import Host
    from vitrion.defects.sites import Site
    from vitrion.migration.bands import BandRelaxer
    from vitrion.relaxation.relaxers import Relaxer


SAME_PLACE_A = 0.2
MERGED_A, MERGED_EV = 0.5, 0.02
"""Largest distance in A between atoms of two ends of a hop that are the same state."""


@dataclass(frozen=True)
class Carriers:
    """Places of one kind of carrier in the unit cell, with the relaxed defect of each.

    Attributes
    ----------
    mechanism : str
    places : (n, 3) array
        Fractional coordinates in the unit cell.
    energies_eV : (n,) array
        E(defect) - E(host) on each place.
    """

    mechanism: Mechanism
    places: NDArray[np.float64]
    energies_eV: NDArray[np.float64]


def vacancy_carriers(host: Host, defects: Sequence[Defect]) -> Carriers:
    """Return the places of the vacancies: the regular sites.

    Raises
    ------
    InputError
        If the vacancy of some site was not computed.
    """
    cell = host.unit_cell
    places = cell.frac_coords[indices_of(site_symbols(cell), host.mobile)]
    known: list[tuple[NDArray[np.float64], float]] = []
    for defect in defects:
        if defect.record.kind == "vacancy" and defect.record.vacancy is not None:
            place = host.structure.frac_coords[defect.record.vacancy] * np.array(host.repeats)
            known.append((place, defect.record.energy_eV))
    return Carriers("vacancy", places, _spread_by_symmetry(host, places, known))


def interstitial_carriers(sites: Sequence[Site], defects: Sequence[Defect]) -> Carriers:
    """Return the places of the interstitial ions: the sites where an interstitial stayed."""
    places, energies = [], []
    for defect in defects:
        record = defect.record
        if record.kind != "interstitial" or record.site is None or not record.counts:
            continue
        orbit = sites[record.site].orbit
        places.append(orbit)
        energies += [record.energy_eV] * len(orbit)
    if not places:
        raise InputError("No interstitial is stable, so there are no interstitial sites.")
    return Carriers("interstitial", np.vstack(places), np.array(energies))


def barrier_network(
    host: Host,
    carriers: Carriers,
    relax: Relaxer,
    relax_band: BandRelaxer,
    settings: EnergySettings,
    *,
    n_between: int = 5,
    max_length_A: float = MAX_LENGTH_A,
    max_hops: int | None = None,
    temperatures_K: Sequence[float] = (300.0,),
    cache: ResultCache | None = None,
    context: str = "",
    band_context: str = "",
    vibrate: Calculator | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> BarrierNetwork:
    """Compute the barrier of every distinct hop, and the percolation of the network.

    Hops whose band or ends did not converge are excluded from summary and percolation, whose
    barriers are then upper bounds. Hops whose ends relaxed to the same state have no barrier: the
    network includes them, the summary does not. Hops with a shorter image in the host are excluded:
    their band would be that of the image.

    Parameters
    ----------
    host : Host
    carriers : Carriers
        See :func:`vacancy_carriers` and :func:`interstitial_carriers`.
    relax, settings
        For the ends of the hops, as in :func:`vitrion.defects.energies.defect_energies`.
    relax_band : BandRelaxer
    n_between : int
        Images between the ends.
    max_length_A : float
        Longest hop.
    max_hops : int, optional
        Number of shortest hops to compute; the others count as closed, so percolation barriers are
        upper bounds.
    temperatures_K : sequence of float
        For the Boltzmann energies of the barriers.
    cache, context
        As in :func:`vitrion.defects.energies.defect_energies`; each band is kept when it is done.
    band_context : str
        Part of the cache keys: the settings of ``relax_band``.
    vibrate : Calculator, optional
        Calculator of the harmonic attempt frequencies; None skips them.
    on_progress : callable, optional
        Called with the number of finished bands and the total number.

    Returns
    -------
    BarrierNetwork
    """
    cache = ResultCache(None) if cache is None else cache
    matrix = host.unit_cell.lattice.matrix
    hops = direct_hops(carriers.places, matrix, max_length_A=max_length_A)
    distinct = distinct_hops(hops, carriers.places, host.group, matrix)
    groups = [g for g in distinct if _is_shortest(host, carriers, hops[g[0]])][:max_hops]
    records, bonds = [], []
    names = (context, band_context)
    frequencies = None if vibrate is None else AttemptFrequencies(vibrate)
    for done, group in enumerate(groups):
        if on_progress:
            on_progress(done, len(groups))
        hop = hops[group[0]]
        band = _band(
            host, carriers, hop, relax, relax_band, settings, n_between, cache, names, frequencies
        )
        record = _record(hop, band, host.energy_eV, [hops[k] for k in group])
        records.append(record)
        for k in group if record.converged else ():
            other = hops[k]
            bonds.append(Bond(other.start, other.end, other.image, record.saddle_energy_eV))
    if on_progress:
        on_progress(len(groups), len(groups))
    network = _network(carriers, records, bonds, temperatures_K)
    return network.model_copy(update={"n_skipped": len(distinct) - len(groups)})


def _is_shortest(host: Host, carriers: Carriers, hop: Hop) -> bool:
    """Whether no image of a hop in the host is shorter."""
    start = host.to_supercell(carriers.places[hop.start])
    end = host.to_supercell(carriers.places[hop.end] + np.array(hop.image))
    shortest = minimum_image(start[None], end[None], host.structure.lattice.matrix)
    return hop.length_A < float(np.linalg.norm(shortest)) + 0.01


def _band(
    host: Host,
    carriers: Carriers,
    hop: Hop,
    relax: Relaxer,
    relax_band: BandRelaxer,
    settings: EnergySettings,
    n_between: int,
    cache: ResultCache,
    names: tuple[str, str],
    frequencies: AttemptFrequencies | None,
) -> dict:
    start = host.to_supercell(carriers.places[hop.start])
    end = host.to_supercell(carriers.places[hop.end] + np.array(hop.image))
    ends = [_operation(host, carriers.mechanism, place) for place in (start, end)]
    places = [[list(e.remove), list(e.add)] for e in ends]
    how = [host.mobile, n_between, settings.rattle_A, settings.seed]
    how += ["beside ridges", frequencies is not None]
    key = fingerprint(["band", *names, *describe(host.structure), *how, places])
    if key not in cache:
        defects = defect_energies(host, ends, relax, settings, cache=cache, context=names[0])
        first, last = (defect.structure for defect in defects)
        if carriers.mechanism == "vacancy":
            last = _same_order(host, ends[0].remove[0], ends[1].remove[0], last)
        # An interstitial may displace its neighbor; the end of a vacancy hop is unique.
        mobile = host.mobile if carriers.mechanism == "interstitial" else None
        images = interpolate(first, last, n_between, mobile=mobile)
        energies = [host.energy_eV + defect.record.energy_eV for defect in defects]
        merged = _one_state(images[0], images[-1], energies)
        band = Band(tuple(energies), converged=True) if merged else relax_band(images)
        converged = band.converged and all(defect.record.converged for defect in defects)
        vibrations: dict[str, Any] = {}
        if frequencies is not None and converged and not merged:
            vibrations = frequencies.of_hop((hop.start, hop.end), images[0], images[-1], band)
        result = {
            "energies_eV": list(band.energies_eV),
            "converged": converged,
            "merged": merged,
            **vibrations,
        }
        cache.write({key: result})
    return cache[key]


def _one_state(first: Structure, last: Structure, energies_eV: Sequence[float]) -> bool:
    """Whether the ends of a band, its atoms in the same order and cell, are one state."""
    moves = (last.frac_coords - first.frac_coords) @ first.lattice.matrix
    near = np.linalg.norm(moves, axis=1).max() < MERGED_A
    return bool(near and abs(energies_eV[1] - energies_eV[0]) < MERGED_EV)


def _operation(host: Host, mechanism: Mechanism, place: NDArray[np.float64]) -> DefectOperation:
    if mechanism == "vacancy":
        ion, _ = host.nearest_ion(place)
        return DefectOperation("vacancy", f"vacancy at ion {ion}", remove=(ion,))
    x, y, z = (float(value) for value in place % 1.0)
    return DefectOperation(
        "interstitial", f"interstitial at {x:.4f} {y:.4f} {z:.4f}", add=((x, y, z),)
    )


def _same_order(host: Host, empty_first: int, empty_last: int, last: Structure) -> Structure:
    """Order the atoms of the end of a vacancy's hop as in its start.

    At the start the vacancy is at ``empty_first``; the ion that fills it came from ``empty_last``.
    """
    names_first = [k for k in range(len(host.structure)) if k != empty_first]
    names_last = [k for k in range(len(host.structure)) if k != empty_last]
    position = {name: n for n, name in enumerate(names_last)}
    order = [position[empty_first if name == empty_last else name] for name in names_first]
    return last.__class__.from_sites([last[n] for n in order])


def _record(hop: Hop, band: dict, host_energy_eV: float, copies: Sequence[Hop]) -> HopRecord:
    energies = np.array(band["energies_eV"])
    saddle = float(energies.max())
    return HopRecord(
        start=hop.start,
        end=hop.end,
        image=hop.image,
        length_A=hop.length_A,
        multiplicity=len(copies),
        copies=[(copy.start, copy.end, copy.image) for copy in copies],
        saddle_energy_eV=saddle - host_energy_eV,
        forward_barrier_eV=saddle - float(energies[0]),
        backward_barrier_eV=saddle - float(energies[-1]),
        profile_eV=(energies - energies[0]).tolist(),
        converged=band["converged"],
        merged=band["merged"],
        attempt_frequency_Hz=band.get("forward_Hz"),
        backward_attempt_frequency_Hz=band.get("backward_Hz"),
        n_soft_modes=band.get("soft_modes"),
        attempt_frequency_failure=band.get("failure"),
    )


def _network(
    carriers: Carriers,
    records: list[HopRecord],
    bonds: list[Bond],
    temperatures_K: Sequence[float],
) -> BarrierNetwork:
    site_energies = carriers.energies_eV.tolist()
    counted = [r for r in records if r.counts]
    barriers = [b for r in counted for b in (r.forward_barrier_eV, r.backward_barrier_eV)]
    weights = [r.multiplicity for r in counted for _ in range(2)]
    found = [p for d in (1, 2, 3) if (p := percolation(site_energies, bonds, d)) is not None]
    path = easiest_loop(len(site_energies), bonds, found[0].threshold_eV) if found else []
    return BarrierNetwork(
        mechanism=carriers.mechanism,
        site_energies_eV=site_energies,
        site_places=[(float(x), float(y), float(z)) for x, y, z in carriers.places],
        hops=records,
        barriers=summarize(barriers, weights, temperatures_K),
        n_unconverged=sum(not r.converged for r in records),
        n_merged=sum(r.converged and r.merged for r in records),
        percolation=[
            PercolationRecord(
                dimension=p.dimension,
                threshold_eV=p.threshold_eV,
                barrier_eV=p.barrier_eV,
                percentile=p.percentile,
            )
            for p in found
        ],
        path=[(site_energies[site], saddle) for site, saddle in path],
    )


def _spread_by_symmetry(
    host: Host, places: NDArray[np.float64], known: list[tuple[NDArray[np.float64], float]]
) -> NDArray[np.float64]:
    """Assign to each place the energy of its symmetry-equivalent known place."""
    energies = np.full(len(places), np.nan)
    for place, energy in known:
        for image in host.group.images(place):
            gaps = minimum_image(
                np.tile(image, (len(places), 1)), places, host.unit_cell.lattice.matrix
            )
            energies[np.linalg.norm(gaps, axis=1) < SAME_PLACE_A] = energy
    if np.isnan(energies).any():
        raise InputError(
            "The vacancy of at least one site is missing: compute all vacancies before their "
            "barriers."
        )
    return energies
