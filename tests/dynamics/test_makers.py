"""The jobs: composition, continuation after a walltime, provenance, FireWorks."""

import json
import os

import numpy as np
import pytest
from fireworks import Workflow
from jobflow import Flow, JobStore, Maker, run_locally
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Structure

from helpers.pair_potentials import argon
from helpers.trajectory_checks import assert_same_frames
from vitrion.dynamics.document import MDDoc, MDSeriesDoc
from vitrion.dynamics.makers import MDMaker, MDSeriesMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.trajectory import Trajectory
from vitrion.errors import InputError
from vitrion.potentials.spec import sha256_of
from vitrion.store.job_store import open_job_store

FORCE_FIELD = {"@module": "ase.calculators.lj", "@callable": "LennardJones"}
PARAMETERS = {"sigma": 3.4, "epsilon": 0.0104, "rc": 5.0, "smooth": True}
SETTINGS = MDSettings(
    temperature_K=40,
    timestep_fs=5,
    duration_ps=0.2,
    save_interval_fs=10,
    checkpoint_interval_steps=20,
)


def maker(cls=MDMaker, **kwargs):
    return cls(
        force_field_name=FORCE_FIELD,
        calculator_kwargs=dict(PARAMETERS),
        **{"settings": SETTINGS, **kwargs},
    )


@pytest.fixture
def crystal():
    return Structure.from_ase_atoms(argon())


def run(flow, folder):
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    return run_locally(
        flow, root_dir=folder, create_folders=True, store=store, ensure_success=True, log=False
    ), store


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"replicas": 0}, "Number of replicas 0 must be at least 1"),
        ({"workers": 0}, "Number of workers 0 must be at least 1"),
        ({"temperatures_K": (40.0, 1e9)}, r"temperature_K 1e\+09 is outside"),
        ({"temperatures_K": (40, 40.0)}, "40K, 40K must differ: set replicas"),
    ],
)
def test_series_that_cannot_run_are_refused_before_their_job(values, reason):
    with pytest.raises(InputError, match=reason):
        maker(MDSeriesMaker, **values)


def test_a_series_of_ramps_is_the_same_after_its_journey_as_json(crystal, tmp_path):
    series = maker(MDSeriesMaker, temperatures_K=((60.0, 20.0),))
    again = json.loads(json.dumps(series, cls=MontyEncoder), cls=MontyDecoder)
    (task,) = again.tasks([crystal], tmp_path)
    assert (task.name, task.settings.temperature_K) == ("s0-60K-20K-r0", (60.0, 20.0))


def test_walltime_makes_the_job_continue_itself(tmp_path, crystal):
    job = maker(walltime_s=0).make(crystal)
    responses, store = run(job, tmp_path / "parts")
    assert sorted(responses[job.uuid]) == [1, 2]
    documents = [responses[job.uuid][index].output for index in (1, 2)]
    assert [document.complete for document in documents] == [False, True]
    assert [document.n_steps for document in documents] == [20, 40]
    assert documents[0].directory == documents[1].directory
    whole = maker().make(crystal)
    document = run(whole, tmp_path / "whole")[0][whole.uuid][1].output
    assert_same_frames(document.trajectory.path, documents[1].trajectory.path)
    stored = MDDoc.model_validate(store.get_output(job.uuid))
    assert stored.complete
    assert stored.structure == document.structure


def test_continuations_keep_the_name_of_the_job(tmp_path, crystal):
    job = maker(walltime_s=0).make(crystal)
    job.append_name("argon ", prepend=True)
    job.append_name(" 2")
    _, store = run(job, tmp_path)
    names = [document["name"] for document in store.query({"uuid": job.uuid}, ["name"])]
    assert names == ["argon molecular dynamics 2"] * 2


def test_a_relative_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="'runs' must be an absolute path"):
        maker(root_dir="runs")
    assert maker(root_dir=tmp_path).root_dir == str(tmp_path)


def test_document_refers_to_files_and_holds_a_subsample(tmp_path, crystal):
    settings = MDSettings(
        **{
            **SETTINGS.model_dump(),
            "duration_ps": 1.25,
            "save_interval_fs": 5,
            "mobile": "Ar",
            "seed": 9,
        }
    )
    job = maker(settings=settings).make(crystal)
    document = run(job, tmp_path)[0][job.uuid][1].output
    assert document.trajectory.sha256 == sha256_of(tmp_path / document.trajectory.path)
    assert document.checkpoint.sha256 == sha256_of(tmp_path / document.checkpoint.path)
    assert document.trajectory.n_frames == 251
    assert len(document.view.times_ps) == 200
    assert document.view.times_ps[-1] == pytest.approx(1.25)
    with Trajectory(document.trajectory.path) as trajectory:
        assert document.view.energy_eV[-1] == trajectory.energies()[-1]
        assert document.mean_temperature_K == pytest.approx(trajectory.temperatures().mean())
    assert abs(document.energy_drift_meV_per_atom_ps) < 0.01
    assert document.provenance.seeds == {"dynamics": 9}
    assert document.provenance.job_uuids == [job.uuid]
    assert document.force_field["name"] == "ase.calculators.lj.LennardJones"
    assert document.mobile_species == "Ar"
    velocities = np.array(document.structure.site_properties["velocities"])
    kelvin = 0.03995 * np.sum((1e5 * velocities) ** 2) / (93 * 8.314462618)
    assert kelvin == pytest.approx(document.view.temperature_K[-1], rel=1e-3), "A/fs"
    assert len(json.dumps(document.model_dump(mode="json"))) < 100_000
    assert MDDoc.model_validate_json(document.model_dump_json()).view == document.view


def test_a_chain_of_jobs_carries_velocities(tmp_path, crystal):
    nve = MDSettings(**{**SETTINGS.model_dump(), "ensemble": "nve"})
    first = maker(settings=nve).make(crystal)
    second = maker(settings=nve).make(first.output.structure, prev_dir=first.output.directory)
    long = maker(settings=MDSettings(**{**nve.model_dump(), "duration_ps": 0.4})).make(crystal)
    responses, _ = run(Flow([first, second, long]), tmp_path)
    end, whole = (responses[job.uuid][1].output.structure for job in (second, long))
    moved = end.frac_coords - whole.frac_coords
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)


def test_walltime_and_carried_velocities_go_together(tmp_path, crystal):
    """The continuation no longer knows the job whose velocities the run began with."""
    first = maker().make(crystal)
    start = run(first, tmp_path / "first")[0][first.uuid][1].output
    bare = start.structure.copy()
    bare.remove_site_property("velocities")
    parts = maker(walltime_s=0).make(bare, prev_dir=start.directory)
    responses, _ = run(parts, tmp_path / "second")
    documents = [responses[parts.uuid][index].output for index in (1, 2)]
    assert documents[0].directory == documents[1].directory
    assert documents[1].n_steps == 40
    at_once = maker().make(start.structure)
    whole = run(at_once, tmp_path / "third")[0][at_once.uuid][1].output
    assert documents[1].energy_eV == pytest.approx(whole.energy_eV, abs=1e-9)


def test_makers_update_and_survive_json(crystal):
    original = maker(walltime_s=60.0)
    copy = MontyDecoder().process_decoded(json.loads(json.dumps(original, cls=MontyEncoder)))
    assert copy == original
    hot = original.update_kwargs({"_set": {"settings->temperature_K": 90}}, dict_mod=True)
    assert hot.settings == MDSettings(**{**SETTINGS.model_dump(), "temperature_K": 90})
    assert original.settings == SETTINGS
    job = original.make(crystal)
    job.update_maker_kwargs({"walltime_s": 5.0})
    assert job.maker.walltime_s == 5.0
    assert isinstance(job.maker, Maker)
    with pytest.raises(InputError, match="temperature_K"):
        original.update_kwargs({"settings": {"temperature_K": -1}})
    with pytest.raises(InputError, match="not both"):
        maker(potential="chgnet")


def test_an_element_unknown_to_the_potential_is_refused(tmp_path, crystal, monkeypatch):
    monkeypatch.chdir(tmp_path)
    crystal.add_oxidation_state_by_element({"Ar": 0})
    MDMaker(potential="chgnet").check(crystal)
    crystal.replace_species({"Ar0+": "Rn"})
    with pytest.raises(InputError, match="does not know Rn"):
        MDMaker(potential="chgnet").run(crystal)
    assert not list(tmp_path.iterdir())


def test_unreachable_previous_directory_is_refused(tmp_path, crystal, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="does not exist on this machine"):
        maker().run(crystal, prev_dir="elsewhere:/no/such/folder")
    assert not list(tmp_path.iterdir())


def test_series_runs_every_temperature_and_replica(tmp_path, crystal):
    crystal.add_site_property("velocities", np.zeros((32, 3)).tolist())
    series = maker(
        MDSeriesMaker, temperatures_K=(20.0, 60.0), replicas=2, workers=2, walltime_s=3600.0
    )
    job = series.make(crystal)
    document = run(job, tmp_path)[0][job.uuid][1].output
    assert isinstance(document, MDSeriesDoc)
    assert sorted(document.runs) == ["s0-20K-r0", "s0-20K-r1", "s0-60K-r0", "s0-60K-r1"]
    assert not document.failures
    assert len({one.seed for one in document.runs.values()}) == 4
    assert document.runs["s0-60K-r0"].view.temperature_K[0] == pytest.approx(60)
    assert len({one.energy_eV for one in document.runs.values()}) == 4


def test_a_batched_series_is_the_series_of_workers(tmp_path, crystal):
    kinds = {"temperatures_K": (20.0, 60.0), "workers": 1, "root_dir": str(tmp_path)}
    documents = []
    for batched in (False, True):
        job = maker(MDSeriesMaker, batched=batched, **kinds).make(crystal)
        documents.append(run(job, tmp_path)[0][job.uuid][1].output)
    alone, together = (document.runs for document in documents)
    assert {k: v.energy_eV for k, v in together.items()} == pytest.approx(
        {k: v.energy_eV for k, v in alone.items()}, rel=1e-9
    )
    assert together["s0-20K-r0"].evaluated_by[0].name == "LennardJones, batched"
    again = MontyDecoder().process_decoded(maker(MDSeriesMaker, batched=True).as_dict())
    assert again.batched is True


def test_series_continues_after_its_walltime(tmp_path, crystal):
    """However short: each part brings the runs that come first to their next checkpoint."""
    job = maker(MDSeriesMaker, temperatures_K=(20.0,), workers=1, walltime_s=0.0).make(crystal)
    responses, _ = run(job, tmp_path)
    parts = [responses[job.uuid][index].output.runs["s0-20K-r0"] for index in (1, 2)]
    assert [part.n_steps for part in parts] == [20, 40]
    assert len({part.directory for part in parts}) == 1


def test_fireworks_round_trip_continues_in_another_launch_directory(tmp_path, crystal, monkeypatch):
    """Each part runs in a launch directory of its own, from its JSON, as rlaunch would do it."""
    store = open_job_store(tmp_path / "store")
    workflow = flow_to_workflow(Flow([maker(walltime_s=0).make(crystal)]), store=store)
    waiting = [workflow.to_format("json")]
    launches = []
    while waiting:
        (firework,) = Workflow.from_format(waiting.pop(0), "json").fws
        folder = tmp_path / f"launch{len(launches)}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        action = firework.tasks[0].run_task(firework.spec)
        launches.append(os.listdir(folder))
        waiting += [detour.to_format("json") for detour in action.detours]
    assert [len(files) for files in launches] == [1, 0], "the second part went on in the first's"
    outputs = sorted(store.query({}), key=lambda document: document["index"])
    assert [document["output"]["complete"] for document in outputs] == [False, True]


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [("chgnet", "is the potential of the run"), ("magic", "no potential")],
)
def test_a_reference_that_is_none_is_refused_at_once(reference, sentence):
    with pytest.raises(InputError, match=sentence):
        MDMaker(potential="chgnet", reference_potential=reference)


def test_a_reference_must_know_the_elements(crystal):
    compared = MDMaker(potential="chgnet", reference_potential="vitrion-lipof")
    salt = Structure.from_spacegroup(
        "Fm-3m", crystal.lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
    )
    with pytest.raises(InputError, match="'vitrion-lipof' does not know Cl, Na"):
        compared.check(salt)
