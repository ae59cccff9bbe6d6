from dataclasses import replace

import pytest
from jobflow import Flow, JobStore, job
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from vitrion.comparison.document import ComparisonDoc
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.database.client import VitrionClient
from vitrion.errors import InputError, SimulationError
from vitrion.flows.ion_conductor import IonConductorMaker, given_crystal
from vitrion.relaxation.makers import RelaxMaker
from vitrion.runtime.runner import run_flow
from vitrion.store.job_store import SQLiteJobStore

SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


@job
def make_salt():
    return SALT


@pytest.fixture
def maker():
    """Return the whole chain at toy size: it shows that all parts fit, not that LiF conducts."""
    made = IonConductorMaker.from_preset(
        "quick",
        n_replicas=1,
        potential="vitrion-lipof-pbe",
        seed=3,
        glass={
            "n_atoms": 48,
            "melt_ps": 0.1,
            "quench_rate_K_per_ps": 20000,
            "equilibrate_ps": 0.1,
            "relax_fmax_eV_per_A": 0.1,
        },
        search={"candidates": {"random": 2}, "hosts": 0, "formula_units": (2,)},
        defects={"max_sites": 1, "fmax_eV_per_A": 0.4, "kinds": ("interstitial", "vacancy", "far")},
        conductivity={
            "temperatures_K": (1500,),
            "density_ps": 0.0,
            "equilibration_ps": 0.1,
            "first_ps": 1.0,
        },
        crystal_barriers=None,
        reference_potential=None,
        supercell_side_A=5.5,
        search_jobs=1,
    )
    return made.update_kwargs({"workers": 1}, class_filter=ConductivityMaker)


def names(flow):
    return [job.name for job, _ in flow.iterflow()]


def test_a_structure_in_place_of_a_composition_is_the_crystal():
    maker = IonConductorMaker(glass_maker=None)
    flow = maker.make(SALT)
    assert flow.output.keys() == maker.make("LiF", crystal=SALT).output.keys()
    assert flow.jobs[0].name == "relax crystal"
    assert flow.jobs[0].function_args[0] == SALT


def test_from_a_formula_to_crystal_and_glass_side_by_side(maker, tmp_path):
    flow = maker.make("LiF")
    store = SQLiteJobStore(str(tmp_path / "store"))
    store.connect()
    report = run_flow(flow, store, tmp_path / "run")
    assert report.errors == {}
    document = ComparisonDoc.model_validate(
        store.query_one({"output.property_name": "comparison"}, load=True)["output"]
    )
    store.close()
    assert document.formula_pretty == "LiF"
    assert [ratio.temperature_K for ratio in document.ratios] == [300, 1500]
    assert [ratio.extrapolated for ratio in document.ratios] == [True, False]
    assert {claim.quantity for claim in document.claims} >= {
        "landscape_gap_eV",
        "landscape_overlap",
    }
    # One glass has no error, so nothing can be decided.
    assert {claim.verdict for claim in document.claims if claim.error is None} == {"undecided"}
    with VitrionClient(tmp_path / "store") as client:
        assert len(list(client.comparison.raw())) == 1
        phases = {found["phase"] for found in client["site_energy_landscape"].raw()}
        assert phases == {"crystalline", "amorphous"}
        assert {found["phase"] for found in client.summary.raw()} == {"crystalline", "amorphous"}


def test_every_part_can_be_left_out_or_replaced(maker):
    whole = names(maker.make("LiPO2F2"))
    assert {"best crystal", "supercell", "crystal defects", "compare phases"} <= set(whole)
    assert len(set(whole)) == len(whole)
    glass = IonConductorMaker.from_preset("quick", phase="amorphous", landscape=False)
    assert names(glass.make("LiPO2F2"))[-1] == "conductivity"
    crystal = IonConductorMaker.from_preset("quick", phase="crystalline")
    assert "melt 1" not in names(crystal.make("LiPO2F2"))
    assert "compare phases" not in names(crystal.make("LiPO2F2"))


def test_a_known_crystal_is_relaxed_instead_of_searched(maker):
    flow = maker.make("LiF", SALT)
    assert "relax crystal" in names(flow)
    assert "best crystal" not in names(flow)
    with pytest.raises(InputError, match="is LiF, not Li2O"):
        maker.make("Li2O", SALT)


def test_crystal_and_glass_are_relaxed_to_the_same_pressure():
    maker = IonConductorMaker.from_preset("quick", n_replicas=2, pressure_GPa=2.0)
    jobs = [job.maker for job, _ in maker.make("LiF", SALT).iterflow()]
    relaxations = [one for one in jobs if isinstance(one, RelaxMaker) and one.settings.relax_cell]
    assert [one.name for one in relaxations] == ["relax crystal", "relax 1", "relax 2"]
    assert {one.settings.pressure_GPa for one in relaxations} == {2.0}
    for measured in (maker.crystal_maker, maker.glass_maker):
        assert measured.conductivity_maker.settings.pressure_GPa == 2.0
    with pytest.raises(InputError, match="zero pressure only: give the crystal"):
        maker.make("LiF")


def test_a_given_crystal_that_does_not_relax_is_refused():
    maker = IonConductorMaker.from_preset("quick").relax_maker
    few = maker.settings.model_copy(update={"max_steps": 1})
    swollen = SALT.copy().scale_lattice(1.3 * SALT.volume)
    with pytest.raises(SimulationError, match=r"LiF did not relax: .* after 1 steps"):
        replace(maker, settings=few).run(swollen)
    assert maker.run(swollen).converged


def test_a_crystal_of_another_job_is_checked_when_it_is_there(maker):
    before = make_salt()
    flow = Flow([before, maker.make("LiF", before.output)])
    parents = {job.name: parents for job, parents in flow.iterflow()}
    assert parents["given crystal"] == [before.uuid]
    assert "relax crystal" in parents
    assert "best crystal" not in parents
    assert given_crystal.original(SALT, "LiF") is SALT
    with pytest.raises(InputError, match="is LiF, not Li2O"):
        given_crystal.original(SALT, "Li2O")


def test_nothing_to_do_and_nothing_that_moves_are_refused(maker):
    maker.crystal_maker = maker.glass_maker = None
    with pytest.raises(InputError, match="Neither crystal_maker nor glass_maker"):
        maker.make("LiF")
    with pytest.raises(InputError, match="mobile"):
        maker.make("P2O5")
    with pytest.raises(InputError, match="phase is 'plasma', but must be 'both'"):
        IonConductorMaker.from_preset("quick", phase="plasma")


def test_an_anion_moves_where_it_is_named():
    options = {"potential": "chgnet", "phase": "crystalline"}
    named = IonConductorMaker.from_preset("quick", mobile="O", **options)
    assert "crystal conductivity" in names(named.make("La2O3"))
    with pytest.raises(InputError, match="name the mobile species"):
        IonConductorMaker.from_preset("quick", **options).make("La2O3")


def test_survives_serialization_and_the_way_to_fireworks(maker):
    flow = maker.make("LiPO2F2")
    again = MontyDecoder().process_decoded(flow.as_dict())
    assert isinstance(again, Flow)
    workflow = flow_to_workflow(again, store=JobStore(MemoryStore()))
    assert {fw.name for fw in workflow.fws} >= {"crystal conductivity", "glass join landscape"}
    assert MontyDecoder().process_decoded(maker.as_dict()).as_dict() == maker.as_dict()
