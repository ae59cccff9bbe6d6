"""Site-energy landscape: energies of occupied and empty sites from moves of one ion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.defects.statistics import ion_potential, overlap_probability
from vitrion.documents.provenance import Provenance
from vitrion.errors import InputError
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.transport.constants import ROOM_K
from vitrion.uncertainty import ReplicaMean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.defects.document import DefectDoc, DefectRecord, PercolationRecord
    from vitrion.landscape.document import DensityBarrier


@dataclass(frozen=True)
class SiteEnergies:
    """Energies of the sites of one host; zero is the highest occupied site.

    Attributes
    ----------
    occupied, empty : dict of int to float
        Site of the host, and index of the candidate site, to its energy in eV.
    occupied_weights, empty_weights : dict of int to float
        Multiplicities.
    residual_eV : float or None
        Root mean square of what an additive model leaves of the pair energies; None if there are
        as many energies as pairs.
    """

    occupied: dict[int, float]
    empty: dict[int, float]
    occupied_weights: dict[int, float]
    empty_weights: dict[int, float]
    residual_eV: float | None


def site_energies(document: DefectDoc) -> SiteEnergies:
    """Split the energies of far pairs into energies of sites.

    ``E(ion from i to s) = e(s) - e(i)`` is solved by least squares over all far pairs that count in
    averages. Pairs that are not connected to the largest set of pairs are excluded.

    Raises
    ------
    InputError
        If there are no far pairs.
    """
    pairs = _far_pairs(document)
    if not pairs:
        raise InputError(
            "A landscape needs pairs far apart that stayed: compute defects of the kind 'far'."
        )
    ions = sorted({r.vacancy for r in pairs if r.vacancy is not None})
    sites = sorted({r.site for r in pairs if r.site is not None})
    rows = np.array([[ions.index(r.vacancy), sites.index(r.site)] for r in pairs])  # type: ignore[arg-type]
    energies = np.array([r.energy_eV for r in pairs])
    kept = _largest_component(rows, len(ions), len(sites))
    rows, energies = rows[kept], energies[kept]
    design = np.zeros((len(rows), len(ions) + len(sites)))
    design[np.arange(len(rows)), rows[:, 0]] = -1.0
    design[np.arange(len(rows)), len(ions) + rows[:, 1]] = 1.0
    solution, *_ = np.linalg.lstsq(design, energies, rcond=None)
    used_ions, used_sites = np.unique(rows[:, 0]), np.unique(rows[:, 1])
    top = solution[used_ions].max()
    free = len(rows) - (len(used_ions) + len(used_sites) - 1)
    error = energies - design @ solution
    return SiteEnergies(
        occupied={ions[k]: float(solution[k] - top) for k in used_ions},
        empty={sites[k]: float(solution[len(ions) + k] - top) for k in used_sites},
        occupied_weights=_ion_weights(document, pairs, [ions[k] for k in used_ions]),
        empty_weights={sites[k]: float(document.sites[sites[k]].multiplicity) for k in used_sites},
        residual_eV=float(np.sqrt((error**2).sum() / free)) if free else None,
    )


def landscape(
    documents: Sequence[DefectDoc],
    *,
    density_barrier: DensityBarrier | None = None,
    material_id: str | None = None,
) -> SiteEnergyLandscapeDoc:
    """Join the defects of one crystal, or of the replicas of one glass, into its landscape.

    Each quantity is of the replicas that have it: site energies, for example, need far pairs.

    Parameters
    ----------
    documents : sequence of DefectDoc
        One for each replica, all of one material and mobile species.
    density_barrier : DensityBarrier, optional
        From dynamics: :func:`vitrion.landscape.ion_density.density_barrier`.
    material_id : str, optional

    Returns
    -------
    SiteEnergyLandscapeDoc

    Raises
    ------
    InputError
        If there is no document, they are of different materials, or none has far pairs.
    """
    _check_replicas(documents)
    first = documents[0]
    with_pairs = [document for document in documents if _far_pairs(document)]
    found = [site_energies(document) for document in with_pairs or documents]
    occupied = [_expand(s.occupied, s.occupied_weights) for s in found]
    empty = [_expand(s.empty, s.empty_weights) for s in found]
    residuals = [s.residual_eV for s in found if s.residual_eV is not None]
    removal = [_removal(document) for document in documents]
    both = list(zip(occupied, empty, strict=True))
    networks = [network for document in documents for network in document.networks]
    percolating = [_easiest(document) for document in documents]
    conducting = [p for p in percolating if p is not None]
    interstitial = [e for d in documents if len(e := _interstitial(d))]
    assert first.structure is not None
    return SiteEnergyLandscapeDoc.from_structure(
        first.structure,
        material_id=material_id or first.material_id,
        phase=first.phase,
        mobile_species=first.mobile_species,
        n_replicas=len(documents),
        occupied_energies_eV=[o.tolist() for o in occupied],
        empty_energies_eV=[e.tolist() for e in empty],
        additivity_error_eV=float(np.sqrt(np.mean(np.square(residuals)))) if residuals else None,
        landscape_gap_eV=ReplicaMean.of([float(e.min() - o.max()) for o, e in both]),
        landscape_median_gap_eV=ReplicaMean.of(
            [float(np.median(e) - np.median(o)) for o, e in both]
        ),
        landscape_overlap=ReplicaMean.of([overlap_probability(o, e) for o, e in both]),
        lowest_interstitial_energy_eV=_optional([float(e.min()) for e in interstitial]),
        median_interstitial_energy_eV=_optional([float(np.median(e)) for e in interstitial]),
        ionic_interstitial_energy_eV=ReplicaMean.of([_ionic(o, e) for o, e in both]),
        removal_energies_eV=[r.tolist() for r in removal],
        removal_spread_eV=_optional([float(r.std()) for r in removal if len(r)]),
        density_barrier=density_barrier,
        networks=networks,
        percolating_barrier_eV=_optional([p.barrier_eV for p in conducting]),
        percolating_percentile=_optional([p.percentile for p in conducting]),
        provenance=_provenance(documents),
    )


def _far_pairs(document: DefectDoc) -> list[DefectRecord]:
    """Return the far pairs that averages include."""
    return [
        r
        for r in document.of_kind("frenkel")
        if r.separation == "far" and r.site is not None and r.vacancy is not None
    ]


def _check_replicas(documents: Sequence[DefectDoc]) -> None:
    """Check that documents are of one material in one phase, and of one mobile species."""
    if not documents:
        raise InputError("A landscape needs the defects of at least one host.")
    first = documents[0]
    for document in documents:
        if (document.formula_pretty, document.mobile_species, document.phase) != (
            first.formula_pretty,
            first.mobile_species,
            first.phase,
        ):
            raise InputError(
                f"{document.formula_pretty} ({document.phase}) and {first.formula_pretty} "
                f"({first.phase}) are not replicas of one material."
            )


def _optional(values: Sequence[float]) -> ReplicaMean | None:
    return ReplicaMean.of(values) if values else None


def _expand(energies: dict[int, float], weights: dict[int, float]) -> NDArray[np.float64]:
    """Repeat each energy by its multiplicity."""
    counts = [round(weights[key]) for key in energies]
    return np.repeat(list(energies.values()), counts)


def _removal(document: DefectDoc) -> NDArray[np.float64]:
    records = document.of_kind("vacancy")
    return np.repeat([r.energy_eV for r in records], [round(r.weight) for r in records])


def _interstitial(document: DefectDoc) -> NDArray[np.float64]:
    """Return interstitial energies at 0 V above the annealed host; none without a reservoir."""
    if document.reservoir is None:
        return np.empty(0)
    mu = document.reservoir.chemical_potential_eV
    records = document.of_kind("interstitial")
    energies = [r.interstitial_energy_eV - mu for r in records]
    return np.repeat(energies, [round(r.weight) for r in records])


def _ionic(occupied: NDArray[np.float64], empty: NDArray[np.float64]) -> float:
    """Return the lowest empty site above the chemical potential of the ion at 300 K, eV."""
    return float(empty.min() - ion_potential(occupied, empty, ROOM_K))


def _easiest(document: DefectDoc) -> PercolationRecord | None:
    """Return the percolation in one direction of the mechanism with the lowest barrier."""
    found = [network.percolation[0] for network in document.networks if network.percolation]
    return min(found, key=lambda p: p.barrier_eV, default=None)


def _ion_weights(
    document: DefectDoc, pairs: Sequence[DefectRecord], ions: list[int]
) -> dict[int, float]:
    """Return the multiplicities of ions; a pair has the product of its ion's and its site's."""
    known = {
        r.vacancy: r.weight / document.sites[r.site].multiplicity
        for r in pairs
        if r.site is not None
    }
    return {ion: known[ion] for ion in ions}


def _largest_component(rows: NDArray[np.int64], n_ions: int, n_sites: int) -> NDArray[np.bool_]:
    """Return the mask of the pairs in the largest connected set."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = n_ions + n_sites
    graph = coo_matrix((np.ones(len(rows)), (rows[:, 0], n_ions + rows[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    return label[rows[:, 0]] == np.bincount(label[rows[:, 0]]).argmax()


def _provenance(documents: Sequence[DefectDoc]) -> Provenance:
    uuids = [uuid for document in documents for uuid in document.provenance.job_uuids]
    return Provenance.derived(documents[0].provenance, uuids)
