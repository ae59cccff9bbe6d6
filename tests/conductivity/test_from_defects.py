"""Conductivity from defects against the closed forms of simple crystals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.from_defects import (
    DefectConductivitySettings,
    conductivity_from_defects,
)
from vitrion.conductivity.potential_errors import ASSUMED_BARRIER_EV, ASSUMED_FORMATION_EV
from vitrion.conductivity.routes import add_defect_route
from vitrion.database.summary import SummaryDoc
from vitrion.defects.document import (
    BarrierNetwork,
    CandidateSite,
    DefectDoc,
    DefectRecord,
    HopRecord,
    PercolationRecord,
)
from vitrion.documents.provenance import Provenance
from vitrion.errors import InputError, SimulationError
from vitrion.materials.material import MaterialReport
from vitrion.potentials import get_potential
from vitrion.potentials.student import student_card
from vitrion.transport.constants import KB_EV_PER_K
from vitrion.uncertainty import Estimate

A, PAIR, BARRIER, FREQUENCY = 4.0, 0.8, 0.35, 6e12
CHARGE_C, BOLTZMANN_J = 1.602176634e-19, 1.380649e-23


def network(mechanism: str, barrier: float = BARRIER, **changes) -> BarrierNetwork:
    cells = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    hop = HopRecord(
        start=0,
        end=0,
        image=(1, 0, 0),
        length_A=A,
        multiplicity=3,
        copies=[(0, 0, cell) for cell in cells],
        saddle_energy_eV=barrier,
        forward_barrier_eV=barrier,
        backward_barrier_eV=barrier,
        profile_eV=[0.0, barrier, 0.0],
        converged=True,
        attempt_frequency_Hz=FREQUENCY,
        backward_attempt_frequency_Hz=FREQUENCY,
    )
    path = PercolationRecord(dimension=3, threshold_eV=barrier, barrier_eV=barrier, percentile=100)
    fields = {"hops": [hop], "percolation": [path], **changes}
    return BarrierNetwork(
        mechanism=mechanism, site_energies_eV=[0.0], site_places=[(0.0, 0.0, 0.0)], **fields
    )


def defects(*networks: BarrierNetwork) -> DefectDoc:
    """Return the defects of one Li and one void a cubic cell, with one Frenkel energy."""
    cell = Structure(Lattice.cubic(A), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    pair = DefectRecord(
        kind="frenkel",
        label="pair",
        site=0,
        vacancy=0,
        separation="far",
        energy_eV=PAIR,
        converged=True,
        max_force_eV_per_A=0.01,
        n_steps=1,
    )
    void = CandidateSite(frac_coords=(0.5, 0.0, 0.0), radius_A=1.6, source="voronoi")
    return DefectDoc.from_structure(
        cell,
        phase="crystalline",
        mobile_species="Li",
        unit_cell=cell,
        host_energy_eV=0.0,
        host_max_force_eV_per_A=0.01,
        sites=[void],
        records=[pair],
        networks=list(networks),
    )


def nernst_einstein(fraction: float, barrier: float, temperature: float) -> float:
    """Return mS/cm of simple cubic carriers, in SI throughout."""
    rate = FREQUENCY * math.exp(-barrier / (KB_EV_PER_K * temperature))
    diffusivity = rate * (A * 1e-10) ** 2
    density = fraction / (A * 1e-10) ** 3
    return 10.0 * density * CHARGE_C**2 * diffusivity / (BOLTZMANN_J * temperature)


def test_intrinsic_conductivity_has_half_the_pair_energy_and_the_barrier():
    found = conductivity_from_defects(defects(network("vacancy")), 1.0)
    at_500 = next(p for p in found.points if p.temperature_K == 500.0)
    fraction = math.exp(-PAIR / (2 * KB_EV_PER_K * 500.0))
    assert at_500.vacancy_fraction == pytest.approx(fraction, rel=1e-3)
    assert at_500.interstitial_fraction == pytest.approx(at_500.vacancy_fraction)
    assert at_500.conductivity.value == pytest.approx(
        nernst_einstein(fraction, BARRIER, 500.0), rel=1e-3
    )
    assert found.activation_energy.value == pytest.approx(PAIR / 2 + BARRIER, abs=1e-3)
    assert found.frenkel_energy_eV == pytest.approx(PAIR)


@pytest.mark.parametrize("temperature_K", [1.0, 10.0])
def test_concentrations_in_the_cold_are_zero_not_a_fault(temperature_K):
    settings = DefectConductivitySettings(temperatures_K=(temperature_K,))
    (point,) = conductivity_from_defects(defects(network("vacancy")), 1.0, settings).points
    expected = math.exp(-PAIR / (2 * KB_EV_PER_K * temperature_K))
    assert point.vacancy_fraction == pytest.approx(expected, rel=1e-3)
    assert point.conductivity.value == pytest.approx(0.0)


def test_vacancies_of_dopants_take_the_pair_energy_out():
    settings = DefectConductivitySettings(defect_fraction=1e-3)
    found = conductivity_from_defects(defects(network("vacancy")), 1.0, settings)
    assert found.activation_energy.value == pytest.approx(BARRIER, abs=2e-3)
    assert found.sigma_300K.value == pytest.approx(nernst_einstein(1e-3, BARRIER, 300.0), rel=1e-3)
    assert found.activation_energy.error == pytest.approx(ASSUMED_BARRIER_EV, rel=1e-3)


def test_schottky_defects_of_lower_energy_determine_the_vacancies():
    document = defects(network("vacancy"))
    document.schottky_energy_eV = energy = 0.4
    settings = DefectConductivitySettings(formation_error_eV=0.1, barrier_error_eV=0.0)
    found = conductivity_from_defects(document, 1.0, settings)
    at_300 = next(p for p in found.points if p.temperature_K == 300.0)
    fraction = math.exp(-energy / (2 * KB_EV_PER_K * 300.0))
    assert at_300.vacancy_fraction == pytest.approx(fraction, rel=1e-3)
    assert at_300.anion_vacancy_fraction == pytest.approx(fraction, rel=1e-3)
    assert at_300.interstitial_fraction < 1e-2 * fraction
    assert found.activation_energy.value == pytest.approx(energy / 2 + BARRIER, abs=1e-3)
    assert found.activation_energy.error == pytest.approx(0.05, rel=1e-2)
    assert found.schottky_energy_eV == energy


def test_both_carriers_add_and_the_faster_one_is_named():
    slow, fast = network("vacancy"), network("interstitial", barrier=0.2)
    both = conductivity_from_defects(defects(slow, fast), 1.0)
    single = [conductivity_from_defects(defects(one), 1.0) for one in (slow, fast)]
    total = sum(found.sigma_300K.value for found in single)
    assert both.sigma_300K.value == pytest.approx(total)
    assert {point.mechanism for point in both.points} == {"interstitial"}
    assert both.activation_energy.value == pytest.approx(PAIR / 2 + 0.2, abs=2e-3)


def test_interval_is_that_of_the_potentials_energies():
    settings = DefectConductivitySettings(formation_error_eV=0.1, barrier_error_eV=0.05)
    found = conductivity_from_defects(defects(network("vacancy")), 1.0, settings)
    sigma = math.hypot(0.05, 0.05)
    assert found.activation_energy.error == pytest.approx(sigma, rel=1e-3)
    low, high = found.sigma_300K.interval_95
    assert math.log(high / low) == pytest.approx(
        2 * 1.959964 * sigma / (KB_EV_PER_K * 300.0), rel=1e-3
    )


def test_errors_of_the_potential_are_those_of_its_data_card():
    spec = get_potential("vitrion-lipof")
    document = defects(network("vacancy"))
    assert conductivity_from_defects(document, 1.0).error_source == "assumed"
    document.provenance = Provenance(potential=spec)
    on_card = student_card(spec.name)["defect_errors"]
    found = conductivity_from_defects(document, 1.0)
    assert found.error_source == "data card"
    assert found.formation_error_eV == on_card["formation_error_eV"]
    assert found.barrier_error_eV == on_card["barrier_error_eV"]
    given = DefectConductivitySettings(barrier_error_eV=0.2)
    found = conductivity_from_defects(document, 1.0, given)
    assert (found.error_source, found.barrier_error_eV) == ("given", 0.2)
    # Other weights of the same name: their errors are unknown.
    document.provenance = Provenance(potential=spec.model_copy(update={"sha256": "0" * 64}))
    found = conductivity_from_defects(document, 1.0)
    assert (found.error_source, found.formation_error_eV) == ("assumed", ASSUMED_FORMATION_EV)


def test_assumed_frequencies_and_open_hops_are_counted():
    plain = network("vacancy")
    hop = plain.hops[0].model_copy(update={"attempt_frequency_Hz": None})
    found = conductivity_from_defects(
        defects(plain.model_copy(update={"hops": [hop], "n_unconverged": 2, "n_skipped": 3})), 1.0
    )
    assert (found.n_assumed_frequencies, found.n_unconverged_hops) == (1, 2)
    assert found.n_skipped_hops == 3
    ratio = found.sigma_300K.value / nernst_einstein(
        math.exp(-PAIR / (2 * KB_EV_PER_K * 300.0)), BARRIER, 300.0
    )
    assert ratio == pytest.approx(1e13 / FREQUENCY, rel=1e-3)


def test_crystal_without_barriers_or_without_a_path_is_refused():
    with pytest.raises(InputError, match="needs the barriers"):
        conductivity_from_defects(defects(), 1.0)
    with pytest.raises(InputError, match="No path of hops percolates through LiF"):
        conductivity_from_defects(defects(network("vacancy", percolation=[])), 1.0)
    with pytest.raises(InputError, match=r"defect_fraction is 1\.5, but must be 0 to 1"):
        DefectConductivitySettings(defect_fraction=1.5)


def test_charge_enters_squared():
    one, two = (conductivity_from_defects(defects(network("vacancy")), q) for q in (1.0, 2.0))
    assert np.isclose(two.sigma_300K.value, 4 * one.sigma_300K.value)


def by_dynamics(sigma_300K=None, mobile_species=None) -> ConductivityDoc:
    """Return what dynamics gave: a bound, or a value."""
    return ConductivityDoc.from_structure(
        defects().unit_cell,
        phase="crystalline",
        mobile_species={"Li": 1.0} if mobile_species is None else mobile_species,
        temperatures_K=[600.0],
        results=[],
        sigma_300K=sigma_300K,
        sigma_300K_bound=None if sigma_300K else 25.0,
    )


def joined(dynamics: ConductivityDoc, found: DefectDoc) -> ConductivityDoc:
    stored = [document.model_dump(mode="json") for document in (dynamics, found)]
    return ConductivityDoc.model_validate(add_defect_route.original(*stored))


def test_bound_of_the_dynamics_gives_way_to_the_value_from_defects():
    document = joined(by_dynamics(), defects(network("vacancy")))
    assert document.route == "defects"
    assert document.sigma_300K == document.by_defects.sigma_300K
    assert document.sigma_300K_bound is None
    assert document.activation_energy_eV == pytest.approx(PAIR / 2 + BARRIER, abs=1e-3)


@pytest.mark.parametrize("first", [True, False])
def test_summary_and_report_take_the_value_from_defects(first):
    """Both documents had one time, so that a summary showed the bound at random."""
    dynamics = by_dynamics()
    found = joined(dynamics, defects(network("vacancy")))
    assert found.last_updated >= dynamics.last_updated
    old = found.model_copy(update={"last_updated": dynamics.last_updated})  # of earlier versions
    for extended in (found, old):
        documents = sorted((dynamics, extended), key=lambda d: d.route, reverse=first)
        stored = [
            {**document.model_dump(), "document_id": str(k)} for k, document in enumerate(documents)
        ]
        key_fields = {"conductivity": ConductivityDoc.key_fields}
        summary = SummaryDoc.from_documents(stored, key_fields)
        assert summary.values["sigma_300K"] == found.sigma_300K.value
        assert MaterialReport.from_documents(documents).conductivity.route == "defects"


def test_value_of_the_dynamics_stays_and_the_defects_stand_beside_it():
    value = Estimate(value=3.0, relative_error=0.2, degrees_of_freedom=10.0)
    document = joined(by_dynamics(value), defects(network("vacancy")))
    assert document.route == "dynamics"
    assert document.sigma_300K.value == 3.0
    assert document.by_defects.sigma_300K.value > 0


@pytest.mark.parametrize("mobile_species", [{"Li": 1.0, "Mg": 2.0}, {"O": -2.0, "Li": 1.0}, {}])
def test_the_charge_is_that_of_the_ion_of_the_defects(mobile_species):
    found = defects(network("vacancy"))
    document = joined(by_dynamics(mobile_species=mobile_species), found)
    expected = conductivity_from_defects(found, 1.0)
    assert document.sigma_300K.value == pytest.approx(expected.sigma_300K.value)


def test_defects_without_a_path_leave_the_dynamics_and_a_remark():
    document = joined(by_dynamics(), defects(network("vacancy", percolation=[])))
    assert (document.route, document.sigma_300K_bound) == ("dynamics", 25.0)
    assert "No path of hops percolates through LiF" in document.remarks[-1]


def test_failed_defects_leave_the_dynamics_and_a_remark():
    document = add_defect_route.original(by_dynamics().model_dump(mode="json"), None)
    assert (document.route, document.sigma_300K_bound) == ("dynamics", 25.0)
    assert "defects failed" in document.remarks[-1]
    with pytest.raises(SimulationError, match="dynamics of the crystal failed"):
        add_defect_route.original(None, defects(network("vacancy")))


def test_comparison_takes_the_value_from_defects_and_cautions_name_the_route():
    from vitrion.comparison.cautions import cautions_of
    from vitrion.comparison.document import comparable_at_300K
    from vitrion.materials.quantities import activation_energy

    document = joined(by_dynamics(), defects(network("vacancy", n_skipped=2)))
    material = MaterialReport.from_documents([document])
    assert activation_energy(material).value == pytest.approx(PAIR / 2 + BARRIER, abs=1e-3)
    _, first, second = comparable_at_300K(document, document)
    assert first == second == document.sigma_300K
    sentences = [one.text for one in cautions_of([material]) if one.kind == "defect_route"]
    assert "follows from defects" in sentences[0]
    assert "Frenkel energy 0.80 eV" in sentences[0]
    assert "2 distinct hops were not computed." in sentences
