"""A simulated campaign: throughput, and growth of all operations with the number of materials.

    python benchmarks/campaign_scale.py [--materials 100 1000 10000] [--run 20] [--workers 3]

First several workers run the flows of a few materials on a launchpad (:mod:`campaign_jobs`: jobs
that compute nothing). Then completed flows are copied until the launchpad and the store hold each
number of materials, and these are timed: submitting ten more, check-out of a job, ``status``,
``failures`` and ``repair`` of all, building ten materials more, a filtered page. Prints seconds of
CPU time (of this process and of the test server, so that other programs do not count), sizes and
the exponents of growth between the numbers: 1 is linear.

MongoDB is the one at TEST_MONGODB_URI, else the server of the tests, whose hash indexes show which
queries lack an index, but which is much slower. The outputs are in an embedded store.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bson

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

import campaign_jobs  # noqa: E402
from helpers.campaign import Campaign  # noqa: E402
from helpers.mongo_process import mongodb  # noqa: E402
from vitrion.database.builders import build, build_if_changed  # noqa: E402
from vitrion.database.client import VitrionClient  # noqa: E402
from vitrion.database.collections import Collections  # noqa: E402
from vitrion.launchpad.repair import repair  # noqa: E402
from vitrion.launchpad.status import failures, status  # noqa: E402
from vitrion.launchpad.submission import Submission, submit  # noqa: E402
from vitrion.store.job_store import FILE_NAME, open_job_store  # noqa: E402

if TYPE_CHECKING:
    from fireworks import LaunchPad

DATABASE = "vitrion_campaign"
# The test server is one busy process, which a driver would otherwise take for dead.
PATIENT = "?serverMonitoringMode=poll&heartbeatFrequencyMS=600000&connectTimeoutMS=600000"
PAGE = {"chemsys": "Li-P", "phase": "amorphous", "sort": "-last_updated", "limit": 50}


def run_flows(campaign: Campaign, materials: int, workers: int) -> None:
    """Run the flows of some materials by several workers, and print the throughput."""
    flows = [Submission(campaign_jobs.flow(f"run-{k}"), f"run-{k}") for k in range(materials)]
    began = time.perf_counter()
    submit(flows, campaign.launchpad)
    submitted = time.perf_counter() - began
    path = os.pathsep.join([str(ROOT / "benchmarks"), *sys.path])
    campaign.environment["PYTHONPATH"] = path
    began = time.perf_counter()
    running = [campaign.worker() for _ in range(workers)]
    codes = [worker.wait() for worker in running]
    wall = time.perf_counter() - began
    for failure in failures(campaign.launchpad)[:3]:
        print(f"failed: {failure.job}: {failure.error}")
    done = sum(row.completed for row in status(campaign.launchpad))
    print(
        f"{materials} flows submitted in {submitted:.1f} s; {done} jobs by {workers} workers in "
        f"{wall:.0f} s, with their start: {done / wall:.2f} jobs/s (exit codes {codes})",
        flush=True,
    )


class Copier:
    """Copies a completed flow on the launchpad and its outputs in the store."""

    def __init__(
        self, launchpad: LaunchPad, store: Any, outputs: list[dict[str, Any]], most: int
    ) -> None:
        self.launchpad, self.store, self.outputs, self.most = launchpad, store, outputs, most
        workflow = launchpad.workflows.find_one({"state": "COMPLETED"}, {"_id": 0})
        self.nodes = workflow["nodes"]
        of_flow = ({"fw_id": {"$in": self.nodes}}, {"_id": 0})
        launches = list(launchpad.launches.find(*of_flow))
        self.launch_ids = [launch["launch_id"] for launch in launches]
        # Decoding is the fastest way to copy.
        self.workflow = bson.encode(workflow)
        self.fireworks = [bson.encode(fw) for fw in launchpad.fireworks.find(*of_flow)]
        self.launches = [bson.encode(launch) for launch in launches]
        self.next_id = 10**7

    def copy(self, material: str) -> tuple[dict, list[dict], list[dict], list[dict]]:
        """Return workflow, fireworks, launches and outputs of another material."""
        shift = self.next_id
        self.next_id += 1000
        numbers = {number: shift + k for k, number in enumerate(self.nodes)}
        launch_ids = {number: shift + k for k, number in enumerate(self.launch_ids)}
        workflow = bson.decode(self.workflow)
        workflow["nodes"] = list(numbers.values())
        for name in ("fw_states", "links", "parent_links"):
            workflow[name] = {
                str(numbers[int(key)]): [numbers[n] for n in value]
                if isinstance(value, list)
                else value
                for key, value in workflow[name].items()
            }
        workflow["metadata"]["vitrion"].update(material=material, label=f"copy-{material}")
        fireworks = [bson.decode(firework) for firework in self.fireworks]
        launches = [bson.decode(launch) for launch in self.launches]
        for firework in fireworks:
            firework["fw_id"] = numbers[firework["fw_id"]]
            firework["launches"] = [launch_ids[n] for n in firework["launches"]]
        for launch in launches:
            launch.update(launch_id=launch_ids[launch["launch_id"]], fw_id=numbers[launch["fw_id"]])
        outputs = [{**output, "output": {**output["output"]}} for output in self.outputs]
        for output in outputs:
            output["uuid"] = str(uuid.uuid4())
            if "material_id" in output["output"]:
                output["output"]["material_id"] = material
        return workflow, fireworks, launches, outputs

    def fill(self, first: int, last: int, moment: float) -> float:
        """Add copies of the flows first to last; return the time of the last output."""
        for start in range(first, last, 100):
            copies = [self.copy(f"copy-{k}") for k in range(start, min(start + 100, last))]
            self.launchpad.workflows.insert_many([c[0] for c in copies])
            self.launchpad.fireworks.insert_many([fw for c in copies for fw in c[1]])
            self.launchpad.launches.insert_many([la for c in copies for la in c[2]])
            outputs = [output for c in copies for output in c[3]] if start < self.most else []
            for output in outputs:
                moment += 10.0
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
                output["completed_at"] = f"{stamp}.000000"
            if outputs:
                self.store.update(outputs)
        return moment


def cpu_seconds() -> float:
    """Return the CPU time of this process and of the test server, if it was started."""
    own, ticks = os.getpid(), 0
    for child in Path(f"/proc/{own}/task/{own}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def seconds(work: Any) -> float:
    began = cpu_seconds()
    work()
    return cpu_seconds() - began


def measure(
    campaign: Campaign, collections: Collections, count: int, copier: Copier, moment: float
) -> tuple[dict[str, float], float]:
    """Return the times of all operations with this number of materials."""
    launchpad, times = campaign.launchpad, {}
    build(collections)
    ten = [Submission(campaign_jobs.flow(f"new-{count}-{k}"), f"new-{count}") for k in range(10)]
    times["submit 10 flows"] = seconds(lambda: submit(ten, launchpad))
    times["check-out of a job"] = seconds(lambda: launchpad._get_a_fw_to_run(checkout=False))
    times["status"] = seconds(lambda: status(launchpad))
    times["status of a material"] = seconds(lambda: status(launchpad, f"copy-{count // 2}"))
    times["failures"] = seconds(lambda: failures(launchpad))
    times["repair"] = seconds(lambda: repair(launchpad, watch_s=0.0, lost_after_s=1e9))
    # The state decides what a repair reads; that of the jobs stays, so nothing is to be repaired.
    reopened = {"state": "COMPLETED"}, {"$set": {"state": "READY"}}
    launchpad.workflows.update_many(*reopened)
    times["repair, all unfinished"] = seconds(
        lambda: repair(launchpad, watch_s=0.0, lost_after_s=1e9)
    )
    launchpad.workflows.update_many(
        {"state": "READY", "metadata.vitrion.material": {"$regex": "^(copy|run)-"}},
        {"$set": {"state": "COMPLETED"}},
    )
    most, copier.most = copier.most, 10**9
    moment = copier.fill(10**6 + count, 10**6 + count + 10, moment)
    copier.most = most
    times["build of 10 materials more"] = seconds(lambda: build_if_changed(collections))
    times["build of nothing"] = seconds(lambda: build_if_changed(collections))
    client = VitrionClient.over(collections)
    client.conductivity.search(**PAGE, fields=["sigma_300K"])
    times["page of 50"] = seconds(lambda: client.conductivity.search(**PAGE, fields=["sigma_300K"]))
    times["one material"] = seconds(
        lambda: client.conductivity.search(material_id=f"copy-{count // 2}")
    )
    path = Path(collections.job_store.path) / FILE_NAME
    times["store, MB"] = path.stat().st_size / 1e6
    return times, moment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--materials", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument(
        "--stored", type=int, default=10**9, help="Materials whose outputs are stored, at most."
    )
    parser.add_argument("--run", type=int, default=20)
    parser.add_argument("--workers", type=int, default=3)
    asked = parser.parse_args()
    rows: list[dict[str, float]] = []
    with mongodb() as uri, tempfile.TemporaryDirectory() as name:
        address = os.environ.get("TEST_MONGODB_URI", f"{uri}/{PATIENT}")
        campaign = Campaign(Path(name), address, DATABASE)
        run_flows(campaign, asked.run, asked.workers)
        store = open_job_store(Path(name) / "store")
        uuids = [
            fw["spec"]["_tasks"][0]["job"]["uuid"]
            for fw in campaign.launchpad.fireworks.find(
                {"fw_id": {"$in": campaign.launchpad.workflows.find_one({})["nodes"]}}
            )
        ]
        outputs = list(campaign.job_store().docs_store.query({"uuid": {"$in": uuids}}))
        outputs = [{k: v for k, v in output.items() if k != "_id"} for output in outputs]
        copier, moment, first = Copier(campaign.launchpad, store, outputs, asked.stored), 1.8e9, 0
        with Collections(store) as collections:
            for count in asked.materials:
                began = time.perf_counter()
                moment = copier.fill(first, count, moment)
                print(f"{count}: filled in {time.perf_counter() - began:.0f} s", flush=True)
                times, moment = measure(campaign, collections, count, copier, moment)
                rows.append(times)
                first = count
                print("  " + ", ".join(f"{k} {v:.3f}" for k, v in times.items()), flush=True)
            print_sizes(copier, collections)
        campaign.launchpad.connection.drop_database(DATABASE)
    print_table(asked.materials, rows)


def print_sizes(copier: Copier, collections: Collections) -> None:
    """Print the sizes per stored material, in kB."""
    file = collections.job_store.outputs.file
    sql = "SELECT collection = 'outputs', sum(length(body)) FROM docs GROUP BY 1"
    bodies = dict(file.rows(sql))
    n_stored = collections.store("summary").count() / 2  # crystal and glass
    whole = file.rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    rest = whole[0][0] - sum(bodies.values())
    launchpad = sum(map(len, (copier.workflow, *copier.fireworks, *copier.launches)))
    print(
        f"kB per material: outputs {bodies[1] / n_stored / 1000:.0f}, collections "
        f"{bodies[0] / n_stored / 1000:.0f}, indexes and unused space "
        f"{rest / n_stored / 1000:.0f}, launchpad {launchpad / 1000:.0f}"
    )


def print_table(materials: list[int], rows: list[dict[str, float]]) -> None:
    print(f"{'seconds for materials':28}" + "".join(f"{count:>10}" for count in materials), end="")
    print("  exponents")
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:28}" + "".join(f"{value:10.3f}" for value in values), end="  ")
        for k in range(1, len(values)):
            growth = math.log(max(values[k], 0.01) / max(values[k - 1], 0.01))
            print(f"{growth / math.log(materials[k] / materials[k - 1]):6.2f}", end="")
        print()


if __name__ == "__main__":
    main()
