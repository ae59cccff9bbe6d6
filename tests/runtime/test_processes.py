"""Programs end with the process that started them, and with each other."""

import subprocess
import sys
import time

import pytest

from vitrion.errors import SimulationError
from vitrion.runtime.atomic import try_lock
from vitrion.runtime.processes import run_together

CHILD = """
import sys, time
from vitrion.runtime.atomic import try_lock
from vitrion.runtime.processes import exit_with_parent
exit_with_parent(int(sys.argv[1]))
with open(sys.argv[2], "w") as held:
    assert try_lock(held)
    print("started", flush=True)
    time.sleep(600)
"""
PARENT = f"""
import os, sys
from pathlib import Path
from vitrion.runtime.processes import run_together
command = [sys.executable, "-c", {CHILD!r}, str(os.getpid()), sys.argv[1]]
run_together([command], [Path(sys.argv[2])])
"""


def test_a_program_ends_with_its_parent(tmp_path):
    lock, log = tmp_path / "lock", tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(lock), str(log)])
    while not (log.is_file() and "started" in log.read_text()):
        assert parent.poll() is None
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    with lock.open("w") as handle:
        while not try_lock(handle):
            assert time.monotonic() < deadline, "the program still runs"
            time.sleep(0.02)


def test_the_first_failure_ends_all_programs(tmp_path):
    commands = [
        [sys.executable, "-c", "import time; time.sleep(600)"],
        [sys.executable, "-c", "raise SystemExit('the last word')"],
    ]
    logs = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(SimulationError, match="ended with code 1: the last word"):
        run_together(commands, logs)


ASKED = """
import signal
from vitrion.runtime.processes import worker_context
with worker_context(()).Pool(1) as pool:
    blocked = pool.apply(signal.pthread_sigmask, (signal.SIG_BLOCK, ()))
print(signal.SIGINT in blocked, signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_workers_and_their_server_never_receive_ctrl_c():
    asked = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, check=True
    )
    assert asked.stdout.split() == ["True", "False"]
