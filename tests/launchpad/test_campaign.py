"""Flows run on FireWorks by several workers, are built into documents and found again."""

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from helpers.campaign import Campaign
from helpers.fireworks_jobs import chain_flow, copper_run, fail
from vitrion.database.builders import build
from vitrion.database.client import VitrionClient
from vitrion.dynamics.trajectory import Trajectory
from vitrion.errors import InputError, StoreError
from vitrion.launchpad.placement import place
from vitrion.launchpad.repair import repair
from vitrion.launchpad.status import failures, status
from vitrion.launchpad.submission import Submission, open_launchpad, submit
from vitrion.settings import Route

CHAINS = {3: "LiF short", 5: "LiF long"}
ROUTES = [
    Route(jobs="copper", category="gpu", queue={"ntasks": 4}, priority=5),
    Route(jobs="copper MD", priority=7),
]


@pytest.fixture(scope="module")
def campaign(mongo_uri, tmp_path_factory):
    """Flows that two workers at once have run to the end, one of them for the GPU's category."""
    campaign = Campaign(tmp_path_factory.mktemp("campaign"), mongo_uri, "vitrion_test_campaign")
    runs = campaign.folder / "runs"
    copper = copper_run(duration_ps=0.3)
    place(copper, root_dir=runs, walltime_s=0.01)  # one checkpoint a job
    submissions = [
        *(Submission(chain_flow(n), name, label=f"chain-{n}") for n, name in CHAINS.items()),
        Submission(copper, "Cu"),
        Submission(fail(), "broken"),
    ]
    first = submit(submissions, campaign.launchpad, routes=ROUTES, priority=1)
    again = submit(submissions, campaign.launchpad, routes=ROUTES, priority=1)
    before = status(campaign.launchpad)
    worker = campaign.worker()
    campaign.work("gpu_fworker.yaml")
    assert worker.wait(900) == 0, campaign.log()[-3000:]
    campaign.notes = {"first": first, "again": again, "before": before, "copper": copper}
    yield campaign
    campaign.launchpad.connection.drop_database("vitrion_test_campaign")


def test_flows_are_handed_in_once(campaign):
    first, again = campaign.notes["first"], campaign.notes["again"]
    assert first.submitted == again.skipped
    assert first.submitted[:2] == ["chain-3", "chain-5"]
    assert again.submitted == first.skipped == []
    rows = {row.material: row for row in campaign.notes["before"]}
    assert rows["LiF long"].jobs == rows["LiF long"].waiting == 3
    assert not rows["LiF long"].done


def test_status_is_reported_by_material(campaign):
    rows = {row.material: row for row in status(campaign.launchpad)}
    assert set(rows) == {"LiF short", "LiF long", "Cu", "broken"}
    assert rows["LiF short"].completed == rows["LiF short"].jobs == 5
    assert rows["LiF long"].completed == 7, "jobs that flows added are counted"
    assert rows["LiF long"].done
    assert (rows["broken"].failed, rows["broken"].done) == (1, False)
    (row,) = status(campaign.launchpad, "Cu")
    assert row.done
    (failure,) = failures(campaign.launchpad)
    assert (failure.material, failure.job) == ("broken", "fail")
    assert "this job never works" in failure.error
    assert failures(campaign.launchpad, "broken") == [failure]
    assert failures(campaign.launchpad, "LiF") == []
    for name, found in (("LiF", ["LiF long", "LiF short"]), ("LiF l", []), ("Li", []), ("C", [])):
        assert [row.material for row in status(campaign.launchpad, name)] == found


def test_jobs_follow_their_routes_also_those_made_later(campaign):
    copper = list(campaign.launchpad.fireworks.find({"name": "copper MD"}))
    assert len(copper) > 1, "the walltime made the run continue itself"
    for fw in copper:
        assert fw["spec"]["_category"] == "gpu"
        assert fw["spec"]["_priority"] == 7
        assert fw["spec"]["_queueadapter"] == {"ntasks": 4}
    grown = list(campaign.launchpad.fireworks.find({"name": "grow"}))
    assert all(fw["spec"]["_priority"] == 1 and "_category" not in fw["spec"] for fw in grown)
    gpu = campaign.launchpad.launches.distinct("fw_id", {"fworker.name": "gpu"})
    assert set(gpu) == {fw["fw_id"] for fw in copper}


def test_each_result_is_there_once(campaign):
    store = campaign.job_store()
    keys = Counter((doc["uuid"], doc["index"]) for doc in store.query({}, ["uuid", "index"]))
    assert max(keys.values()) == 1
    assert store.count({"name": "check", "output.checked": True}) == 2
    store.close()


def test_a_run_continues_across_walltimes_as_if_it_had_never_stopped(campaign, tmp_path):
    store = campaign.job_store()
    uuid = campaign.notes["copper"].uuid
    outputs = store.get_output(uuid, which="all")
    assert [output["complete"] for output in outputs] == [False, False, True]
    assert [output["n_steps"] for output in outputs] == [50, 100, 150]
    path = Path(outputs[-1]["trajectory"]["path"])
    assert path.parent == campaign.folder / "runs" / f"md-{uuid}", "all launches share a folder"
    unbroken = copper_run(tmp_path, duration_ps=0.3).function.__self__
    alone = unbroken.run(*campaign.notes["copper"].function_args)
    with Trajectory(path) as a, Trajectory(alone.trajectory) as b:
        assert a.times_ps(slice(None))[-1] == pytest.approx(0.3)
        assert a.n_frames == b.n_frames == 16
        assert np.array_equal(a.positions(slice(None)), b.positions(slice(None)))
        assert np.array_equal(a.energies(slice(None)), b.energies(slice(None)))
    store.close()


def test_documents_are_built_and_found_on_mongodb(campaign):
    with VitrionClient(campaign.job_store()) as client:
        report = build(client.collections)
        assert report.written["test_chain"] == 2
        assert report.written["molecular_dynamics"] == 1
        assert build(client.collections).written == {}
        found = client.test_chain.search(chemsys="F-Li", links_min=4, sort="-links")
        assert [document.links for document in found] == [5]
        assert len(found[0].series) == 10, "large objects come from GridFS"
        (summary,) = client.summary.search(formula="LiF")
        assert summary.values["links"] in (3.0, 5.0)
        assert client.molecular_dynamics.count(chemsys="Cu") == 1
        indexes = client.collections.store("test_chain")._collection.index_information()
        assert indexes["document_id_1"]["unique"] is True
        assert {"links_1", "chemsys_1", "phase_1"} <= set(indexes)


def test_lpad_reads_the_launchpad(campaign):
    process = campaign.command(
        "lpad", "get_wflows", "-d", "count", stdout=subprocess.PIPE, stderr=None
    )
    assert process.communicate(timeout=300)[0].strip() == "4"


def test_repair_leaves_an_intact_launchpad_alone(campaign):
    report = repair(campaign.launchpad, watch_s=0.2)
    assert not report.changed
    assert len(report.failed) == 1, "an error of the job itself is reported, not retried"


def test_a_launchpad_is_opened_by_its_file(campaign, tmp_path):
    file = campaign.folder / "my_launchpad.yaml"
    assert open_launchpad(file).workflows.count_documents({}) == 4
    with pytest.raises(
        InputError, match="does not exist: write the files by 'vitrion config init'"
    ):
        open_launchpad(tmp_path / "none.yaml")
    dead = tmp_path / "my_launchpad.yaml"
    secret = "mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=300"
    dead.write_text(f"host: {secret}\nuri_mode: true\nname: x\n")
    with pytest.raises(StoreError, match="does not answer") as error:
        open_launchpad(dead)
    assert "secret" not in str(error.value)
