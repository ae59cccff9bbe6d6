import pytest
from jobflow import Flow, JobStore, run_locally
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder

from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.makers import MDMaker
from vitrion.errors import InputError
from vitrion.flows.glass_conductivity import GlassConductivityMaker
from vitrion.store.job_store import SQLiteJobStore


@pytest.fixture
def maker():
    """Return the flow at toy size: 24 atoms, tenths of a picosecond."""
    glass = {
        "n_atoms": 24,
        "melt_ps": 0.1,
        "quench_rate_K_per_ps": 20000,
        "equilibrate_ps": 0.1,
        "relax_fmax_eV_per_A": 1.0,
    }
    return GlassConductivityMaker.from_preset(
        "quick",
        n_replicas=2,
        seed=3,
        glass=glass,
        conductivity={
            "temperatures_K": (900, 1200),
            "density_ps": 0.2,
            "equilibration_ps": 0.1,
            "first_ps": 1.2,
        },
        reference_potential=None,
    ).update_kwargs({"workers": 1}, class_filter=ConductivityMaker)


def test_a_glass_and_its_conductivity_under_run_locally(maker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = maker.make("LiF")
    store = SQLiteJobStore(str(tmp_path / "store"))
    store.connect()
    run_locally(flow, store=store, create_folders=True, raise_immediately=True, log=False)
    document = ConductivityDoc.model_validate(store.get_output(flow.jobs[-1].uuid, load=True))
    assert document.phase == "amorphous"
    assert document.temperatures_K == [900, 1200]
    assert [result.n_replicas for result in document.results] == [2, 2]
    assert document.provenance.potential.name == "vitrion-lipof"
    assert document.provenance.seeds["dynamics"] == 3
    assert document.trust is not None
    assert document.trust.novelty is not None
    for result in document.results:
        assert result.duration_ps == pytest.approx(2.4, rel=0.05)
        if not result.diffusive:
            assert result.diffusivity_bound_cm2_s > 0
    assert len(document.trajectories) == 4


def test_survives_serialization_and_the_way_to_fireworks(maker):
    flow = maker.make("LiF")
    again = MontyDecoder().process_decoded(flow.as_dict())
    assert isinstance(again, Flow)
    assert [job.uuid for job, _ in again.iterflow()] == [job.uuid for job, _ in flow.iterflow()]
    workflow = flow_to_workflow(flow, store=JobStore(MemoryStore()))
    assert len(workflow.fws) == len(list(flow.iterflow()))
    names = {fw.name for fw in workflow.fws}
    assert {"conductivity", "melt 1", "melt 2"} <= names
    assert workflow.to_dict() == type(workflow).from_dict(workflow.to_dict()).to_dict()


def test_powerups_reach_the_makers(maker):
    changed = maker.update_kwargs({"walltime_s": 60.0}, class_filter=type(maker.conductivity_maker))
    assert changed.conductivity_maker.walltime_s == 60.0
    assert maker.conductivity_maker.walltime_s is None


def test_powerups_by_the_name_of_a_stage_do_not_meet_other_makers(maker):
    flow = maker.make("LiF")
    flow.update_maker_kwargs({"walltime_s": 60.0}, name_filter="melt")
    limited = [job.name for job in _jobs(flow) if getattr(job.maker, "walltime_s", None) == 60.0]
    assert limited == ["melt 1", "melt 2"]
    flow.update_maker_kwargs({"walltime_s": 90.0}, class_filter=MDMaker)
    (measured,) = (job for job in _jobs(flow) if job.name == "conductivity")
    further = measured.maker.system_maker.glass_maker.melt_quench_maker
    assert further.md_maker.walltime_s == 90.0


def _jobs(flow):
    return [job for job, _ in flow.iterflow()]


def test_unknown_values_are_refused_before_the_dynamics():
    with pytest.raises(InputError, match="must be one of"):
        ConductivityMaker(phase="plasma")
    with pytest.raises(InputError, match="goal is 'all', but must be '300K' or 'each'"):
        ConductivityMaker(settings={"goal": "all"})
