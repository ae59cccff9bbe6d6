"""Submit flows to a FireWorks launchpad."""

from __future__ import annotations

import os
import random
import time
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad, fw_config
from jobflow.managers.fireworks import flow_to_workflow
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from vitrion.database.servers import silence, with_timeouts
from vitrion.errors import InputError, StoreError
from vitrion.runtime.discarded_output import discard_output
from vitrion.runtime.text_files import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fireworks import Workflow
    from jobflow import Flow, Job, JobStore

    from vitrion.settings import Route

MARK = "metadata.vitrion"
LABEL_KEY = "vitrion_label"
"""Metadata key of a submitted flow's label."""
_TOGETHER = 100  # workflows per insertion
_SAMPLES = 20
_DUPLICATE_KEY = 11000
_ATTEMPTS = 8  # of a batch while other submissions add the same flows
_PAUSE_S = 0.1  # longest before the second attempt, doubled before each later one


@dataclass
class Submission:
    """A flow with its material and label.

    Parameters
    ----------
    flow
        The flow or job.
    material
        Name in :func:`vitrion.launchpad.status.status`, such as ``LiPO2F2 amorphous``.
    label
        A flow whose label is already on the launchpad is not submitted again; None for the uuid of
        the flow.
    """

    flow: Flow | Job
    material: str
    label: str | None = None

    def __post_init__(self) -> None:
        if self.label is None:
            self.label = self.flow.uuid


@dataclass
class SubmitReport:
    """Result of a submission.

    Attributes
    ----------
    submitted, skipped : list[str]
        Labels of added flows, and of flows already on the launchpad.
    """

    submitted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def open_launchpad(file: str | os.PathLike[str] | None = None) -> LaunchPad:
    """Open a launchpad and check that its server responds.

    Parameters
    ----------
    file
        A ``my_launchpad.yaml``; None for the file named in ``FW_config.yaml``.

    Raises
    ------
    InputError
        If the file does not exist or does not describe a launchpad.
    StoreError
        If the server does not respond or refuses the login.
    """
    path = file or fw_config.LAUNCHPAD_LOC
    if path is None or not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
        where = f"The file {path} does not exist" if path else "No launchpad is configured"
        raise InputError(f"{where}: write the files by 'vitrion config init' and edit them.")
    try:
        content = read_settings(Path(path))
        options = with_timeouts(content.get("mongoclient_kwargs"), str(content["host"]))
        launchpad = LaunchPad.from_dict({**content, "mongoclient_kwargs": options})
        launchpad.workflows.find_one({}, {"_id": 1})
    except PyMongoError as error:  # the message may contain the address, so only the type is shown
        raise StoreError(silence(f"The launchpad of {path}", error)) from error
    except Exception as error:  # YAML errors have many types
        raise InputError(
            f"The file {path} does not describe a launchpad ({type(error).__name__}): compare it "
            "with the file of 'vitrion config init'."
        ) from error
    return launchpad


def submit(
    submissions: Iterable[Submission],
    launchpad: LaunchPad,
    *,
    routes: Sequence[Route] = (),
    priority: int | None = None,
    store: JobStore | None = None,
    watch_s: float = 10.0,
) -> SubmitReport:
    """Submit flows; idempotent, also with concurrent submissions.

    A unique index of the database ensures that a label is added once.

    Parameters
    ----------
    submissions
        The flows, consumed one by one, so that a screen need not be in memory.
    launchpad
        Target launchpad.
    routes
        Routes of jobs by name; jobs that a flow adds while it runs follow the same routes.
    priority
        Priority of jobs without a route priority; higher runs first.
    store
        Store of the outputs; None (default) for the store of ``jobflow.yaml`` on the machine that
        runs a job. A given store is written into the jobs, including its password.
    watch_s
        Seconds for which a partly added flow is observed before it is removed and added again, as
        left by a killed submission.

    Returns
    -------
    SubmitReport
        Labels of added and skipped flows.

    Raises
    ------
    StoreError
        If the launchpad contains several flows with the same label.
    """
    _make_indexes(launchpad)
    make = partial(_workflow, routes=routes, priority=priority, store=store)
    report = SubmitReport()
    batch: list[Submission] = []
    for submission in submissions:
        batch.append(submission)
        if len(batch) == _TOGETHER:
            _submit_batch(batch, launchpad, make, watch_s, report)
            batch = []
    _submit_batch(batch, launchpad, make, watch_s, report)
    return report


def _make_indexes(launchpad: LaunchPad) -> None:
    try:
        # Sparse: other workflows have no label and are exempt.
        launchpad.workflows.create_index(f"{MARK}.label", unique=True, sparse=True)
    except DuplicateKeyError as error:
        raise StoreError(
            "The launchpad contains flows that were submitted twice under one label: remove one "
            "of each with 'lpad delete_wflows'."
        ) from error
    launchpad.workflows.create_index(f"{MARK}.material")


def _submit_batch(
    batch: Sequence[Submission],
    launchpad: LaunchPad,
    make: Callable[[Submission], Workflow],
    watch_s: float,
    report: SubmitReport,
) -> None:
    for attempt in range(_ATTEMPTS):
        known = _known_labels([str(submission.label) for submission in batch], launchpad, watch_s)
        new: dict[str, Workflow] = {}
        skipped = []
        for submission in batch:
            label = str(submission.label)
            if label in known or label in new:
                skipped.append(label)
            else:
                new[label] = make(submission)
        if not new or _add(list(new.values()), launchpad):
            report.submitted += new
            report.skipped += skipped
            return
        # Random, or submissions of the same flows in different orders undo each other again.
        time.sleep(random.uniform(0.0, _PAUSE_S * 2**attempt))
    raise StoreError(
        f"Other submissions of the same {len(batch)} flows are in progress: rerun this one later."
    )


def _add(workflows: list[Workflow], launchpad: LaunchPad) -> bool:
    """Add all workflows and return True, or none if another submission has added one."""
    try:
        with discard_output():  # it shows its own progress bar
            launchpad.bulk_add_wfs(workflows)
    except BulkWriteError as error:
        if any(fault.get("code") != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
            raise
        numbers = [fw.fw_id for workflow in workflows for fw in workflow.fws]
        launchpad.workflows.delete_many({"nodes": {"$in": numbers}})
        return False
    return True


def _known_labels(labels: list[str], launchpad: LaunchPad, watch_s: float) -> set[str]:
    """Return the labels on the launchpad, after removing partly added flows.

    Partly added flows are observed first, because a live submission may be adding them. Archived
    flows lose their label: FireWorks never runs them again.
    """
    query = {f"{MARK}.label": {"$in": labels}}
    launchpad.workflows.update_many(
        {**query, "state": "ARCHIVED"}, {"$rename": {f"{MARK}.label": f"{MARK}.archived_label"}}
    )
    found = list(launchpad.workflows.find(query, {"nodes": 1, MARK: 1}))
    missing = _missing(found, launchpad)
    quiet = 0
    while missing and quiet < _SAMPLES:
        time.sleep(watch_s / _SAMPLES)
        now = _missing([flow for flow in found if flow["_id"] in missing], launchpad)
        quiet = quiet + 1 if now == missing else 0
        missing = now
    for flow in found:
        if flow["_id"] in missing:  # workflows are written before their fireworks
            launchpad.fireworks.delete_many({"fw_id": {"$in": flow["nodes"]}})
            launchpad.workflows.delete_one({"_id": flow["_id"]})
    whole = (flow for flow in found if flow["_id"] not in missing)
    return {flow["metadata"]["vitrion"]["label"] for flow in whole}


def _missing(flows: list[dict[str, Any]], launchpad: LaunchPad) -> dict[Any, set[int]]:
    """Return the missing fireworks of each workflow of which any is missing."""
    nodes = [number for flow in flows for number in flow["nodes"]]
    query = {"fw_id": {"$in": nodes}}
    known = {fw["fw_id"] for fw in launchpad.fireworks.find(query, {"fw_id": 1, "_id": 0})}
    missing = {flow["_id"]: set(flow["nodes"]) - known for flow in flows}
    return {key: numbers for key, numbers in missing.items() if numbers}


def _workflow(
    submission: Submission, routes: Sequence[Route], priority: int | None, store: JobStore | None
) -> Workflow:
    flow = deepcopy(submission.flow)  # a route must not change the caller's flow
    if priority is not None:
        _set(flow, "", {"_priority": priority})
    for route in routes:
        values: dict[str, Any] = {
            "_fworker": route.fworker,
            "_category": route.category,
            "_queueadapter": route.queue or None,
            "_priority": route.priority,
        }
        _set(flow, route.jobs, {name: value for name, value in values.items() if value is not None})
    flow.update_metadata({LABEL_KEY: submission.label or ""})
    mark = {"material": submission.material, "label": submission.label, "flow": flow.name}
    return flow_to_workflow(flow, store, metadata={"vitrion": mark})  # type: ignore[arg-type]


def _set(flow: Flow | Job, jobs: str, values: dict[str, Any]) -> None:
    changes = {f"manager_config->{name}": value for name, value in values.items()}
    flow.update_config({"_set": changes}, name_filter=jobs, dict_mod=True, dynamic=True)
