"""Repair after a kill at every possible moment.

A worker and a submission only touch the world by their writes, so cutting them off after each
number of writes in turn covers every moment of a kill. The test server drops all connections then.
"""

import contextlib
import os
from collections import Counter

import pytest
from fireworks import FWorker
from fireworks.core.rocket_launcher import launch_rocket
from jobflow.managers.fireworks import flow_to_workflow
from pymongo import MongoClient

from helpers.campaign import Campaign
from helpers.fireworks_jobs import chain_flow, fail
from vitrion.launchpad.repair import MAX_LAUNCHES, repair
from vitrion.launchpad.status import status
from vitrion.launchpad.submission import Submission, submit

WRITES = 60  # of a whole chain, at least


@pytest.fixture
def campaign(mongo_process, tmp_path, monkeypatch):
    options = "?retryWrites=false&retryReads=false&serverSelectionTimeoutMS=2000"
    campaign = Campaign(tmp_path, f"{mongo_process.uri}/{options}", "vitrion_test_repair")
    monkeypatch.chdir(tmp_path)
    yield campaign
    campaign.launchpad.connection.drop_database("vitrion_test_repair")


@pytest.fixture
def server(mongo_process):
    with MongoClient(mongo_process.uri) as client:
        yield client.admin
        client.admin.command("testFault", -1)


def work(campaign):
    """Run what is ready, here; return whether a rocket was cut off."""
    try:
        while launch_rocket(campaign.launchpad, FWorker()):
            os.chdir(campaign.folder)
    except Exception:
        return True
    return False


def finish(campaign, rounds=6):
    for _ in range(rounds):
        repair(campaign.launchpad, lost_after_s=0, watch_s=0.02)
        work(campaign)
        if all(row.done for row in status(campaign.launchpad)):
            return
    raise AssertionError(status(campaign.launchpad))


def assert_complete(campaign, target):
    """All is complete, in line, and there once."""
    launchpad = campaign.launchpad
    (workflow,) = launchpad.workflows.find()
    assert "locked" not in workflow
    states = {fw["fw_id"]: fw["state"] for fw in launchpad.fireworks.find()}
    assert set(states) == set(workflow["nodes"]), "no firework is left without a workflow"
    assert set(states.values()) == {"COMPLETED"}
    assert set(workflow["fw_states"].values()) == {"COMPLETED"}
    assert len(states) == target + 2, "no job was doubled"
    store = campaign.job_store()
    keys = Counter((doc["uuid"], doc["index"]) for doc in store.query({}, ["uuid", "index"]))
    assert len(keys) == target + 2
    assert set(keys.values()) == {1}
    assert store.query_one({"name": "check"})["output"] == {"checked": True}
    blobs = store.additional_stores["data"]
    for doc in store.query({"name": {"$in": ["start", "grow"]}}):
        reference = doc["output"]["series"]
        assert blobs.query_one({"blob_uuid": reference["blob_uuid"]}) is not None
    store.close()


def cut_off(campaign, server, moments):
    """Cut a worker off at each of the moments; return how often that happened in a flow's life."""
    cuts = 0
    for moment in moments:
        campaign.launchpad.reset("", require_password=False)
        campaign.job_store().remove_docs({})
        submit([Submission(chain_flow(3), "LiF")], campaign.launchpad, store=campaign.job_store())
        server.command("testFault", moment)
        cuts += work(campaign)
        server.command("testFault", -1)
        finish(campaign)
        assert_complete(campaign, 3)
    return cuts


def test_a_worker_cut_off_at_some_writes(campaign, server):
    assert cut_off(campaign, server, range(2, WRITES, 11)) == len(range(2, WRITES, 11))


@pytest.mark.slow
def test_a_worker_cut_off_at_every_write(campaign, server):
    assert cut_off(campaign, server, range(WRITES)) == WRITES


def test_a_submission_cut_off_at_every_write_can_be_repeated(campaign, server):
    flows = [Submission(chain_flow(3), f"m{i}", label=str(i)) for i in range(3)]
    for moment in range(10):
        campaign.launchpad.reset("", require_password=False)
        server.command("testFault", moment)
        try:
            submit(flows, campaign.launchpad)
        except Exception:
            server.command("testFault", -1)
            submit(flows, campaign.launchpad, watch_s=0.05)
        server.command("testFault", -1)
        assert [row.flows for row in status(campaign.launchpad)] == [1, 1, 1]
        assert campaign.launchpad.fireworks.count_documents({}) == 9


def test_a_repair_cut_off_at_any_write_can_be_repeated(campaign, server):
    submit([Submission(chain_flow(3), "LiF")], campaign.launchpad, store=campaign.job_store())
    server.command("testFault", 30)
    work(campaign)
    for moment in range(6):
        server.command("testFault", moment)
        with contextlib.suppress(Exception):  # whatever pymongo or FireWorks make of it
            repair(campaign.launchpad, lost_after_s=0, watch_s=0.02)
        server.command("testFault", -1)
    finish(campaign)
    assert_complete(campaign, 3)


def test_a_rerun_of_a_completed_flow_cut_off_at_any_write_is_completed(campaign, server):
    submit([Submission(chain_flow(3), "LiF")], campaign.launchpad, store=campaign.job_store())
    work(campaign)
    last = max(fw["fw_id"] for fw in campaign.launchpad.fireworks.find({"state": "COMPLETED"}))
    torn = 0
    for moment in range(2, 5):
        server.command("testFault", moment)
        with contextlib.suppress(Exception):
            campaign.launchpad.rerun_fw(last)
        server.command("testFault", -1)
        (workflow,) = campaign.launchpad.workflows.find()
        fw = campaign.launchpad.fireworks.find_one({"fw_id": last})
        torn += workflow["state"] == "COMPLETED" and fw["state"] != "COMPLETED"
        finish(campaign)
        assert_complete(campaign, 3)
    assert torn, "no moment left a completed workflow with a firework that is not"


def test_a_job_that_waits_for_completed_parents_is_run(campaign):
    """As after a late write of a stalled worker, with equal states in both collections."""
    launchpad = campaign.launchpad
    submit([Submission(chain_flow(3), "LiF")], launchpad, store=campaign.job_store())
    launch_rocket(launchpad, FWorker())
    os.chdir(campaign.folder)
    (ready,) = (fw["fw_id"] for fw in launchpad.fireworks.find({"state": "READY"}))
    launchpad.fireworks.update_one({"fw_id": ready}, {"$set": {"state": "WAITING"}})
    launchpad.workflows.update_one({"nodes": ready}, {"$set": {f"fw_states.{ready}": "WAITING"}})
    report = repair(launchpad, lost_after_s=60, watch_s=0.02)
    assert report.reconciled == [ready]
    assert not work(campaign)
    assert_complete(campaign, 3)


def test_what_lives_is_left_alone(campaign):
    launchpad = campaign.launchpad
    submit([Submission(chain_flow(3), "LiF")], launchpad)
    fw, _ = launchpad.checkout_fw(FWorker(), str(campaign.folder))
    report = repair(launchpad, lost_after_s=60, watch_s=0.02)
    assert not report.changed
    assert launchpad.get_fw_by_id(fw.fw_id).state == "RUNNING"

    launchpad.reset("", require_password=False)
    submit([Submission(chain_flow(3), "LiF")], launchpad)
    fw, _ = launchpad.reserve_fw(FWorker(), str(campaign.folder))  # waits in a queue
    assert not repair(launchpad, lost_after_s=0, watch_s=0.02).changed
    assert launchpad.get_fw_by_id(fw.fw_id).state == "RESERVED"


def test_a_jobs_own_error_is_retried_only_when_asked(campaign):
    submit([Submission(fail(), "broken")], campaign.launchpad, store=campaign.job_store())
    assert not work(campaign)
    assert repair(campaign.launchpad, watch_s=0.02).failed == [1]
    assert repair(campaign.launchpad, watch_s=0.02, retry_failed=True).retried == [1]
    assert campaign.launchpad.get_fw_by_id(1).state == "READY"


def test_what_others_submitted_is_left_alone_unless_asked_for(campaign):
    launchpad = campaign.launchpad
    workflow = flow_to_workflow(chain_flow(3), campaign.job_store())
    launchpad.add_wf(workflow)
    launchpad.checkout_fw(FWorker(), str(campaign.folder))
    launchpad.workflows.update_one({}, {"$set": {"locked": True}})
    launchpad.fireworks.insert_one({"fw_id": 1000, "state": "WAITING", "spec": {}})
    assert not repair(launchpad, lost_after_s=0, watch_s=0.02).changed

    report = repair(launchpad, lost_after_s=0, watch_s=0.02, everyone=True)
    assert (len(report.unlocked), report.orphans, len(report.lost)) == (1, [1000], 1)


def test_a_job_that_ends_its_workers_is_given_up(campaign):
    launchpad = campaign.launchpad
    submit([Submission(chain_flow(3), "LiF")], launchpad)
    for _ in range(MAX_LAUNCHES - 1):
        launchpad.checkout_fw(FWorker(), str(campaign.folder))
        assert len(repair(launchpad, lost_after_s=0, watch_s=0.02).lost) == 1
    fw, _ = launchpad.checkout_fw(FWorker(), str(campaign.folder))
    report = repair(launchpad, lost_after_s=0, watch_s=0.02)
    assert not report.lost
    assert fw.fw_id in report.failed
    assert repair(launchpad, watch_s=0.02).failed == [fw.fw_id]
    assert repair(launchpad, watch_s=0.02, retry_failed=True).retried == [fw.fw_id]
