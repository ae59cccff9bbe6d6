"""Workers that stall, whose clock is off, or who lose their network: all completes after repair."""

import os
import signal
import time

import pytest
from fireworks import FWorker, fw_config
from fireworks.core.rocket_launcher import rapidfire
from pymongo import MongoClient

from helpers.fireworks_jobs import chain_flow, hold
from helpers.forked_workers import ForkedWorkers
from vitrion.launchpad.repair import repair
from vitrion.launchpad.status import status
from vitrion.launchpad.submission import Submission, submit

pytestmark = pytest.mark.usefixtures("mongo_process")
PING_S = 0.3
PATIENCE_S = 300


@pytest.fixture(autouse=True)
def short_pings(monkeypatch):
    monkeypatch.setattr(fw_config, "PING_TIME_SECS", PING_S)


class ReportingWorkers(ForkedWorkers):
    """Workers that report often."""

    def start(self, clock_off_s=0.0):
        return super().start(PING_S, clock_off_s)

    def states(self):
        return [fw["state"] for fw in self.campaign.launchpad.fireworks.find().sort("fw_id")]


@pytest.fixture
def workers(campaign):
    return ReportingWorkers(campaign)


def wait_for(path):
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline, path.name
        time.sleep(0.05)


def submit_hold(campaign):
    """Submit a job that works until it is released, and return its folder."""
    folder = campaign.folder / "held"
    folder.mkdir()
    submit([Submission(hold(str(folder)), "LiF")], campaign.launchpad, store=campaign.job_store())
    return folder


def assert_complete(campaign, folder, most_ends):
    launchpad = campaign.launchpad
    assert [fw["state"] for fw in launchpad.fireworks.find()] == ["COMPLETED"]
    (workflow,) = launchpad.workflows.find()
    assert workflow["state"] == "COMPLETED"
    store = campaign.job_store()
    assert store.count() == 1
    store.close()
    assert 1 <= len((folder / "ends").read_text()) <= most_ends


def test_a_stopped_worker_that_resumes_does_no_harm(campaign, workers, monkeypatch):
    monkeypatch.setattr("vitrion.launchpad.repair.MAX_LAUNCHES", 3)
    folder = submit_hold(campaign)
    stalled = workers.start()
    wait_for(folder / "begun")
    os.killpg(stalled.pid, signal.SIGSTOP)
    try:
        time.sleep(1.0)
        report = repair(campaign.launchpad, lost_after_s=1.0, watch_s=0.1)
        assert report.lost == [1]
        for _ in range(4):  # more often than a lost job may be run
            second = workers.start()
            second.join()
            assert workers.states() == ["FIZZLED"], "the folder is in use"
            report = repair(campaign.launchpad, lost_after_s=1.0, watch_s=0.1)
            assert (report.retried, report.failed) == ([1], [])
    finally:
        (folder / "release").touch()
        os.killpg(stalled.pid, signal.SIGCONT)
    stalled.join()
    workers.start().join()
    assert_complete(campaign, folder, 2)


@pytest.mark.parametrize("clock_off_s", [-1200.0, 1200.0])
def test_a_living_worker_with_a_wrong_clock_is_not_lost(
    campaign, workers, clock_off_s, monkeypatch
):
    folder = submit_hold(campaign)
    worker = workers.start(clock_off_s)
    wait_for(folder / "begun")
    monkeypatch.setattr(fw_config, "PING_TIME_SECS", 10 * PING_S)  # a slow machine reports late
    for _ in range(2):
        assert not repair(campaign.launchpad, lost_after_s=15 * PING_S, watch_s=0.1).changed
    (folder / "release").touch()
    worker.join()
    assert_complete(campaign, folder, 1)


def test_a_worker_cut_off_from_its_network_is_lost_and_found(campaign, workers, mongo_process):
    folder = submit_hold(campaign)
    worker = workers.start()
    wait_for(folder / "begun")
    mongo_process.kill()
    (folder / "release").touch()
    wait_for(folder / "ends")
    time.sleep(1.0)
    mongo_process.start()
    worker.join()
    deadline = time.monotonic() + PATIENCE_S
    while workers.states() != ["COMPLETED"]:
        assert time.monotonic() < deadline, workers.states()
        repair(campaign.launchpad, lost_after_s=1.0, watch_s=0.1)
        workers.start().join()
    assert_complete(campaign, folder, 3)


def finish(campaign, folder):
    for _ in range(10):
        repair(campaign.launchpad, lost_after_s=0, watch_s=0.02)
        os.chdir(folder)
        # Not until completion: a job that was not declared lost runs until the write is released.
        rapidfire(campaign.launchpad, FWorker(), max_loops=2, sleep_time=0.5, strm_lvl="CRITICAL")
        if all(row.done for row in status(campaign.launchpad)):
            return
    raise AssertionError(status(campaign.launchpad))


# Writes: a check-out, the new jobs of a completed one; the others are slow.
MOMENTS = {3, 22, 36}


@pytest.mark.parametrize(
    "moment",
    [pytest.param(n, marks=[] if n in MOMENTS else [pytest.mark.slow]) for n in range(60)],
)
def test_a_worker_that_stalls_in_a_write_while_the_flow_runs_on(
    campaign, workers, mongo_process, monkeypatch, tmp_path, moment
):
    """Its write arrives after other workers have completed the flow."""
    monkeypatch.chdir(tmp_path)
    submit([Submission(chain_flow(3), "LiF")], campaign.launchpad, store=campaign.job_store())
    with MongoClient(mongo_process.uri) as client:
        client.admin.command("testStall", moment)
        stalled = workers.start()
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not client.admin.command("testStalled", 1)["stalled"]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            finish(campaign, tmp_path)
        finally:
            client.admin.command("testStall", -1)
    stalled.join(10)
    finish(campaign, tmp_path)
    stalled.join(10)
    if stalled.is_alive():  # it waits for what is not in the flow
        stalled.kill()
    launchpad = campaign.launchpad
    (workflow,) = launchpad.workflows.find()
    states = {fw["fw_id"]: fw["state"] for fw in launchpad.fireworks.find()}
    assert set(states) >= set(workflow["nodes"]), "no firework of the workflow is missing"
    assert set(states.values()) == set(workflow["fw_states"].values()) == {"COMPLETED"}
    store = campaign.job_store()
    assert store.query_one({"name": "check"})["output"] == {"checked": True}
    store.close()
