"""The job that relaxes a structure."""

import pytest
from ase.build import bulk
from atomate2.forcefields.jobs import ForceFieldRelaxMaker
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.errors import InputError, SimulationError
from vitrion.relaxation.document import RelaxationDoc
from vitrion.relaxation.makers import RelaxMaker, make_relaxed, relaxed_structure
from vitrion.relaxation.relax import RelaxSettings

EMT = {"@module": "ase.calculators.emt", "@callable": "EMT"}


@pytest.fixture
def copper():
    return AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True, a=3.7))


@pytest.mark.parametrize("pressure", [0.0, 10.0])
def test_a_stored_document_states_pressure_and_convergence(copper, pressure):
    maker = RelaxMaker(
        force_field_name=EMT,
        settings=RelaxSettings(pressure_GPa=pressure, keep_symmetry=True, fmax_eV_per_A=0.01),
    )
    store = JobStore(MemoryStore())
    relaxation = maker.make(copper)
    run_locally(relaxation, store=store, ensure_success=True, log=False)
    document = RelaxationDoc.model_validate(store.get_output(relaxation.uuid, load=True))
    assert document.converged
    assert document.pressure_GPa == pytest.approx(pressure, abs=0.1)
    assert document.structure.get_space_group_info(symprec=1e-5)[1] == 225
    assert document.energy_eV_per_atom == pytest.approx(document.energy_eV / 4)
    assert document.settings == maker.settings


def test_the_registered_potential_is_loaded_and_its_elements_are_checked(copper):
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.2), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    maker = RelaxMaker(potential="vitrion-lipof", settings=RelaxSettings(fmax_eV_per_A=0.02))
    document = maker.run(salt)
    assert document.converged
    assert document.provenance.potential.name == "vitrion-lipof"
    assert 4.0 < document.structure.lattice.a < 4.15
    with pytest.raises(InputError, match="does not know"):
        maker.run(copper)
    with pytest.raises(InputError, match="not both"):
        RelaxMaker(potential="chgnet", force_field_name=EMT)


def test_a_relaxation_that_must_converge_fails_otherwise(copper):
    few = RelaxSettings(max_steps=1)
    assert RelaxMaker(force_field_name=EMT, settings=few).run(copper).converged is False
    with pytest.raises(SimulationError, match=r"Cu did not relax: forces of .* after 1 steps"):
        RelaxMaker(force_field_name=EMT, settings=few, must_converge=True).run(copper)


@pytest.mark.parametrize(
    ("maker", "n_jobs"),
    [
        (RelaxMaker(force_field_name=EMT, must_converge=True), 1),
        (ForceFieldRelaxMaker(force_field_name=EMT), 2),
    ],
)
def test_the_structure_of_either_maker_is_handed_on(maker, n_jobs, copper, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = []
    structure = make_relaxed(maker, copper, jobs)
    assert len(jobs) == n_jobs
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(Flow(jobs), store=store, ensure_success=True, log=False)
    found = structure.resolve(store)
    found = found if isinstance(found, Structure) else Structure.from_dict(found)
    assert found.lattice.a == pytest.approx(3.59, abs=0.03)


def test_a_structure_of_atomate2_that_did_not_converge_is_refused(copper):
    assert relaxed_structure.original(copper, "successful") is copper
    with pytest.raises(SimulationError, match="relaxation of Cu did not converge"):
        relaxed_structure.original(copper, "failed")


def test_the_maker_survives_serialization():
    maker = RelaxMaker(potential="chgnet", settings=RelaxSettings(pressure_GPa=2.0))
    again = MontyDecoder().decode(MontyEncoder().encode(maker))
    assert again == maker
