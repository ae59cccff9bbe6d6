"""kill -9 of workers and of the server at random moments of real flows, and what is left of them.

The number of faults is what the environment variables say, so that a report can ask for more::

    VITRION_WORKER_KILLS=20 VITRION_SERVER_KILLS=5 pytest -m slow -s tests/launchpad/test_faults.py
"""

import os
import random
import signal
import time
from collections import Counter

import pytest

from helpers.fireworks_jobs import chain_flow, copper_run
from helpers.forked_workers import ForkedWorkers
from helpers.trajectory_checks import assert_same_frames
from vitrion.launchpad.repair import repair
from vitrion.launchpad.status import status
from vitrion.launchpad.submission import Submission, submit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mongo_process")]
WORKER_KILLS = int(os.environ.get("VITRION_WORKER_KILLS", "4"))
SERVER_KILLS = int(os.environ.get("VITRION_SERVER_KILLS", "2"))
STEPS, CHAIN = 1000, 6
CHAINS = max(2, WORKER_KILLS // 3)  # enough to outlast the kills


class Faults(ForkedWorkers):
    """Workers on a launchpad, and a count of what was done to them and found after it."""

    def __init__(self, campaign):
        super().__init__(campaign)
        self.counts = Counter()

    def kill(self, process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
        process.join()
        self.counts["worker kills"] += 1
        for fw in self.campaign.launchpad.fireworks.find(
            {"state": {"$in": ["RESERVED", "RUNNING"]}}
        ):
            self.counts[f"killed {fw['state']} in {fw['name']}"] += 1
        if self.campaign.launchpad.workflows.find_one({"locked": True}):
            self.counts["killed under a lock"] += 1

    def repair(self):
        report = repair(self.campaign.launchpad, lost_after_s=0, watch_s=0.1)
        for part in ("unlocked", "orphans", "reconciled", "unreserved", "lost", "retried"):
            self.counts[f"repaired: {part}"] += len(getattr(report, part))
        assert report.failed == []

    def print_counts(self):
        counts = {**self.counts, "workers": self.n_started}
        print("\n" + "\n".join(f"{name}: {n}" for name, n in sorted(counts.items()) if n))

    def done(self):
        return all(row.done for row in status(self.campaign.launchpad))

    def finish(self):
        for _ in range(5):
            process = self.start()
            process.join()
            if self.done():
                return
            self.repair()
        raise AssertionError(status(self.campaign.launchpad))


def hand_in(campaign, store):
    copper = copper_run(campaign.folder / "runs", duration_ps=STEPS * 2e-3)
    flows = [copper, *(chain_flow(CHAIN) for _ in range(CHAINS))]
    submissions = [Submission(flow, f"material {n}") for n, flow in enumerate(flows)]
    submit(submissions, campaign.launchpad, store=store)
    return copper


def assert_complete(campaign, store, copper):
    """Everything is there, once; the run is the one that nothing had interrupted."""
    launchpad = campaign.launchpad
    nodes = [n for workflow in launchpad.workflows.find() for n in workflow["nodes"]]
    numbers = [fw["fw_id"] for fw in launchpad.fireworks.find()]
    assert sorted(nodes) == sorted(numbers)
    assert launchpad.fireworks.count_documents({"state": {"$ne": "COMPLETED"}}) == 0
    keys = Counter((doc["uuid"], doc["index"]) for doc in store.query({}, ["uuid", "index"]))
    assert len(keys) == len(nodes) == CHAINS * (CHAIN + 2) + 1
    assert set(keys.values()) == {1}, "no result is doubled"
    for doc in store.query({"name": {"$in": ["start", "grow"]}}, load=True):
        assert isinstance(doc["output"]["series"], list), "no large object is lost"
    assert store.count({"name": "check", "output.checked": True}) == CHAINS

    output = store.get_output(copper.uuid)
    assert (output["complete"], output["n_steps"]) == (True, STEPS)
    unbroken = copper_run(campaign.folder / "unbroken", duration_ps=STEPS * 2e-3)
    alone = unbroken.function.__self__.run(*unbroken.function_args)
    assert_same_frames(output["trajectory"]["path"], alone.trajectory)


def test_workers_are_killed(campaign):
    store = campaign.job_store()
    copper = hand_in(campaign, store)
    faults, rng = Faults(campaign), random.Random(5)
    first = faults.start()  # the fork server imports everything
    while campaign.launchpad.launches.count_documents({}) == 0:
        time.sleep(0.1)
    time.sleep(0.5)
    faults.kill(first)
    faults.repair()
    while faults.counts["worker kills"] < WORKER_KILLS and not faults.done():
        process = faults.start()
        time.sleep(rng.uniform(0.05, 3.0))
        if process.is_alive():
            faults.kill(process)
        faults.repair()
    faults.finish()
    assert_complete(campaign, store, copper)
    store.close()
    faults.print_counts()
    assert faults.counts["worker kills"] > 0


def test_the_server_is_killed(campaign, mongo_process):
    store = campaign.job_store()
    copper = hand_in(campaign, store)
    faults, rng = Faults(campaign), random.Random(6)
    for kills in range(1, SERVER_KILLS + 1):
        process = faults.start()
        while campaign.launchpad.launches.count_documents({}) < kills:
            time.sleep(0.1)
        time.sleep(rng.uniform(0.0, 2.0))
        mongo_process.kill()
        faults.counts["server kills"] += 1
        time.sleep(1)
        mongo_process.start()
        process.join(60)
        if process.is_alive():
            faults.kill(process)
        faults.repair()
    faults.finish()
    assert_complete(campaign, store, copper)
    store.close()
    faults.print_counts()
