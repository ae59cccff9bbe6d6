"""What ``lpad`` does to jobs of vitrion: pause, defuse, rerun."""

from collections import Counter

from jobflow import Flow
from typer.testing import CliRunner

from helpers.fireworks_jobs import chain_flow
from vitrion.cli import app
from vitrion.launchpad.repair import repair
from vitrion.launchpad.status import status
from vitrion.launchpad.submission import Submission, submit


def test_held_jobs_are_reported_and_a_rerun_duplicates_nothing(campaign):
    flow = Flow([chain_flow(1), chain_flow(1)])
    store, launchpad = campaign.job_store(), campaign.launchpad
    submit([Submission(flow, "LiF", "pair")], launchpad, store=store)
    numbers = {
        fw["spec"]["_tasks"][0]["job"]["uuid"]: fw["fw_id"] for fw in launchpad.fireworks.find()
    }
    (first, grown, _), (second, *_) = (
        [numbers[job.uuid] for job in half.jobs] for half in flow.jobs
    )
    launchpad.pause_fw(first)
    launchpad.defuse_fw(second)
    (row,) = status(launchpad)
    assert (row.jobs, row.held, row.waiting) == (6, 2, 4)
    assert "held" in table(campaign)
    assert not repair(launchpad, watch_s=0.1).changed
    launchpad.resume_fw(first)
    campaign.work()
    (row,) = status(launchpad)
    assert (row.completed, row.held, row.waiting, row.done) == (3, 1, 2, False)
    launchpad.reignite_fw(second)
    launchpad.rerun_fw(grown)
    campaign.work()
    assert status(launchpad)[0].done
    assert "held" not in table(campaign)
    stored = Counter((found["uuid"], found["index"]) for found in store.query())
    assert len(stored) == 6
    assert set(stored.values()) == {1}
    store.close()


def table(campaign):
    file = str(campaign.folder / "my_launchpad.yaml")
    return CliRunner().invoke(app, ["status", "--launchpad", file]).output
