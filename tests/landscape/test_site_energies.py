"""The landscape of hosts whose site energies are known."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.comparison.cautions import cautions_of
from vitrion.defects.document import (
    BarrierNetwork,
    CandidateSite,
    DefectDoc,
    DefectRecord,
    HopRecord,
    PercolationRecord,
    Reservoir,
)
from vitrion.errors import InputError
from vitrion.landscape.command import summary_rows
from vitrion.landscape.site_energies import landscape, site_energies
from vitrion.materials.material import MaterialReport


def document(occupied, empty, pairs, *, noise=0.0, phase="amorphous", mu=-1.0, formula="Li", k=0):
    """Return the document of a host with given site energies and the pairs that were computed."""
    rng = np.random.default_rng(k)
    records = [
        DefectRecord(
            kind="frenkel",
            label=f"{i}-{s}",
            vacancy=i,
            site=s,
            separation="far",
            energy_eV=empty[s] - occupied[i] + noise * rng.standard_normal(),
            converged=True,
            max_force_eV_per_A=0,
            n_steps=1,
        )
        for i, s in pairs
    ]
    for s, energy in enumerate(empty):
        records.append(
            DefectRecord(
                kind="interstitial",
                label=f"insert {s}",
                site=s,
                energy_eV=energy,
                annealing_energy_eV=-0.1,
                charge_transferred=1,
                converged=True,
                max_force_eV_per_A=0,
                n_steps=1,
            )
        )
    for i, energy in enumerate(occupied):
        records.append(
            DefectRecord(
                kind="vacancy",
                label=f"remove {i}",
                vacancy=i,
                energy_eV=-energy,
                charge_transferred=-1,
                converged=True,
                max_force_eV_per_A=0,
                n_steps=1,
            )
        )
    structure = Structure(Lattice.cubic(9), [formula, "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return DefectDoc.from_structure(
        structure,
        phase=phase,
        mobile_species=formula,
        host_energy_eV=0,
        host_max_force_eV_per_A=0,
        sites=[
            CandidateSite(frac_coords=(0, 0, s / 99), radius_A=1, source="voronoi")
            for s in range(len(empty))
        ],
        records=records,
        reservoir=Reservoir(species=formula, chemical_potential_eV=mu, source="given"),
    )


OCCUPIED = np.array([-3.0, -2.6, -2.2])
EMPTY = np.array([-1.5, -1.0, -2.4, 0.3])
STAR = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0)]


def test_site_energies_come_back_from_the_pairs():
    found = site_energies(document(OCCUPIED, EMPTY, STAR))
    top = OCCUPIED.max()
    assert list(found.occupied.values()) == pytest.approx(OCCUPIED - top)
    assert list(found.empty.values()) == pytest.approx(EMPTY - top)
    assert found.residual_eV is None


def test_what_the_sum_of_site_energies_leaves_is_the_interaction():
    rng = np.random.default_rng(4)
    occupied, empty = rng.normal(-3, 0.3, 30), rng.normal(-1, 0.3, 40)
    pairs = [(i, s) for i in range(30) for s in range(40)]
    found = site_energies(document(occupied, empty, pairs, noise=0.05))
    assert found.residual_eV == pytest.approx(0.05, rel=0.1)
    assert list(found.empty.values()) == pytest.approx(empty - occupied.max(), abs=0.06)


def test_pairs_that_hang_together_with_no_other_are_left_out():
    found = site_energies(document(OCCUPIED, EMPTY, [(0, 0), (0, 1), (1, 0), (2, 3)]))
    assert set(found.occupied) == {0, 1}
    assert set(found.empty) == {0, 1}


def test_a_recombined_pair_does_not_count():
    doc = document(OCCUPIED, EMPTY, STAR)
    doc.records[2].recombined = True
    assert set(site_energies(doc).empty) == {0, 1, 3}


@pytest.mark.parametrize("with_vacancies", [True, False])
def test_ions_count_with_their_multiplicity(with_vacancies):
    doc = document(OCCUPIED, EMPTY, STAR, phase="crystalline")
    for site in doc.sites:
        site.multiplicity = 8
    factor = {"frenkel": 32, "interstitial": 8, "vacancy": 4}
    for record in doc.records:
        record.weight = factor[record.kind]
    doc.records = [r for r in doc.records if with_vacancies or r.kind != "vacancy"]
    found = site_energies(doc)
    assert found.occupied_weights == {0: 4.0, 1: 4.0, 2: 4.0}
    assert set(found.empty_weights.values()) == {8.0}


def test_figures_of_one_host():
    doc = landscape([document(OCCUPIED, EMPTY, STAR)])
    assert doc.landscape_gap_eV.mean == pytest.approx(EMPTY.min() - OCCUPIED.max())
    assert doc.landscape_gap_eV.error is None
    assert doc.landscape_median_gap_eV.mean == pytest.approx(np.median(EMPTY) - np.median(OCCUPIED))
    # Of 12 pairs of an empty and an occupied site one is upside down: -2.4 below -2.2.
    assert doc.landscape_overlap.mean == pytest.approx(1 / 12)
    # At 0 V, above a host that gained 0.1 eV by annealing.
    assert doc.lowest_interstitial_energy_eV.mean == pytest.approx(-2.4 + 0.1 + 1.0)
    assert doc.removal_spread_eV.mean == pytest.approx(OCCUPIED.std())
    copy = type(doc).model_validate_json(doc.model_dump_json())
    assert copy.landscape_gap_eV == doc.landscape_gap_eV


def test_an_interstitial_ion_of_equal_sites_costs_half_a_frenkel_pair():
    """As many empty as occupied sites: the chemical potential of the ion is in the middle."""
    doc = landscape([document(np.full(3, -2.0), np.full(3, -0.6), [*STAR[:3], (1, 0), (2, 0)])])
    assert doc.ionic_interstitial_energy_eV.mean == pytest.approx(0.7, abs=1e-6)


def test_replicas_give_the_error():
    docs = [document(OCCUPIED, EMPTY + shift, STAR) for shift in (0.0, 0.1, 0.2)]
    for doc, barrier in zip(docs, (0.4, 0.5, 0.6), strict=True):
        doc.networks = [
            BarrierNetwork(
                mechanism="vacancy",
                site_energies_eV=[0.0],
                hops=[],
                percolation=[
                    PercolationRecord(
                        dimension=1, threshold_eV=1, barrier_eV=barrier, percentile=30
                    )
                ],
            )
        ]
    docs[0].networks[0].n_skipped = 2
    joined = landscape(docs)
    found = cautions_of([MaterialReport.from_documents([*docs, joined])])
    (caution,) = [c for c in found if c.kind == "partial_landscape"]
    assert "computed without 2 distinct hops: not converged, or left out" in caution.text
    assert joined.n_replicas == 3
    assert joined.landscape_gap_eV.mean == pytest.approx(EMPTY.min() - OCCUPIED.max() + 0.1)
    assert joined.landscape_gap_eV.error == pytest.approx(0.1 / np.sqrt(3))
    assert joined.percolating_barrier_eV.values == [0.4, 0.5, 0.6]
    assert len(joined.networks) == 3


@pytest.mark.parametrize(("n_unconverged", "n_skipped"), [(0, 0), (1, 0), (0, 2)])
def test_a_barrier_without_all_hops_is_shown_as_an_upper_bound(n_unconverged, n_skipped):
    doc = document(OCCUPIED, EMPTY, STAR)
    hops = [
        HopRecord(
            start=0,
            end=0,
            image=image,
            length_A=4.0,
            saddle_energy_eV=0.5,
            forward_barrier_eV=0.5,
            backward_barrier_eV=0.5,
            profile_eV=[0.0, 0.5, 0.0],
            converged=k >= n_unconverged,
        )
        for k, image in enumerate([(1, 0, 0), (0, 1, 0), (0, 0, 1)])
    ]
    found = PercolationRecord(dimension=1, threshold_eV=0.5, barrier_eV=0.5, percentile=100)
    network = BarrierNetwork(
        mechanism="vacancy",
        site_energies_eV=[0.0],
        hops=hops,
        n_unconverged=n_unconverged,
        n_skipped=n_skipped,
        percolation=[found],
    )
    doc.networks = [network]
    rows = dict(summary_rows(doc))
    shown, lost = "vacancy barrier, 1-dimensional", "vacancy hops left out, not converged"
    assert rows[shown] == ("at most 0.50 eV" if n_unconverged or n_skipped else "0.50 eV")
    assert rows.get("vacancy hops not computed") == ("2 of 5 distinct" if n_skipped else None)
    assert rows.get(lost) == ("1 of 3 distinct" if n_unconverged else None)


def test_a_replica_without_far_pairs_does_not_cost_the_others_their_landscape():
    docs = [document(OCCUPIED, EMPTY, pairs) for pairs in (STAR, [], STAR)]
    joined = landscape(docs)
    assert joined.n_replicas == 3
    assert len(joined.landscape_gap_eV.values) == len(joined.occupied_energies_eV) == 2
    assert len(joined.lowest_interstitial_energy_eV.values) == 3
    found = cautions_of([MaterialReport.from_documents([*docs, joined])])
    (caution,) = [c for c in found if c.kind == "partial_landscape"]
    assert caution.text.startswith("Site energies are of 2 of 3 replicas")


def test_different_materials_are_not_joined():
    with pytest.raises(InputError, match="not replicas"):
        landscape([document(OCCUPIED, EMPTY, STAR), document(OCCUPIED, EMPTY, STAR, formula="Na")])
    with pytest.raises(InputError, match="at least one host"):
        landscape([])
    with pytest.raises(InputError, match="far apart"):
        landscape([document(OCCUPIED, EMPTY, [])])
