"""Workers that stall, whose clock is off, or who lose their network: all completes after repair."""

import multiprocessing
import os
import signal
import threading
import time

import pytest
from fireworks import fw_config

from helpers.campaign import Campaign
from helpers.fault_worker import work_fast
from helpers.fireworks_jobs import hold
from vitrion.errors import BusyError, InputError
from vitrion.launchpad.repair import repair
from vitrion.launchpad.submission import Submission, submit
from vitrion.runtime.atomic import only_process

PING_S = 0.3


@pytest.fixture
def campaign(mongo_process, tmp_path, monkeypatch):
    monkeypatch.setattr(fw_config, "PING_TIME_SECS", PING_S)
    campaign = Campaign(tmp_path, mongo_process.uri, "vitrion_test_stalled")
    yield campaign
    campaign.launchpad.connection.drop_database("vitrion_test_stalled")


@pytest.fixture(scope="module")
def forks():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpers.fault_worker"])
    return context


class Workers:
    """Workers on a launchpad, one after the other."""

    def __init__(self, campaign, forks):
        self.campaign, self.forks = campaign, forks
        self.number = 0

    def start(self, clock_off_s=0.0):
        self.number += 1
        arguments = (str(self.campaign.folder), self.number, PING_S, clock_off_s)
        process = self.forks.Process(target=work_fast, args=arguments)
        process.start()
        return process

    def states(self):
        return [fw["state"] for fw in self.campaign.launchpad.fireworks.find().sort("fw_id")]

    def wait_for(self, state, fw_id=1, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        launchpad = self.campaign.launchpad
        while launchpad.fireworks.find_one({"fw_id": fw_id})["state"] != state:
            assert time.monotonic() < deadline, self.states()
            time.sleep(0.05)


@pytest.fixture
def workers(campaign, forks):
    return Workers(campaign, forks)


def submit_hold(campaign, seconds):
    folder = campaign.folder / "held"
    folder.mkdir()
    submit(
        [Submission(hold(str(folder), seconds), "LiF")],
        campaign.launchpad,
        store=campaign.job_store(),
    )
    return folder


def check_complete(campaign, folder, most_ends):
    launchpad = campaign.launchpad
    assert [fw["state"] for fw in launchpad.fireworks.find()] == ["COMPLETED"]
    (workflow,) = launchpad.workflows.find()
    assert workflow["state"] == "COMPLETED"
    store = campaign.job_store()
    assert store.count() == 1
    store.close()
    assert 1 <= len((folder / "ends").read_text()) <= most_ends


def test_a_stopped_worker_that_is_continued_spoils_nothing(campaign, workers):
    folder = submit_hold(campaign, 2.0)
    stalled = workers.start()
    workers.wait_for("RUNNING")
    time.sleep(2 * PING_S)
    os.killpg(stalled.pid, signal.SIGSTOP)
    try:
        time.sleep(1.0)
        report = repair(campaign.launchpad, lost_after_s=1.0, watch_s=0.1)
        assert report.lost == [1]
        for _ in range(12):  # more often than a lost job may be run
            second = workers.start()
            second.join()
            assert workers.states() == ["FIZZLED"], "the folder is in use"
            report = repair(campaign.launchpad, lost_after_s=1.0, watch_s=0.1)
            assert (report.retried, report.failed) == ([1], [])
    finally:
        os.killpg(stalled.pid, signal.SIGCONT)
    stalled.join()
    workers.start().join()
    check_complete(campaign, folder, 2)


@pytest.mark.parametrize("clock_off_s", [-1200.0, 1200.0])
def test_a_living_worker_with_a_wrong_clock_is_not_lost(campaign, workers, clock_off_s):
    folder = submit_hold(campaign, 3.0)
    worker = workers.start(clock_off_s)
    workers.wait_for("RUNNING")
    time.sleep(2 * PING_S)
    for _ in range(2):
        assert not repair(campaign.launchpad, lost_after_s=2.0, watch_s=0.1).changed
    worker.join()
    check_complete(campaign, folder, 1)


def test_a_worker_cut_off_from_its_network_is_lost_and_found(campaign, workers, mongo_process):
    folder = submit_hold(campaign, 1.5)
    worker = workers.start()
    workers.wait_for("RUNNING")
    mongo_process.kill()
    time.sleep(2.0)
    mongo_process.start()
    worker.join()
    for _ in range(4):
        repair(campaign.launchpad, lost_after_s=1.0, watch_s=0.1)
        workers.start().join()
        if workers.states() == ["COMPLETED"]:
            break
    check_complete(campaign, folder, 3)


def test_a_busy_folder_has_an_error_of_its_own(tmp_path):
    assert issubclass(BusyError, InputError)
    with (
        only_process(tmp_path / "lock"),
        pytest.raises(BusyError, match="is using"),
        only_process(tmp_path / "lock"),
    ):
        pass


def labelled(launchpad):
    return [flow["metadata"]["vitrion"]["label"] for flow in launchpad.workflows.find()]


def test_submissions_at_the_same_time_add_each_flow_once(campaign):
    reports, errors = [], []

    def hand_in():
        flows = [Submission(hold("x", 0), f"m{i}", label=str(i)) for i in range(150)]
        try:
            reports.append(submit(flows, launchpad_of(campaign), watch_s=0.5))
        except Exception as error:
            errors.append(error)

    def launchpad_of(campaign):
        return type(campaign.launchpad).from_file(str(campaign.folder / "my_launchpad.yaml"))

    threads = [threading.Thread(target=hand_in) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(labelled(campaign.launchpad), key=int) == [str(i) for i in range(150)]
    assert campaign.launchpad.fireworks.count_documents({}) == 150
    assert sum(len(report.submitted) for report in reports) == 150
    assert sum(len(report.skipped) for report in reports) == 450


def test_a_flow_that_a_living_submission_is_adding_is_left_alone(campaign):
    launchpad = campaign.launchpad
    flow = Submission(hold("x", 0), "LiF", label="one")
    submit([flow], launchpad)
    (firework,) = launchpad.fireworks.find()
    launchpad.fireworks.delete_many({})  # between the two writes of another submission

    def add_later():
        time.sleep(0.4)
        launchpad.fireworks.insert_one(firework)

    other = threading.Thread(target=add_later)
    other.start()
    report = submit([flow], launchpad, watch_s=2.0)
    other.join()
    assert (report.submitted, report.skipped) == ([], ["one"])
    assert launchpad.fireworks.count_documents({}) == 1

    launchpad.fireworks.delete_many({})  # and this one was killed there
    assert submit([flow], launchpad, watch_s=0.2).submitted == ["one"]
    assert labelled(launchpad) == ["one"]
    assert launchpad.fireworks.count_documents({}) == 1
