"""Independent runs in worker processes."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from helpers.pair_potentials import argon, lennard_jones
from helpers.trajectory_checks import assert_same_frames
from helpers.worker_jobs import Alone, Deadly, parent_of_a_long_run, task
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.simulation import LOCK_NAME
from vitrion.dynamics.trajectory import Trajectory
from vitrion.dynamics.workers import MDTask, run_many
from vitrion.errors import InputError
from vitrion.runtime.cores import VARIABLE, own_core, share_cores


def test_one_failure_does_not_take_the_others_along(tmp_path):
    """A killed process, an exception and a blow-up among good runs, two at a time."""
    tasks = [task(tmp_path, f"T{kelvin}", temperature_K=kelvin) for kelvin in (30, 60)]
    for name, symbol in (("killed", "Ne"), ("broken", "Kr")):
        odd = task(tmp_path, name)
        odd.structure.symbols[0] = symbol
        tasks.insert(1, odd)
    tasks.insert(
        0,
        task(
            tmp_path, "blown-up", max_temperature_K=300.0, min_distance_A=3.0, temperature_K=300.0
        ),
    )
    notes = tmp_path / "notes"
    notes.mkdir()
    outcomes = run_many(tasks, partial(Deadly, str(notes)), workers=2)
    errors = {outcome.name: outcome.error for outcome in outcomes}
    assert list(errors) == [one.name for one in tasks]
    assert "process died" in errors["killed"]
    assert errors["broken"] == "RuntimeError: the model is broken"
    assert "blew up" in errors["blown-up"]
    assert [outcome.complete for outcome in outcomes] == [False, True, False, False, True]
    assert {note.read_text() for note in notes.iterdir()} == {"1"}
    assert len(list(notes.iterdir())) == 5, "each run has a process of its own"
    run_md(argon(), lennard_jones(), tasks[1].settings, tmp_path / "here")
    assert_same_frames(tmp_path / "here" / "md.vtraj.h5", tmp_path / "T30" / "md.vtraj.h5")


def test_environment_is_as_it_was(tmp_path):
    before = dict(os.environ)
    run_many([task(tmp_path, "a")], lennard_jones)
    assert dict(os.environ) == before


def test_runs_that_share_a_place_are_refused(tmp_path):
    one = task(tmp_path, "a")
    with pytest.raises(InputError, match="share a name"):
        run_many([one, one], lennard_jones)
    with pytest.raises(InputError, match="share a directory"):
        run_many([one, MDTask("b", one.structure, one.settings, one.directory)], lennard_jones)
    with pytest.raises(InputError, match="workers 0 must be at least 1"):
        run_many([one], lennard_jones, workers=0)


def test_walltime_leaves_runs_that_can_be_continued(tmp_path):
    tasks = [
        task(tmp_path, name, seed=seed, checkpoint_interval_steps=10)
        for seed, name in enumerate("ab")
    ]
    first = run_many(tasks, lennard_jones, walltime_s=0.0)
    assert [outcome.error for outcome in first] == [None, None]
    assert first[0].result.n_steps == 10
    assert first[1].result is None, "one worker has brought one run to its checkpoint"
    second = run_many(tasks, lennard_jones, workers=2)
    assert all(outcome.complete for outcome in second)
    positions = []
    for outcome in second:
        with Trajectory(outcome.result.trajectory) as run:
            positions.append(run.positions())
    assert np.abs(positions[0] - positions[1]).max() > 0.1, "the seeds differ"


def test_workers_end_with_the_process_that_started_them(tmp_path):
    parent = multiprocessing.get_context("spawn").Process(
        target=parent_of_a_long_run, args=(str(tmp_path),)
    )
    parent.start()
    while not (tmp_path / "long" / "checkpoint.npz").is_file():
        assert parent.is_alive()
        time.sleep(0.05)
    assert held(tmp_path / "long")
    parent.kill()
    parent.join()
    deadline = time.monotonic() + 60
    while held(tmp_path / "long"):
        assert time.monotonic() < deadline, "the worker still runs"
        time.sleep(0.05)


def held(folder):
    """Whether a process is running in the folder."""
    with (folder / LOCK_NAME).open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_runs_take_no_core_that_other_jobs_hold(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    share_cores(tmp_path / "cores", 2)
    tasks = [task(tmp_path, name, duration_ps=2.0) for name in "abc"]
    with own_core(), own_core():  # this job's and another's
        outcomes = run_many(tasks, partial(Alone, str(tmp_path / "lock")), workers=3)
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert all(outcome.complete for outcome in outcomes)


def test_a_script_that_restarts_itself_fails_with_the_reason(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from helpers.pair_potentials import lennard_jones\n"
        "from helpers.worker_jobs import task\n"
        "from vitrion.dynamics.workers import run_many\n"
        f"print(run_many([task(Path({str(tmp_path)!r}), 'a')], lennard_jones)[0].error)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert '`if __name__ == "__main__":`' in done.stdout
