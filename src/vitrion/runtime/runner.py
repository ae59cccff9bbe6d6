"""Run a flow on one machine with several worker processes; resumable after a kill.

jobflow's ``run_locally`` runs jobs one by one and keeps nothing after a kill. Here independent
jobs run in parallel, one thread each, and a run folder records the finished jobs::

    run_folder/flow.json                  the flow, written once, so that uuids never change
    run_folder/jobs/<job>/                the directory of that job, also in reruns
    run_folder/jobs/<job>/response.json   written after the job's output is in the store
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import traceback
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.errors import InputError, SimulationError
from vitrion.runtime.atomic import only_process, write_durably
from vitrion.runtime.cores import own_core, share_cores
from vitrion.runtime.processes import ONE_THREAD, enter_worker, environment, process_pool

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ProcessPoolExecutor

    from jobflow import Flow, Job, JobStore
    from maggma.core import Store

FLOW_FILE = "flow.json"
RESPONSE_FILE = "response.json"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VERSION = re.compile(r'"@version": [^,}]*')
DIVERSIONS = ("replace", "detour", "addition")
SLOW_IMPORTS = ("emmet.core.material_property", "h5py", "jobflow", "pymatgen.core", "scipy.stats")
"""Modules that most jobs need and that take seconds to import."""


@dataclass
class _Node:
    """A scheduled job, its parents, and the jobs that it replaces or detours."""

    job: Job
    parents: tuple[str, ...]
    owners: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        return self.job.uuid, self.job.index


@dataclass
class RunReport:
    """Outcome of a run.

    Attributes
    ----------
    completed, skipped : list[str]
        Names of the jobs that ran now, and of the jobs completed earlier.
    errors : dict[str, str]
        Error of each failed job by name. Jobs that depend on it did not run, or failed without its
        output; they are not listed. A second failed job of the same name is listed as "name (2)".
    open : int
        Number of known jobs that have not run yet.
    """

    completed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    open: int = 0

    def add_error(self, name: str, error: str) -> None:
        """Add the error of a job under a unique name."""
        key, count = name, 1
        while key in self.errors:
            count += 1
            key = f"{name} ({count})"
        self.errors[key] = error

    def raise_for_errors(self) -> None:
        """Raise SimulationError with the first error; do nothing without errors."""
        for name, error in self.errors.items():
            raise SimulationError(f"{name} failed: {error}")


def run_flow(
    flow: Flow | Callable[[], Flow],
    store: JobStore,
    folder: str | Path,
    *,
    workers: int = 1,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
) -> RunReport:
    """Run a flow, or resume the flow of an interrupted call in the same folder.

    Parameters
    ----------
    flow : Flow or callable
        The flow, or a function that creates it, called only if the folder has no flow. The stored
        flow is resumed, because the uuids of the jobs must not change.
    store : JobStore
        Store of the outputs; worker processes open it from its serialized form, so it cannot be in
        memory.
    folder : path
        The run folder.
    workers : int
        Number of worker processes of one thread each.
    on_change : callable, optional
        Called at the start, with the jobs completed earlier, and then about once a second, with the
        names of the running jobs by their directory, and the report so far.

    Returns
    -------
    RunReport
        Completed, skipped and failed jobs.

    Raises
    ------
    InputError
        If another process uses this folder, or it holds a different flow, or the store is in
        memory.
    """
    _check_shared(store)
    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder / "lock"), environment(ONE_THREAD):
        flow = _remembered_flow(flow, folder)
        return _Scheduler(folder, store, workers, on_change).run(flow)


def _check_shared(store: JobStore) -> None:
    """Refuse stores in the memory of this process: outputs of the workers would be lost."""
    from maggma.stores import MemoryStore

    additional: dict[str, Store] = store.additional_stores  # type: ignore[has-type]
    for each in (store.docs_store, *additional.values()):
        if isinstance(each, MemoryStore):
            raise InputError(
                f"Worker processes cannot share a {type(each).__name__}: use "
                "vitrion.open_job_store or a MongoStore, or run with jobflow.run_locally."
            )


class _Scheduler:
    """Schedules jobs on the workers once their parents are done."""

    def __init__(
        self,
        folder: Path,
        store: JobStore,
        workers: int,
        on_change: Callable[[dict[Path, str], RunReport], None] | None,
    ) -> None:
        self.folder, self.store, self.workers, self.on_change = folder, store, workers, on_change
        self.waiting: list[_Node] = []
        self.running: dict[Future, _Node] = {}
        self.failed: set[str] = set()
        self.childless: set[str] = set()
        self.report = RunReport()
        self.stopped = False

    def run(self, flow: Flow) -> RunReport:
        self._add(flow, ())
        self._skip_finished()
        self._notify()
        arguments = (self.workers, self.folder / "cores")
        pool = process_pool(self.workers, SLOW_IMPORTS, _start_worker, *arguments)
        try:
            while (self.waiting and not self.stopped) or self.running:
                self._start_ready(pool)
                self._collect()
        except BrokenProcessPool as exc:
            names = ", ".join(node.job.name for node in self.running.values())
            raise SimulationError(
                f"A worker process died (killed, or out of memory) during {names or 'no job'}: "
                "rerun the command to resume."
            ) from exc
        finally:
            for process in list((pool._processes or {}).values()):
                if self.running:  # interrupted: the files of the workers are always resumable
                    process.terminate()
            pool.shutdown(wait=not self.running, cancel_futures=True)
            self.report.open = len(self.waiting) + len(self.running)
        return self.report

    def _add(self, flow: Flow, owners: tuple[str, ...]) -> None:
        self.waiting += [
            _Node(job, tuple(parents), (*owners, job.uuid)) for job, parents in flow.iterflow()
        ]

    def _skip_finished(self) -> None:
        """Skip all jobs that an earlier call completed."""
        count = -1
        while count != len(self.report.skipped) and not self.stopped:
            count = len(self.report.skipped)
            for node in list(self.waiting):
                if self._is_ready(node):
                    self._skip(node)

    def _skip(self, node: _Node) -> bool:
        """Skip a job that an earlier call completed; return whether it did."""
        remembered = _read_response(self._directory(node))
        if remembered is None:
            return False
        self.waiting.remove(node)
        self.report.skipped.append(node.job.name)
        self._divert(node, remembered)
        return True

    def _start_ready(self, pool: ProcessPoolExecutor) -> None:
        for node in list(self.waiting):
            if self.stopped or len(self.running) >= self.workers:
                return
            if node not in self.waiting or not self._is_ready(node):
                continue
            if not self._may_run(node):
                self.waiting.remove(node)
            elif not self._skip(node):
                self.waiting.remove(node)
                self._forget_dependents(node)
                payload = _to_json({"job": node.job.as_dict(), "store": self.store.as_dict()})
                future = pool.submit(_execute, payload, str(self._directory(node)))
                self.running[future] = node

    def _is_ready(self, node: _Node) -> bool:
        pending = {
            uuid
            for other in (*self.waiting, *self.running.values())
            if other is not node
            for uuid in other.owners
        }
        # A job inside a replacement or detour may refer to the job it replaces.
        return not (pending - set(node.owners)) & set(node.parents)

    def _forget_dependents(self, node: _Node) -> None:
        """Remove the responses of waiting jobs that ran without this one: they run again.

        They are removed before this job runs, so that an interruption does not keep them.
        """
        outdated = set(node.owners)
        before = 0
        while before != len(outdated):
            before = len(outdated)
            for other in self.waiting:
                if (set(other.parents) - set(other.owners)) & outdated:
                    outdated.update(other.owners)
                    if (self._directory(other) / RESPONSE_FILE).exists():
                        self._forget(other.job)

    def _forget(self, job: Job) -> None:
        """Remove the response of a job, after the outputs and responses of its continuations."""
        self.store.connect()
        self.store.remove_docs({"uuid": job.uuid, "index": {"$gt": job.index}})
        responses = self.folder.glob(f"jobs/*-{job.uuid[-12:]}-*/{RESPONSE_FILE}")
        index = {path: int(path.parent.name.rpartition("-")[2]) for path in responses}
        for path in sorted(index, key=index.__getitem__, reverse=True):
            if index[path] >= job.index:
                path.unlink()

    def _may_run(self, node: _Node) -> bool:
        """Return whether the node may run, given the outcomes of its parents."""
        from jobflow.core.reference import OnMissing

        parents = set(node.parents)
        if parents & self.childless:
            self.childless.add(node.job.uuid)
            return False
        if parents & self.failed and node.job.config.on_missing_references == OnMissing.ERROR:
            self.failed.add(node.job.uuid)
            return False
        return True

    def _collect(self) -> None:
        if not self.running:
            return
        done, _ = wait(self.running, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in done:
            response = future.result()
            node = self.running.pop(future)
            if "error" in response:
                if not self.failed & set(node.parents):
                    self.report.add_error(node.job.name, response["error"])
                self.failed.add(node.job.uuid)
                continue
            self.report.completed.append(node.job.name)
            self._divert(node, response)
        self._notify()

    def _notify(self) -> None:
        self.report.open = len(self.waiting) + len(self.running)
        if self.on_change is not None:
            running = {self._directory(n): n.job.name for n in self.running.values()}
            self.on_change(running, self.report)

    def _divert(self, node: _Node, response: dict[str, Any]) -> None:
        if response["stop_children"]:
            self.childless.add(node.job.uuid)
        self.stopped = self.stopped or response["stop_jobflow"]
        for kind in DIVERSIONS:
            if response[kind] is not None:
                flow = _decode(response[kind])
                _name_for_people(flow, node.job)
                # Jobs that wait for a job also wait for its replacement or detour.
                self._add(flow, node.owners if kind != "addition" else ())

    def _directory(self, node: _Node) -> Path:
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in node.job.name)
        # The end of the uuid: time-ordered uuids begin with the time.
        return self.folder / "jobs" / f"{name}-{node.job.uuid[-12:]}-{node.job.index}"


def _name_for_people(flow: Flow, job: Job) -> None:
    """Rename the job that jobflow adds to store the result of a replacement flow."""
    for other, _ in flow.iterflow():
        if other.uuid == job.uuid and other.name == "store_inputs":
            other.name = f"{job.name}, result"


def _remembered_flow(flow: Flow | Callable[[], Flow], folder: Path) -> Flow:
    from jobflow import Flow, Job
    from jobflow.core.flow import get_flow

    path = folder / FLOW_FILE
    given = flow if isinstance(flow, Flow | Job) else None
    if not path.exists():
        made = get_flow(flow() if given is None else given)  # type: ignore[operator]
        write_durably(path, _to_json(made.as_dict()))
    elif given is not None and not _made_alike(_to_json(get_flow(given).as_dict()), path):
        raise InputError(
            f"{folder} holds a different flow: use another folder, or remove {folder}."
        )
    # Always read from disk, so that a first and a resumed run use the same flow.
    return _decode(json.loads(path.read_text()))


def _made_alike(flow: str, path: Path) -> bool:
    """Return whether a flow's JSON equals the JSON in a file, apart from uuids and versions."""
    return _nameless(flow) == _nameless(path.read_text())


def _nameless(flow: str) -> str:
    numbers: dict[str, str] = {}
    numbered = UUID.sub(lambda found: numbers.setdefault(found[0], f"#{len(numbers)}"), flow)
    return VERSION.sub("", numbered)


def _execute(payload: str, directory: str) -> dict[str, Any]:
    """Run one job in a worker process and write its response."""
    from monty.os import cd

    path = Path(directory)
    path.mkdir(parents=True, exist_ok=True)
    try:
        decoded = _decode(json.loads(payload))
        job, store = decoded["job"], decoded["store"]
        # The orphan of a killed run may still be ending; two writers must not overlap.
        with own_core(), only_process(path / "lock", wait_s=30), cd(path):
            store.connect()
            try:
                response = job.run(store=store, job_dir=path)
            finally:
                store.close()  # this process runs other jobs afterwards
            kept = {kind: _as_dict(getattr(response, kind)) for kind in DIVERSIONS}
            kept |= {name: getattr(response, name) for name in ("stop_children", "stop_jobflow")}
            write_durably(path / RESPONSE_FILE, _to_json(kept))
            return kept
    except Exception as exc:  # a failed job must not stop the others
        (path / "error.txt").write_text(traceback.format_exc())
        return {"error": str(exc) or type(exc).__name__}


def _as_dict(flow: Flow | None) -> dict[str, Any] | None:
    return None if flow is None else flow.as_dict()


def _read_response(directory: Path) -> dict[str, Any] | None:
    path = directory / RESPONSE_FILE
    return json.loads(path.read_text()) if path.exists() else None


def _to_json(content: dict[str, Any]) -> str:
    from monty.json import MontyEncoder

    return json.dumps(content, cls=MontyEncoder)


def _decode(content: dict[str, Any]) -> Any:
    from monty.json import MontyDecoder

    return MontyDecoder().process_decoded(content)


def _start_worker(variables: dict[str, str], workers: int, cores: Path) -> None:
    """Silence a worker, leave Ctrl-C to the parent, and end with the parent."""
    import warnings

    enter_worker(variables)
    # All jobs together use at most the requested number of processes.
    os.environ["VITRION_WORKERS"] = str(workers)
    share_cores(cores, workers)

    warnings.simplefilter("ignore")
    logging.getLogger("jobflow").setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
