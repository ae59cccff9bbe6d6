import os
from dataclasses import fields, replace

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT as EMT_CALCULATOR
from atomate2.forcefields.jobs import ForceFieldRelaxMaker
from emmet.core.types.enums import TaskState
from fireworks import Workflow
from jobflow import Flow, Job, JobStore, job, run_locally
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder, jsanitize
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.amorphous.document import AmorphousDoc
from vitrion.amorphous.makers import GlassReplicasMaker, MeltQuenchMaker, characterize_glass
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.amorphous.start_cell import melt_start
from vitrion.documents.provenance import Provenance
from vitrion.dynamics.makers import MDMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.trajectory import Trajectory
from vitrion.errors import InputError
from vitrion.relaxation.makers import RelaxMaker
from vitrion.relaxation.relax import RelaxSettings

EMT = {"@module": "ase.calculators.emt", "@callable": "EMT"}
TOY = MeltQuenchSettings(
    n_atoms=32,
    melt_temperature_K=2400.0,
    melt_ps=0.6,
    quench_rate_K_per_ps=3500.0,
    equilibrate_ps=0.8,
    timestep_fs=4.0,
    seed=5,
)
BRIEF = TOY.model_copy(
    update={"melt_ps": 0.1, "quench_rate_K_per_ps": 21000.0, "equilibrate_ps": 0.1}
)
STAGES = ["pack", "relax contacts", "melt", "quench", "equilibrate", "relax", "characterize"]


def toy_maker(settings=TOY, **kwargs):
    return MeltQuenchMaker(
        settings=settings,
        md_maker=MDMaker(force_field_name=EMT, **kwargs),
        relax_maker=RelaxMaker(force_field_name=EMT, settings=RelaxSettings(max_steps=200)),
    )


def store():
    return JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})


def run(flow, folder, job_store=None):
    here = os.getcwd()
    os.chdir(folder)
    try:
        responses = run_locally(
            flow, store=job_store or store(), create_folders=True, ensure_success=True, log=False
        )
    finally:
        os.chdir(here)
    return responses


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory):
    """A CuAg glass from packed atoms: flow, outputs and store."""
    folder = tmp_path_factory.mktemp("toy")
    flow = toy_maker(root_dir=str(folder / "md")).make("CuAg")
    job_store = store()
    responses = run(flow, folder, job_store)
    outputs = {job.name: max(responses[job.uuid].items())[1].output for job in flow.jobs}
    return flow, outputs, job_store, folder


def test_the_stages_of_a_toy_glass(toy_run):
    flow, outputs, _, _ = toy_run
    assert [job.name for job in flow.jobs] == STAGES
    document = outputs["characterize"]
    assert isinstance(document, AmorphousDoc)
    assert document.composition.reduced_formula == "CuAg"
    assert document.nsites == 32
    assert document.packing.unit == "atoms"
    assert document.melt_temperature_K == 2400
    assert document.quench_rate_K_per_ps == 3500
    assert document.relaxed
    assert document.contact_force_eV_per_A == outputs["relax contacts"].max_force_eV_per_A < 10
    assert document.provenance.seeds == {"glass": 5}
    assert set(document.trajectories) == {"melt", "quench", "equilibrate"}
    assert 7.0 < document.density_relaxed_g_per_cm3 < 10.5
    # the metal packed at random is neither gas nor overlapping once it is relaxed
    nearest = {tuple(p.pair): p.first_peak_A for p in document.pair_distributions}
    assert 2.4 < nearest["Cu", "Ag"] < 3.0


def test_the_quench_follows_its_ramp(toy_run):
    _, outputs, _, _ = toy_run
    melt, quench, rest = (outputs[stage] for stage in ("melt", "quench", "equilibrate"))
    assert melt.ensemble == "nvt"
    assert quench.ensemble == rest.ensemble == "npt"
    assert (quench.start_temperature_K, quench.end_temperature_K) == (2400, 300)
    assert quench.duration_ps == pytest.approx(2100 / 3500)
    temperatures = {}
    for stage, document in (("melt", melt), ("quench", quench), ("equilibrate", rest)):
        with Trajectory(document.trajectory.path) as trajectory:
            temperatures[stage] = trajectory.temperatures()
    # 32 atoms fluctuate by sqrt(2/93) = 15 %
    assert temperatures["melt"][-30:].mean() == pytest.approx(2400, rel=0.35)
    # kinetic and potential energy leave through a thermostat of 0.1 ps, so the temperature lags
    # behind the ramp by twice 0.1 ps times the rate
    assert temperatures["quench"][-10:].mean() < 300 + 1.5 * 700
    # at 3500 K/ps the metal still settles and gives off heat
    assert 200 < temperatures["equilibrate"][-100:].mean() < 600
    seeds = {document.seed for document in (melt, quench, rest)}
    assert len(seeds) == 3


def test_relaxation_lowers_the_energy_below_the_dynamics(toy_run):
    _, outputs, _, _ = toy_run
    dynamic = outputs["equilibrate"].energy_eV / 32
    assert outputs["characterize"].energy_eV_per_atom < dynamic


def test_the_stored_document_can_be_read_again(toy_run):
    flow, outputs, job_store, _ = toy_run
    stored = job_store.get_output(flow.jobs[-1].uuid, load=True)
    again = AmorphousDoc.model_validate(stored)
    assert again.order_overlap == pytest.approx(outputs["characterize"].order_overlap)
    assert again.structure.matches(outputs["characterize"].structure)
    assert "velocities" not in again.structure.site_properties


def test_running_the_jobs_again_repeats_nothing(toy_run, tmp_path):
    flow, outputs, _, _ = toy_run
    before = os.stat(outputs["melt"].trajectory.path).st_mtime_ns
    again = run(flow, tmp_path)
    document = max(again[flow.jobs[-1].uuid].items())[1].output
    assert os.stat(outputs["melt"].trajectory.path).st_mtime_ns == before
    np.testing.assert_allclose(
        document.structure.frac_coords, outputs["characterize"].structure.frac_coords, atol=1e-6
    )


@pytest.fixture(scope="module")
def melted_copper(tmp_path_factory):
    """A crystal of copper, and the document of its glass."""
    copper = AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True))
    flow = toy_maker(BRIEF).make(copper)
    responses = run(flow, tmp_path_factory.mktemp("copper"))
    return copper, responses[flow.jobs[-1].uuid][1].output


def test_a_crystal_can_be_melted(melted_copper):
    _, document = melted_copper
    assert document.packing.unit == "crystal"
    assert document.packing.seed is None
    assert document.melt.neighbor_distance_A == pytest.approx(3.61 / np.sqrt(2), abs=0.02)


@job
def hand_over(structure):
    return structure


def test_a_crystal_that_is_not_there_yet_is_melted_when_it_is(melted_copper, tmp_path):
    copper, same = melted_copper
    found, job_store = hand_over(copper), store()
    later = toy_maker(BRIEF).make(found.output)
    run(Flow([found, later]), tmp_path, job_store)
    document = job_store.get_output(later.jobs[-1].uuid, load=True)
    assert AmorphousDoc.model_validate(document).structure == same.structure


@pytest.mark.parametrize(("partner", "step_fs"), [("H", 0.5), ("F", 2.0)])
def test_hydrogen_in_a_crystal_not_there_yet_asks_for_short_steps(partner, step_fs):
    settings = MeltQuenchSettings(
        n_atoms=72, melt_ps=4.0, quench_rate_K_per_ps=300.0, equilibrate_ps=2.0
    )
    maker = MeltQuenchMaker.from_potential("chgnet", settings)
    salt = AseAtomsAdaptor.get_structure(bulk(f"Li{partner}", "rocksalt", a=4.0, cubic=True))
    found, job_store = hand_over(salt), store()
    glasses = GlassReplicasMaker(melt_quench_maker=maker, n_replicas=2).make(found.output)
    job_store.connect()
    found.run(job_store)
    later = list(glasses.iterflow())[1][0]
    laid = later.run(job_store).replace
    stages = {stage.name: stage.maker for stage in laid if isinstance(stage.maker, MDMaker)}
    assert list(stages) == ["melt 2", "quench 2", "equilibrate 2"]
    for stage in stages.values():
        assert stage.settings.timestep_fs == step_fs
        assert 2.0 <= stage.settings.duration_ps <= 4.0  # as set, whatever the step


def relaxed_pressure_GPa(structure, settings, tmp_path):
    """Run the last relaxation of a glass on a cell, and return the pressure it ends at."""
    maker = toy_maker(settings).make(structure).jobs[STAGES.index("relax")].maker
    responses = run(maker.make(structure), tmp_path)
    ((response,),) = (tuple(found.values()) for found in responses.values())
    atoms = response.output.structure.to_ase_atoms()
    atoms.calc = EMT_CALCULATOR()
    return -atoms.get_stress()[:3].mean() / units.GPa


def test_the_last_relaxation_holds_the_target_pressure(tmp_path):
    copper = AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True))
    settings = MeltQuenchSettings(pressure_GPa=10.0, relax_fmax_eV_per_A=0.005)
    assert relaxed_pressure_GPa(copper, settings, tmp_path) == pytest.approx(10, abs=0.3)


def test_the_relaxed_density_does_not_depend_on_the_patience(tmp_path):
    """The pull on the cell has to vanish too, however many atoms share it."""
    copper = AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True, a=3.68) * (2, 2, 2))
    settings = MeltQuenchSettings(n_atoms=32, relax_fmax_eV_per_A=0.05)
    assert abs(relaxed_pressure_GPa(copper, settings, tmp_path)) < 0.13


def test_a_relaxation_that_ran_out_of_steps_is_said(tmp_path):
    """The forces on the atoms alone do not determine the cell."""
    copper = AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True) * (2, 2, 2))
    maker = RelaxMaker(force_field_name=EMT, settings=RelaxSettings(max_steps=2, pressure_GPa=50.0))
    responses = run(maker.make(copper), tmp_path)
    ((response,),) = (tuple(found.values()) for found in responses.values())
    task = response.output
    assert task.max_force_eV_per_A < maker.settings.fmax_eV_per_A
    assert not task.converged
    assert "were left after 2 steps" in task.reason
    start = melt_start(copper, n_atoms=32)
    document = characterize_glass.original(
        task.structure,
        {item.name: getattr(start, item.name) for item in fields(start)},
        stages={},
        trajectories={},
        dynamics=Provenance(),
        reference_potential=None,
        settings=TOY,
        relaxed=task.converged,
    )
    assert document.relaxed is False
    assert any("did not reach" in remark for remark in document.remarks)


@pytest.mark.parametrize("steps", [2, 200])
def test_a_maker_of_atomate2_can_relax_the_glass(steps, tmp_path):
    """It is used as it is; the document takes its energy and whether it converged."""
    copper = AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True))
    maker = replace(
        toy_maker(BRIEF), relax_maker=ForceFieldRelaxMaker(force_field_name=EMT, steps=steps)
    )
    flow = maker.make(copper)
    assert [job.name for job in flow.jobs] == STAGES
    responses = run(flow, tmp_path)
    task = responses[flow.jobs[STAGES.index("relax")].uuid][1].output
    document = responses[flow.jobs[-1].uuid][1].output
    assert document.energy_eV_per_atom == task.output.energy_per_atom
    assert document.relaxed == (task.state == TaskState.SUCCESS) == (steps == 200)


@pytest.mark.parametrize(
    ("base", "start", "message"),
    [
        (MDSettings(mobile="Li"), "CuAg", "'Li' is not in the structure"),
        (MDSettings(), "CuH", "hydrogen"),
    ],
)
def test_what_the_dynamics_would_refuse_is_refused_before_any_job_is_made(base, start, message):
    settings = TOY.model_copy(update={"n_atoms": 64, "timestep_fs": 2.0})
    dynamics = MDMaker(force_field_name=EMT, settings=base)
    with pytest.raises(InputError, match=message):
        replace(toy_maker(settings), md_maker=dynamics).make(start)


def test_walltime_and_makers_can_be_updated_in_the_flow():
    flow = toy_maker().make("CuAg")
    flow.update_maker_kwargs({"walltime_s": 100.0}, class_filter=MDMaker)
    walltimes = [job.maker.walltime_s for job in flow.jobs if isinstance(job.maker, MDMaker)]
    assert walltimes == [100.0] * 3


def test_a_potential_that_is_changed_in_the_flow_is_the_potential_of_the_document(tmp_path):
    settings = MeltQuenchSettings(
        n_atoms=24,
        melt_ps=0.02,
        quench_rate_K_per_ps=1e5,
        equilibrate_ps=0.02,
        relax_fmax_eV_per_A=9.0,
    )
    flow = MeltQuenchMaker.from_potential("vitrion-lipof", settings).make("LiF")
    flow.update_maker_kwargs({"potential": "vitrion-lipof-pbe"})
    document = run(flow, tmp_path)[flow.jobs[-1].uuid][1].output
    assert document.provenance.potential.name == "vitrion-lipof-pbe"
    assert document.trust.potential == "vitrion-lipof-pbe"


def test_temperatures_that_are_changed_in_the_flow_are_those_of_the_document(tmp_path):
    slower = BRIEF.model_copy(update={"quench_rate_K_per_ps": 5250.0})
    flow = toy_maker(slower).make("CuAg")
    for name, temperature in (("melt", 1800.0), ("quench", [1800.0, 600.0])):
        changes = {"_set": {"settings->temperature_K": temperature}}
        flow.update_maker_kwargs(changes, name_filter=name, dict_mod=True)
    document = run(flow, tmp_path)[flow.jobs[-1].uuid][1].output
    assert document.melt_temperature_K == 1800
    assert document.quench_rate_K_per_ps == 3000
    assert 600 < document.quench_curve.temperature_K[0] < document.quench_curve.temperature_K[-1]
    assert document.quench_curve.temperature_K[-1] < 1800


def test_the_maker_survives_serialization():
    maker = toy_maker()
    again = MontyDecoder().decode(MontyEncoder().encode(maker))
    assert again.settings == maker.settings
    assert again.md_maker.force_field_name == maker.md_maker.force_field_name


def test_flows_become_fireworks_and_come_back():
    flow = GlassReplicasMaker(melt_quench_maker=toy_maker(), n_replicas=2).make("CuAg")
    workflow = flow_to_workflow(flow, store=store())
    assert len(workflow.fws) == 2 * len(STAGES)
    again = Workflow.from_dict(jsanitize(workflow.to_dict(), strict=True, enum_values=True))
    assert sorted(fw.name for fw in again.fws) == sorted(fw.name for fw in workflow.fws)
    (task,) = again.fws[0].tasks
    restored = MontyDecoder().process_decoded(task["job"])
    assert isinstance(restored, Job)


def test_replicas_have_seeds_of_their_own():
    flow = GlassReplicasMaker(melt_quench_maker=toy_maker(), n_replicas=3).make("CuAg")
    assert all(isinstance(replica, Flow) for replica in flow.jobs)
    seeds = [replica.jobs[0].function_args[1].seed for replica in flow.jobs]
    assert len(set(seeds)) == 3
    documents = [replica.jobs[-1].function_kwargs["replica"] for replica in flow.jobs]
    assert documents == [1, 2, 3]
    with pytest.raises(InputError, match="replica"):
        GlassReplicasMaker(melt_quench_maker=toy_maker(), n_replicas=0).make("CuAg")


def test_settings_of_the_md_maker_that_the_protocol_leaves_open_are_kept():
    base = MDSettings(thermostat="nose-hoover", checkpoint_interval_steps=250, barostat=None)
    maker = MeltQuenchMaker(
        settings=TOY,
        md_maker=MDMaker(force_field_name=EMT, settings=base),
        relax_maker=RelaxMaker(force_field_name=EMT),
    )
    melt = maker.make("CuAg").jobs[2].maker.settings
    assert melt.thermostat == "nose-hoover"
    assert melt.checkpoint_interval_steps == 250
    assert melt.temperature_K == 2400


@pytest.mark.parametrize(
    ("start", "changes", "message"),
    [
        ("LiXx", {}, "formula"),
        ("LiPO2F2", {"volume_per_atom_A3": 1.0}, "is outside"),
        ("SiO2", {"unit": "ions"}, "known ions"),
        ("LiPO2F2", {"n_atoms": 6}, "atoms"),
    ],
)
def test_bad_requests_are_refused_before_any_job_is_made(start, changes, message):
    settings = MeltQuenchSettings(**changes)
    with pytest.raises(InputError, match=message):
        toy_maker(settings).make(start)


def test_elements_unknown_to_the_potential_are_refused():
    maker = MeltQuenchMaker.from_potential("chgnet", TOY)
    with pytest.raises(InputError, match="does not know"):
        maker.make("AtF")


@pytest.mark.slow
def test_chgnet_keeps_po2f2_through_melt_and_quench(tmp_path):
    settings = MeltQuenchSettings(
        n_atoms=48, melt_ps=0.4, quench_rate_K_per_ps=3000.0, equilibrate_ps=0.4, seed=1
    )
    flow = MeltQuenchMaker.from_potential("chgnet", settings).make("LiPO2F2")
    responses = run(flow, tmp_path)
    document = responses[flow.jobs[-1].uuid][1].output
    assert isinstance(document.structure, Structure)
    assert document.packing.ions == {"Li": 8, "PO2F2": 8}
    assert document.ions_intact == dict.fromkeys(
        ("melt", "quench", "equilibrate", "relaxation"), 1.0
    )
    assert document.speciation.centers == {"P": {"PO2F2": 8}}
    assert document.speciation.loose == {}
    assert document.is_amorphous
    assert 1.6 < document.density_relaxed_g_per_cm3 < 2.5
    assert document.energy_eV_per_atom == pytest.approx(-6.3, abs=0.15)
    assert document.provenance.potential.name == "chgnet"
