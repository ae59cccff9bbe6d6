import fcntl
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobflow import Flow, JobStore, OnMissing
from maggma.stores import JSONStore, MemoryStore

from helpers import toy_jobs
from vitrion.errors import InputError, SimulationError
from vitrion.runtime.runner import run_flow
from vitrion.store.job_store import SQLiteJobStore


@pytest.fixture
def store(tmp_path):
    store = SQLiteJobStore(str(tmp_path / "store"))
    store.connect()
    yield store
    store.close()


def runs(folder: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in folder.glob("jobs/*/runs"))


def test_references_replacements_and_detours_and_nothing_runs_twice(store, tmp_path):
    first = toy_jobs.add(1, 2)
    counted = toy_jobs.count_to(3)
    last = toy_jobs.add(first.output, counted.output)
    fan = toy_jobs.fan_out([1, 2])
    flow = Flow([first, counted, last, fan])
    report = run_flow(flow, store, tmp_path / "run", workers=2)
    assert not report.errors
    assert store.get_output(last.uuid) == 6
    assert store.get_output(counted.uuid, which="last") == 3
    assert store.count({"name": "add"}) == 4

    again = run_flow(flow, store, tmp_path / "run", workers=2)
    assert again.completed == []
    assert sorted(again.skipped) == sorted(report.completed)
    assert runs(tmp_path / "run") == 4 + 3


@pytest.mark.parametrize("kind", ["documents", "large objects"])
def test_a_store_that_workers_cannot_share_is_refused(kind, store, tmp_path):
    memory = MemoryStore() if kind == "documents" else JSONStore("out.json", read_only=False)
    outputs = memory if kind == "documents" else store.docs_store
    given = JobStore(outputs, additional_stores={"data": memory})
    with pytest.raises(InputError, match=f"cannot share a {type(memory).__name__}: use vitrion"):
        run_flow(toy_jobs.add(1, 2), given, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_independent_jobs_run_side_by_side(store, tmp_path):
    flow = Flow([toy_jobs.add(i, i, wait_s=1.0) for i in range(2)])
    run_flow(flow, store, tmp_path / "run", workers=2)
    marks = [path.read_text().split() for path in (tmp_path / "run").glob("jobs/*/runs")]
    assert len({pid for _, pid, _ in marks}) == 2


def test_a_failed_job_stops_its_children_only(store, tmp_path):
    bad = toy_jobs.fail("no such thing")
    child = toy_jobs.add(bad.output, 1)
    free = toy_jobs.add(1, 1)
    report = run_flow(Flow([bad, child, free]), store, tmp_path / "run")
    assert report.errors == {"fail": "no such thing"}
    assert report.completed == ["add"]
    assert store.count({"uuid": child.uuid}) == 0
    with pytest.raises(SimulationError, match="fail failed: no such thing"):
        report.raise_for_errors()


def test_jobs_that_fail_without_the_output_of_a_failed_one_are_no_more_errors(store, tmp_path):
    """As the stages of a further glass, which FireWorks starts after a failed one."""
    jobs = [toy_jobs.fail("no such thing")]
    for _ in range(2):
        jobs.append(toy_jobs.add(jobs[-1].output, 1))
    last = toy_jobs.gather([jobs[-1].output])
    flow = Flow([*jobs, last])
    flow.update_config({"on_missing_references": OnMissing.NONE})
    report = run_flow(flow, store, tmp_path / "run")
    assert report.errors == {"fail": "no such thing"}
    assert report.completed == ["gather"]
    assert store.get_output(last.uuid) == [None]


def test_two_failed_jobs_of_one_name_are_both_reported(store, tmp_path):
    flow = Flow([toy_jobs.fail("the first"), toy_jobs.fail("the second")])
    report = run_flow(flow, store, tmp_path / "run")
    assert set(report.errors) == {"fail", "fail (2)"}
    assert set(report.errors.values()) == {"the first", "the second"}


def test_the_result_of_a_flow_that_replaces_a_job_has_a_name_for_people(store, tmp_path):
    grown = toy_jobs.grow(2)
    flow = Flow([grown])
    report = run_flow(flow, store, tmp_path / "run")
    assert sorted(report.completed) == ["add", "add", "grow", "grow, result"]
    assert store.get_output(grown.uuid, which="last") == [0, 2]
    again = run_flow(flow, store, tmp_path / "run")
    assert not again.completed
    assert sorted(again.skipped) == sorted(report.completed)


def test_stop_children_is_kept(store, tmp_path):
    stop = toy_jobs.stop_here()
    child = toy_jobs.add(1, 1)
    after = toy_jobs.add(stop.output, 1)
    report = run_flow(Flow([stop, child, after]), store, tmp_path / "run")
    assert sorted(report.completed) == ["add", "stop_here"]
    assert store.count({"uuid": after.uuid}) == 0


def test_a_killed_worker_is_one_sentence_and_the_next_call_finishes(store, tmp_path):
    flow = Flow([toy_jobs.die_once(str(tmp_path / "flag"), 4.0)])
    with pytest.raises(SimulationError, match="rerun the command"):
        run_flow(flow, store, tmp_path / "run")
    assert run_flow(flow, store, tmp_path / "run").completed == ["die_once"]


def test_a_worker_that_is_killed_between_two_jobs_is_one_sentence(store, tmp_path):
    """The pool refuses the next job."""

    def kill(running, report):
        if report.completed:
            for process in multiprocessing.active_children():
                process.kill()
                process.join()
            time.sleep(0.5)

    flow = Flow([toy_jobs.add(1, 1), toy_jobs.add(1, 1)])
    with pytest.raises(SimulationError, match="rerun the command"):
        run_flow(flow, store, tmp_path / "run", on_change=kill)
    assert run_flow(flow, store, tmp_path / "run").skipped == ["add"]


def test_a_killed_worker_is_noticed_while_others_run_and_all_their_jobs_are_named(store, tmp_path):
    """A pool that starts its workers one by one may not watch the later ones."""
    slow = toy_jobs.add(1, 1, wait_s=60)
    flow = Flow([slow, toy_jobs.die_once(str(tmp_path / "flag"), 4.0)])
    with pytest.raises(SimulationError, match=r"\) during (add, die_once|die_once, add): rerun"):
        run_flow(flow, store, tmp_path / "run", workers=2)


def test_two_runs_never_share_a_folder(store, tmp_path):
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="Another process"):
            run_flow(Flow([toy_jobs.add(1, 1)]), store, tmp_path / "run")


def test_kill_9_of_the_parent_leaves_no_worker_and_loses_nothing(store, tmp_path):
    script = (
        "from helpers.toy_jobs import chain\n"
        "from vitrion.store.job_store import SQLiteJobStore\n"
        "from vitrion.runtime.runner import run_flow\n"
        "if __name__ == '__main__':\n"
        f"    store = SQLiteJobStore({str(tmp_path / 'store')!r}); store.connect()\n"
        f"    run_flow(chain(), store, {str(tmp_path / 'run')!r})\n"
    )
    path = tmp_path / "main.py"
    path.write_text(script)
    process = subprocess.Popen([sys.executable, str(path)])
    folder = tmp_path / "run"
    deadline = time.monotonic() + 600
    while runs(folder) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = runs(folder)
    time.sleep(1.5)
    assert runs(folder) == before, "an orphaned worker went on"
    run_flow(toy_jobs.chain(), store, folder)
    assert sorted(store.query(properties=["output"]), key=lambda d: d["output"])[-1]["output"] == 5
    assert store.count({}) == 4
    assert runs(folder) <= 4 + 1


def test_a_job_alone_may_use_all_cores(store, tmp_path):
    counted = toy_jobs.spare_cores(5)
    run_flow(Flow([counted]), store, tmp_path / "run", workers=3)
    assert store.get_output(counted.uuid) == 2


def test_what_ran_without_a_failed_parent_runs_again_with_it(store, tmp_path):
    flag = tmp_path / "flag"
    flaky = toy_jobs.succeed_once_allowed(str(flag), 42.0)
    sound = toy_jobs.add(1, 2)
    both = toy_jobs.gather([flaky.output, sound.output])
    both.config.on_missing_references = OnMissing.NONE
    after = toy_jobs.gather([both.output, both.output])
    flow = Flow([flaky, sound, both, after])
    report = run_flow(flow, store, tmp_path / "run")
    assert list(report.errors) == ["succeed_once_allowed"]
    assert store.get_output(both.uuid) == [None, 3]

    flag.touch()
    report = run_flow(flow, store, tmp_path / "run")
    assert (report.errors, report.open, report.skipped) == ({}, 0, ["add"])
    assert store.get_output(both.uuid) == [42, 3]
    assert store.get_output(after.uuid) == [[42, 3], [42, 3]]
    assert run_flow(flow, store, tmp_path / "run").completed == []


def test_what_replaced_it_without_the_parent_is_forgotten(store, tmp_path):
    flag = tmp_path / "flag"
    flaky = toy_jobs.succeed_once_allowed(str(flag), 42.0)
    least = toy_jobs.value_or_zero(flaky.output)
    least.config.on_missing_references = OnMissing.NONE
    flow = Flow([flaky, least])
    run_flow(flow, store, tmp_path / "run")
    assert store.get_output(least.uuid) == 0.0

    flag.touch()
    report = run_flow(flow, store, tmp_path / "run")
    assert report.completed == ["succeed_once_allowed", "value_or_zero"]
    assert store.get_output(least.uuid) == 42.0
    assert run_flow(flow, store, tmp_path / "run").completed == []


def test_it_also_runs_again_after_an_interruption(store, tmp_path):
    """The result without the parent was kept forever."""
    flag = tmp_path / "flag"
    flaky = toy_jobs.succeed_once_allowed(str(flag), 42.0)
    both = toy_jobs.gather([flaky.output, 3])
    both.config.on_missing_references = OnMissing.NONE
    flow = Flow([flaky, both])
    run_flow(flow, store, tmp_path / "run")
    assert store.get_output(both.uuid) == [None, 3]
    flag.touch()

    def interrupt(running, report):
        if report.completed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_flow(flow, store, tmp_path / "run", on_change=interrupt)
    assert run_flow(flow, store, tmp_path / "run").completed == ["gather"]
    assert store.get_output(both.uuid) == [42, 3]


def test_a_folder_does_not_take_another_flow(store, tmp_path):
    def make(value):
        first = toy_jobs.add(1, value)
        return Flow([first, toy_jobs.add(first.output, 1)])

    run_flow(make(2), store, tmp_path / "run")
    assert run_flow(make(2), store, tmp_path / "run").completed == [], "made alike"
    assert run_flow(lambda: make(3), store, tmp_path / "run").completed == [], "not even made"
    with pytest.raises(InputError, match="holds a different flow"):
        run_flow(make(3), store, tmp_path / "run")


def test_jobs_of_one_name_have_folders_of_their_own_whatever_their_uuids(store, tmp_path):
    jobs = [toy_jobs.add(1, number) for number in range(3)]
    for number, one in enumerate(jobs):  # as ordered by time: alike but for the end
        one.set_uuid(f"01jd6f3c-0000-7000-8000-00000000000{number}")
    report = run_flow(Flow(jobs), store, tmp_path / "run")
    assert len(report.completed) == 3
    assert [store.get_output(one.uuid) for one in jobs] == [1, 2, 3]
