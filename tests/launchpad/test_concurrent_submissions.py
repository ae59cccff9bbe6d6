"""Submissions of the same flows at the same time add each flow once."""

import random
import threading
import time

import pytest

from helpers.fireworks_jobs import hold
from vitrion.launchpad.submission import Submission, submit

pytestmark = pytest.mark.usefixtures("mongo_process")


def labelled(launchpad):
    return [flow["metadata"]["vitrion"]["label"] for flow in launchpad.workflows.find()]


def test_submissions_at_the_same_time_add_each_flow_once(campaign, monkeypatch):
    """Several batches of several flows, in another order each."""
    monkeypatch.setattr("vitrion.launchpad.submission._TOGETHER", 20)
    reports, errors = [], []

    def hand_in(seed):
        numbers = random.Random(seed).sample(range(50), 50)
        flows = [Submission(hold("x"), f"m{i}", label=str(i)) for i in numbers]
        try:
            reports.append(submit(flows, launchpad_of(campaign), watch_s=0.5))
        except Exception as error:
            errors.append(error)

    def launchpad_of(campaign):
        return type(campaign.launchpad).from_file(str(campaign.folder / "my_launchpad.yaml"))

    threads = [threading.Thread(target=hand_in, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(labelled(campaign.launchpad), key=int) == [str(i) for i in range(50)]
    assert campaign.launchpad.fireworks.count_documents({}) == 50
    assert sum(len(report.submitted) for report in reports) == 50
    assert sum(len(report.skipped) for report in reports) == 150


def test_a_flow_that_a_living_submission_is_adding_is_left_alone(campaign):
    launchpad = campaign.launchpad
    flow = Submission(hold("x"), "LiF", label="one")
    submit([flow], launchpad)
    (firework,) = launchpad.fireworks.find()
    launchpad.fireworks.delete_many({})  # between the two writes of another submission

    def add_later():
        time.sleep(0.4)
        launchpad.fireworks.insert_one(firework)

    other = threading.Thread(target=add_later)
    other.start()
    report = submit([flow], launchpad, watch_s=60.0)  # ends with the last firework
    other.join()
    assert (report.submitted, report.skipped) == ([], ["one"])
    assert launchpad.fireworks.count_documents({}) == 1

    launchpad.fireworks.delete_many({})  # and this one was killed there
    assert submit([flow], launchpad, watch_s=0.2).submitted == ["one"]
    assert labelled(launchpad) == ["one"]
    assert launchpad.fireworks.count_documents({}) == 1
