"""Time to write job outputs to the embedded store, beside maggma's stores.

    python benchmarks/store_speed.py [--documents 1000]

Each store gets the same outputs of 5 kB, one at a time, as from jobs, and is durable after each
(except MemoryStore). Prints the time of a write when the store is new and
when it is full, the ratio of the two, the time to find one output, and the ratios of a whole no-op
job in the embedded store and in jobflow's default, the MemoryStore.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import JSONStore, MemoryStore

from vitrion.store.job_store import open_job_store
from vitrion.store.sqlite_store import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from maggma.core import Store

ENDS = 50


@job
def nothing() -> None:
    """Do nothing."""


def output(number: int, rng: np.random.Generator) -> dict[str, Any]:
    numbers = rng.normal(size=500).tolist()
    document = {"property_name": "test", "chemsys": "F-Li-O-P", "series": numbers}
    return {"uuid": f"job-{number}", "index": 1, "output": document}


def write_times(store: Store, documents: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    times = np.empty(documents)
    for number in range(documents):
        document = output(number, rng)
        began = time.perf_counter()
        store.update(document, key=["uuid", "index"])
        times[number] = time.perf_counter() - began
    return times


def find_time(store: Store, documents: int) -> float:
    began = time.perf_counter()
    for number in range(0, documents, documents // 20):
        assert store.query_one({"uuid": f"job-{number}"}) is not None
    return (time.perf_counter() - began) / 20


def job_time(store: JobStore, jobs: int = 100) -> float:
    logging.disable(logging.INFO)
    flow = Flow([nothing() for _ in range(jobs)])
    began = time.perf_counter()
    run_locally(flow, store=store, ensure_success=True)
    return (time.perf_counter() - began) / jobs


def stores(folder: Path) -> dict[str, tuple[Callable[[], Store], float]]:
    """Return the makers of the stores, and the share of the documents each is given."""
    json_file = str(folder / "docs.json")
    made: dict[str, tuple[Callable[[], Store], float]] = {
        "vitrion SQLiteStore": (lambda: SQLiteStore(str(folder / "s.sqlite"), key="uuid"), 1.0),
        "maggma MemoryStore": (lambda: MemoryStore(key="uuid"), 1.0),
        # Writes its whole file for each document, so it gets fewer.
        "maggma JSONStore": (lambda: JSONStore(json_file, read_only=False, key="uuid"), 0.2),
    }
    try:
        from maggma.stores import MontyStore

        made["maggma MontyStore"] = (
            lambda: MontyStore("docs", database_path=str(folder / "monty"), key="uuid"),
            1.0,
        )
        MontyStore("probe", database_path=str(folder / "probe"))
    except (ImportError, RuntimeError):
        made.pop("maggma MontyStore", None)
        print("maggma MontyStore: not measured (pip install montydb)")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--documents", type=int, default=1000)
    documents = parser.parse_args().documents
    print(f"{'store':22} {'n':>6} {'write new':>10} {'write full':>11} {'ratio':>6} {'find':>9}")
    full: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        for label, (make, share) in stores(Path(name)).items():
            count = max(int(documents * share), 2 * ENDS)
            with make() as store:
                times = write_times(store, count) * 1e3
                found = find_time(store, count) * 1e3
            new, full[label] = np.median(times[:ENDS]), float(np.median(times[-ENDS:]))
            ratio = full[label] / new
            print(
                f"{label:22} {count:6d} {new:7.2f} ms {full[label]:8.2f} ms {ratio:6.2f} "
                f"{found:6.2f} ms"
            )
        ours = full["vitrion SQLiteStore"]
        for label, value in full.items():
            if value != ours:
                print(f"a write to the full store, {label} / vitrion: {value / ours:.2f}")
        with open_job_store(Path(name) / "jobs") as embedded:
            ours = job_time(embedded)
        memory = job_time(JobStore(MemoryStore()))
    print(
        f"a no-op job: {ours * 1e3:.1f} ms embedded, {memory * 1e3:.1f} ms in MemoryStore, "
        f"ratio {ours / memory:.2f}"
    )


if __name__ == "__main__":
    main()
