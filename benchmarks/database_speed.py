"""Time to submit a screen, and to build and query its documents.

    python benchmarks/database_speed.py [--materials 1000] [--documents 10000] [--part NAME]

Parts: ``documents`` builds and queries conductivity documents in the embedded store (a filtered,
sorted page: at most 50 ms) beside maggma's MemoryStore; ``submit`` submits a screen of three runs
per material (1,000 materials: at most 60 s) beside FireWorks' ``add_wf``; ``fireworks`` measures a
no-op job. The last two use MongoDB at TEST_MONGODB_URI, else the server of the tests, which is
slower than MongoDB.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from pymatgen.core import Lattice, Structure

from helpers.mongo_process import mongodb

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMS = (("Li", "F"), ("Li", "O", "P"), ("Li", "P", "O", "F"), ("Na", "Cl"), ("Li", "Cl", "O"))
PAGE = {
    "chemsys": "Li-P-O-F",
    "phase": "amorphous",
    "sigma_300K_min": 0.1,
    "sort": "-sigma_300K",
    "limit": 50,
}
FIELDS = ["formula_pretty", "phase", "sigma_300K", "activation_energy_eV"]


def conductivity_output() -> dict[str, Any]:
    """Return a real conductivity document, of Brownian ions at three temperatures, as stored."""
    from monty.json import jsanitize

    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.transport import analyze

    rng = np.random.default_rng(1)
    cell, symbols = np.eye(3) * 12.0, ["Li"] * 10 + ["P"] * 10
    results = {}
    for temperature in (700.0, 800.0, 900.0):
        step = 0.05 * np.exp(-0.15 / (8.617e-5 * temperature)) * 10
        moves = rng.normal(size=(400, 20, 3)) * step
        moves[:, 10:] *= 0.0
        positions = np.cumsum(moves, axis=0) + rng.uniform(0, 12, size=(20, 3))
        results[temperature] = analyze(positions, cell, symbols, 100.0, temperature, wrapped=False)
    structure = Structure(Lattice.cubic(12.0), symbols, rng.uniform(size=(20, 3)))
    document = ConductivityDoc.from_results(structure, results, phase="amorphous")
    return jsanitize(document, strict=True, allow_bson=True)


def outputs(count: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(2)
    template = conductivity_output()
    estimate = template.get("sigma_300K") or {
        "relative_error": 0.2,
        "degrees_of_freedom": 5.0,
    }
    for number in range(count):
        elements = SYSTEMS[number % len(SYSTEMS)]
        document = {
            **template,
            "elements": sorted(elements),
            "chemsys": "-".join(sorted(elements)),
            "formula_pretty": f"{''.join(elements)}{number // 50}",
            "material_id": f"m-{number // 2}",
            "phase": "amorphous" if number % 2 else "crystalline",
            "sigma_300K": {**estimate, "value": float(10 ** rng.uniform(-4, 1))},
            "activation_energy_eV": float(rng.uniform(0.2, 0.7)),
        }
        stamp = f"2026-01-01T00:00:{number:08d}"
        yield {"uuid": f"job-{number}", "index": 1, "output": document, "completed_at": stamp}


@contextmanager
def timed(label: str) -> Iterator[dict[str, float]]:
    kept: dict[str, float] = {}
    began, cpu = time.perf_counter(), time.process_time()
    yield kept
    kept["s"] = time.perf_counter() - began
    print(f"{label}: {kept['s']:.2f} s (CPU {time.process_time() - cpu:.2f} s)", flush=True)


def measure_documents(count: int, folder: Path) -> None:
    from maggma.stores import MemoryStore

    from vitrion.database.builders import build
    from vitrion.database.client import VitrionClient
    from vitrion.database.query import build_criteria, build_sort
    from vitrion.store.job_store import open_job_store

    written = list(outputs(count))
    with open_job_store(folder) as store, timed(f"write {count} outputs"):
        for start in range(0, count, 200):
            store.update(written[start : start + 200])
    with VitrionClient(folder, build=False) as client:
        with timed(f"build {count} documents"):
            print(build(client.collections).written)
        with timed("build again, nothing new"):
            assert build(client.collections).written == {}
        ours = page_time(lambda: client.conductivity.search(**PAGE, fields=FIELDS))
        whole = page_time(lambda: client.conductivity.search(**PAGE))
        key_fields = client.conductivity.key_fields
        memory = MemoryStore(key="document_id")
        memory.connect()
        memory._collection.insert_many(list(client.collections.store("conductivity").query()))
    with timed("open and find nothing new"), VitrionClient(folder):
        pass
    filters = {name: PAGE[name] for name in ("chemsys", "phase", "sigma_300K_min")}
    criteria, order = build_criteria(filters, key_fields), build_sort(PAGE["sort"], key_fields)
    theirs = page_time(lambda: list(memory.query(criteria, FIELDS, sort=order, limit=50)))
    rows = {"vitrion": ours, "vitrion, whole documents": whole, "maggma MemoryStore": theirs}
    for label, (wall, cpu) in rows.items():
        print(f"page of 50 out of {count}, {label}: {wall:.1f} ms (CPU {cpu:.1f} ms)")
    print(f"ratio of the CPU times, MemoryStore / vitrion: {theirs[1] / ours[1]:.1f}")


def page_time(find: Any, repeats: int = 7) -> tuple[float, float]:
    """Return the median wall time and CPU time of finding a page, in ms."""
    times = []
    for _ in range(repeats):
        began, cpu = time.perf_counter(), time.process_time()
        assert len(find()) == 50
        times.append((time.perf_counter() - began, time.process_time() - cpu))
    wall, cpu = np.median(np.array(times), axis=0) * 1e3
    return float(wall), float(cpu)


def screen_flow(number: int) -> Any:
    from jobflow import Flow

    from vitrion.dynamics.makers import MDMaker

    rng = np.random.default_rng(number)
    symbols = ["Li"] * 9 + ["P"] * 9 + ["O"] * 18 + ["F"] * 18
    structure = Structure(Lattice.cubic(9.0), symbols, rng.uniform(size=(54, 3)))
    temperatures = (700.0, 800.0, 900.0)
    return Flow(
        [
            MDMaker(potential="chgnet", settings={"temperature_K": T}).make(structure)
            for T in temperatures
        ],
        name=f"material {number}",
    )


def measure_submission(materials: int) -> None:
    from fireworks import LaunchPad
    from jobflow.managers.fireworks import flow_to_workflow

    from vitrion.launchpad.status import status
    from vitrion.launchpad.submission import Submission, submit

    with mongodb() as uri:
        launchpad = LaunchPad(host=uri, uri_mode=True, name="vitrion_benchmark", strm_lvl="ERROR")
        launchpad.reset("", require_password=False)
        with timed(f"make {materials} flows"):
            flows = [screen_flow(number) for number in range(materials)]
        submissions = [Submission(flow, f"m{i}", f"m{i}") for i, flow in enumerate(flows)]
        with timed(f"submit {materials} materials, {3 * materials} jobs") as ours:
            assert len(submit(submissions, launchpad).submitted) == materials
        with timed("status"):
            assert len(status(launchpad)) == materials
        few = flows[: max(materials // 20, 1)]
        with timed(f"add_wf of {len(few)} of them") as theirs:
            for flow in few:
                launchpad.add_wf(flow_to_workflow(flow))
        ratio = theirs["s"] / len(few) / (ours["s"] / materials)
        print(f"a material, add_wf / vitrion: {ratio:.2f}")
        launchpad.connection.drop_database("vitrion_benchmark")


def measure_jobs(jobs: int = 50) -> None:
    from fireworks import FWorker, LaunchPad
    from fireworks.core.rocket_launcher import rapidfire
    from jobflow import Flow, JobStore, job, run_locally
    from maggma.stores import MongoStore

    from vitrion.launchpad.submission import Submission, submit

    nothing = job(abs)
    with mongodb() as uri, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        launchpad = LaunchPad(host=uri, uri_mode=True, name="vitrion_benchmark", strm_lvl="ERROR")
        launchpad.reset("", require_password=False)
        store = JobStore(MongoStore("vitrion_benchmark", "outputs", uri=uri))
        with timed(f"{jobs} no-op jobs by run_locally") as local:
            run_locally(Flow([nothing(-1) for _ in range(jobs)]), store=store, log=False)
        flows = [Submission(nothing(-1), "none", str(number)) for number in range(jobs)]
        submit(flows, launchpad, store=store)
        with timed(f"{jobs} no-op jobs by rlaunch rapidfire") as remote:
            rapidfire(launchpad, FWorker(), strm_lvl="ERROR", nlaunches=jobs)
        cost = [part["s"] / jobs * 1e3 for part in (local, remote)]
        print(f"a no-op job: {cost[0]:.1f} ms locally, {cost[1]:.1f} ms through FireWorks")
        launchpad.connection.drop_database("vitrion_benchmark")
        os.chdir("/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--materials", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=10000)
    parser.add_argument("--part", choices=("documents", "submit", "fireworks"), default=None)
    arguments = parser.parse_args()
    if arguments.part in (None, "documents"):
        with tempfile.TemporaryDirectory() as folder:
            measure_documents(arguments.documents, Path(folder))
    if arguments.part in (None, "submit"):
        measure_submission(arguments.materials)
    if arguments.part in (None, "fireworks"):
        measure_jobs()


if __name__ == "__main__":
    main()
