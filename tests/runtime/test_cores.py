"""Cores shared by the jobs of a run."""

import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from vitrion.runtime.cores import VARIABLE, own_core, share_cores, spare_core


@pytest.fixture
def two_cores(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    share_cores(tmp_path / "cores", 2)


def spare(looks=2):
    """Whether a core is available within a few attempts, and how to hold it."""
    left = iter(range(looks))
    return spare_core(lambda: next(left, None) is not None, wait_s=0.01)


def test_there_is_always_a_core_where_none_are_shared(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with own_core(), ExitStack() as stack:
        assert all(stack.enter_context(spare()) for _ in range(20))
        assert not stack.enter_context(spare(looks=0))


def test_no_more_cores_are_held_than_there_are(two_cores):
    with own_core():
        with spare() as second, spare() as third:
            assert second
            assert not third
        with spare() as again:
            assert again, "a core that was given back is free"


def test_a_job_without_a_core_goes_before_one_that_wants_more(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    share_cores(tmp_path / "cores", 1)
    got = threading.Event()

    def job():
        with own_core():
            got.set()

    greedy = 0
    with own_core():
        waiting = threading.Thread(target=job)
        waiting.start()
    while not got.is_set():  # takes a core again as soon as it has given one back
        with spare_core(lambda: True) as core:
            greedy += core
        assert greedy < 3
    waiting.join()
    assert greedy <= 1


def test_a_killed_process_gives_its_core_back(two_cores):
    holder = (
        "from vitrion.runtime.cores import own_core\n"
        "with own_core():\n    print('held', flush=True)\n    input()\n"
    )
    command = [sys.executable, "-c", holder]
    with (
        own_core(),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout.readline() == b"held\n"
        with spare() as taken:
            assert not taken
        process.kill()
        process.wait()
        with spare() as free:
            assert free
