"""What the embedded store has confirmed survives kill -9, with several processes writing."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from helpers import store_writer
from helpers.store_writer import output
from vitrion.store.job_store import open_job_store
from vitrion.store.sqlite_store import SQLiteStore


def start_writer(folder, writer, limit=-1):
    return subprocess.Popen(
        [sys.executable, store_writer.__file__, str(folder), writer, str(limit)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def assert_whole(folder, confirmed):
    """Every confirmed document is whole, and every document there is whole."""
    with open_job_store(folder) as store:
        found = {}
        for doc in store.query({}, load=True):
            assert doc["uuid"] not in found, "a result is doubled"
            found[doc["uuid"]] = doc
        for uuid, doc in found.items():
            writer, number = uuid.rsplit("-", 1)
            assert doc["output"] == output(writer, int(number))["output"]
        assert set(confirmed) <= set(found), "a confirmed result is lost"
        blobs = store.additional_stores["data"].count()
        assert blobs == len(found), "a large object is left over"
        assert store.docs_store.file.rows("PRAGMA integrity_check") == [("ok",)]
    return found


def kill_rounds(folder, rounds, seed):
    rng = random.Random(seed)
    confirmed = []
    for round_ in range(rounds):
        writers = {f"w{round_}{name}": start_writer(folder, f"w{round_}{name}") for name in "ab"}
        for process in writers.values():
            assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.4))
        for process in writers.values():
            process.send_signal(signal.SIGKILL)
        for name, process in writers.items():
            lines = process.communicate()[0].split("\n")[:-1]
            confirmed += [f"{name}-{line}" for line in lines]
        found = assert_whole(folder, confirmed)
        assert len(found) <= len(confirmed) + 2 * (round_ + 1)
    return confirmed


def test_kill_leaves_whole_results(tmp_path):
    assert len(kill_rounds(tmp_path, rounds=2, seed=1)) > 0


@pytest.mark.slow
def test_kill_at_many_moments(tmp_path):
    assert len(kill_rounds(tmp_path, rounds=20, seed=2)) > 20


def test_several_processes_write_at_once(tmp_path):
    writers = [start_writer(tmp_path, name, limit=40) for name in "abc"]
    assert [process.wait(120) for process in writers] == [0, 0, 0]
    for process in writers:
        process.stdout.close()
    assert len(assert_whole(tmp_path, [f"{name}-{i}" for name in "abc" for i in range(40)])) == 120


def test_an_update_is_seen_by_an_open_store(tmp_path):
    with open_job_store(tmp_path) as here:
        here.update(output("x", 0))
        other = SQLiteStore(here.docs_store.path, "outputs", key="uuid")
        with other:
            other.update({**output("x", 0), "name": "changed"}, key=["uuid", "index"])
        assert [doc["name"] for doc in here.query({"uuid": "x-0"})] == ["changed"]


def write_after_fork(store, name):
    for number in range(10):
        store.update(output(name, number), save={"data": ["values"]})


def test_a_connected_store_works_in_forked_processes_and_threads(tmp_path):
    store = open_job_store(tmp_path)
    store.update(output("parent", 0), save={"data": ["values"]})
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=write_after_fork, args=(store, n)) for n in ("f1", "f2")]
    threads = [threading.Thread(target=write_after_fork, args=(store, n)) for n in ("t1", "t2")]
    for worker in children + threads:
        worker.start()
    for worker in children + threads:
        worker.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    store.close()
    expected = [f"{name}-{i}" for name in ("f1", "f2", "t1", "t2") for i in range(10)]
    assert len(assert_whole(tmp_path, [*expected, "parent-0"])) == 41


def test_stores_indexed_by_several_processes_agree(tmp_path):
    path = str(tmp_path / "s.sqlite")
    with SQLiteStore(path, key="n") as one, SQLiteStore(path, key="n") as two:
        one.update([{"n": n, "even": n % 2 == 0} for n in range(20)])
        assert two.ensure_index("even")
        one.update({"n": 20, "even": True})
        assert two.count({"even": True}) == one.count({"even": True}) == 11
        assert [d["n"] for d in one.query({"even": False}, sort={"n": -1}, limit=2)] == [19, 17]
