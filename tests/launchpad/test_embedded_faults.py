"""kill -9 of a run with two workers at random moments of a real flow, on the embedded store.

More kills: VITRION_LOCAL_KILLS=20 pytest -m slow -s tests/launchpad/test_embedded_faults.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from helpers import embedded_flow
from helpers.embedded_flow import CHAIN
from helpers.fireworks_jobs import copper_run
from helpers.trajectory_checks import assert_same_frames
from vitrion.dynamics.checkpoint import FILE_NAME, read_checkpoint
from vitrion.runtime.progress import read_progress
from vitrion.store.job_store import open_job_store

KILLS = int(os.environ.get("VITRION_LOCAL_KILLS", "3"))
STEPS, CHAINS = 1000 + 300 * KILLS, 2 + KILLS // 3  # enough to outlast the kills
CHECKPOINT_STEPS, TIMESTEP_PS = 50, 2e-3


def start(folder):
    """Start or resume the flow in a separate process group."""
    return subprocess.Popen(
        [sys.executable, embedded_flow.__file__, str(folder), str(STEPS), str(CHAINS)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def newest(folder, pattern):
    """Return when any of the files that jobs write was last written."""
    times = [0.0]
    for path in (folder / "run").glob(pattern):
        try:
            times.append(path.stat().st_mtime)
        except FileNotFoundError:  # a temporary file
            continue
    return max(times)


def dynamics(folder):
    """Return the step of the last checkpoint, and the last step that is known to be made."""
    for path in (folder / "run").glob(f"jobs/*/md*/{FILE_NAME}"):
        word, kept = read_progress(path.parent), read_checkpoint(path).state.step
        return kept, max(kept, 0 if word is None else round(word.done / TIMESTEP_PS))
    return 0, 0


def outputs(folder):
    with open_job_store(folder / "store") as store:
        return {(doc["uuid"], doc["index"]): doc for doc in store.query({}, load=True)}


@pytest.mark.slow
def test_a_run_is_killed_again_and_again(tmp_path):
    rng, counts, kept, reached = random.Random(3), Counter(), {}, 0
    while counts["kills"] < KILLS:
        # In turn among the short jobs, and once molecular dynamics has made its next checkpoint.
        moves = "jobs/**/*" if counts["kills"] % 2 else f"jobs/*/md*/{FILE_NAME}"
        before, process = newest(tmp_path, moves), start(tmp_path)
        while process.poll() is None and newest(tmp_path, moves) == before:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 1.0))
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        counts["kills"] += 1
        step, made = dynamics(tmp_path)
        counts["kills in molecular dynamics"] += 0 < step < STEPS
        assert reached <= step <= made <= step + CHECKPOINT_STEPS
        found, reached = outputs(tmp_path), step
        assert {key: doc["output"] for key, doc in found.items() if key in kept} == {
            key: doc["output"] for key, doc in kept.items()
        }, "no result is lost or changed"
        kept = found
    assert start(tmp_path).wait() == 0
    assert_complete(tmp_path)
    print("\n" + "\n".join(f"{name}: {n}" for name, n in sorted(counts.items())))
    assert counts["kills"] > 0


def assert_complete(folder):
    """Everything is there, once; the run is the one that nothing had interrupted."""
    found = outputs(folder)
    assert len(found) == CHAINS * (CHAIN + 2) + 1
    names = Counter(doc["name"] for doc in found.values())
    assert names == {"copper MD": 1, "start": CHAINS, "grow": CHAINS * CHAIN, "check": CHAINS}
    for doc in found.values():
        if doc["name"] in ("start", "grow"):
            assert isinstance(doc["output"]["series"], list), "no large object is lost"
    (output,) = (doc["output"] for doc in found.values() if doc["name"] == "copper MD")
    assert (output["complete"], output["n_steps"]) == (True, STEPS)
    unbroken = copper_run(folder / "unbroken", duration_ps=STEPS * TIMESTEP_PS)
    alone = unbroken.function.__self__.run(*unbroken.function_args)
    assert_same_frames(output["trajectory"]["path"], alone.trajectory)
