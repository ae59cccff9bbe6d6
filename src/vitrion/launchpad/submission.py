"""Submit flows to a FireWorks launchpad."""

from __future__ import annotations

import contextlib
import os
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fireworks import LaunchPad, fw_config
from jobflow.managers.fireworks import flow_to_workflow
from pymongo.errors import PyMongoError

from vitrion.errors import InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fireworks import Workflow
    from jobflow import Flow, Job, JobStore

    from vitrion.settings import Route

MARK = "metadata.vitrion"
LABEL_KEY = "vitrion_label"
"""Metadata of the jobs of a flow that was submitted: its label."""
_TOGETHER = 100  # workflows inserted at a time


@dataclass
class Submission:
    """A flow and what it is about.

    Parameters
    ----------
    flow
        The flow or job.
    material
        What :func:`vitrion.launchpad.status.status` lists it under, such as ``LiPO2F2 amorphous``.
    label
        A flow whose label is on the launchpad already is not handed in again; None takes the uuid
        of the flow.
    """

    flow: Flow | Job
    material: str
    label: str | None = None

    def __post_init__(self) -> None:
        if self.label is None:
            self.label = self.flow.uuid


@dataclass
class SubmitReport:
    """What was handed in.

    Attributes
    ----------
    submitted, skipped : list[str]
        Labels of the flows that were added, and of those that were there before.
    """

    submitted: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def open_launchpad(file: str | os.PathLike[str] | None = None) -> LaunchPad:
    """Open a launchpad and see that its server answers.

    Parameters
    ----------
    file
        A ``my_launchpad.yaml``; None takes the one that ``FW_config.yaml`` names.

    Raises
    ------
    InputError
        If there is no such file, or it does not describe a launchpad.
    StoreError
        If the server does not answer or refuses the login.
    """
    path = file or fw_config.LAUNCHPAD_LOC
    if path is None or not os.path.isfile(path):
        where = f"The file {path} does not exist" if path else "No launchpad is configured"
        raise InputError(f"{where}: 'vitrion config init' writes the files, edit them and retry.")
    try:
        launchpad = LaunchPad.from_file(os.fspath(path))
        launchpad.workflows.find_one({}, {"_id": 1})
    except PyMongoError as error:  # its text may hold the address, so only its kind is told
        raise StoreError(
            f"The launchpad of {path} does not answer ({type(error).__name__}): check host, login "
            "and that the server runs."
        ) from error
    except Exception as error:  # each mistake in a YAML file fails in its own way
        raise InputError(
            f"The file {path} does not describe a launchpad ({type(error).__name__}): compare it "
            "with the one that 'vitrion config init' writes."
        ) from error
    return launchpad


def submit(
    submissions: Iterable[Submission],
    launchpad: LaunchPad,
    *,
    routes: Sequence[Route] = (),
    priority: int | None = None,
    store: JobStore | None = None,
) -> SubmitReport:
    """Hand flows in; may be repeated, for a flow is added once only.

    Parameters
    ----------
    submissions
        The flows; read one after the other, so that a screen need not be in memory.
    launchpad
        Where to.
    routes
        Where the jobs run, by name; jobs that a flow makes while it runs follow them too.
    priority
        Priority of all jobs that no route gives another; higher runs first.
    store
        Where outputs go; None, the rule, takes what ``jobflow.yaml`` says on the machine that
        runs a job. A given store is written into the jobs, with its password if it has one.

    Returns
    -------
    SubmitReport
        What was added.
    """
    launchpad.workflows.create_index(f"{MARK}.label")
    launchpad.workflows.create_index(f"{MARK}.material")
    report = SubmitReport()
    batch: list[Submission] = []
    for submission in submissions:
        batch.append(submission)
        if len(batch) == _TOGETHER:
            _submit_batch(batch, launchpad, routes, priority, store, report)
            batch = []
    _submit_batch(batch, launchpad, routes, priority, store, report)
    return report


def _submit_batch(
    batch: Sequence[Submission],
    launchpad: LaunchPad,
    routes: Sequence[Route],
    priority: int | None,
    store: JobStore | None,
    report: SubmitReport,
) -> None:
    known = _known_labels([str(submission.label) for submission in batch], launchpad)
    workflows = []
    for submission in batch:
        label = str(submission.label)
        if label in known:
            report.skipped.append(label)
            continue
        known.add(label)
        workflows.append(_workflow(submission, routes, priority, store))
        report.submitted.append(label)
    if workflows:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            launchpad.bulk_add_wfs(workflows)  # shows a progress bar of its own


def _known_labels(labels: list[str], launchpad: LaunchPad) -> set[str]:
    """Return the labels on the launchpad, after removing flows whose adding was cut off."""
    known = set()
    query = {f"{MARK}.label": {"$in": labels}}
    for found in launchpad.workflows.find(query, {"nodes": 1, MARK: 1}):
        nodes = found["nodes"]
        if launchpad.fireworks.count_documents({"fw_id": {"$in": nodes}}) == len(nodes):
            known.add(found["metadata"]["vitrion"]["label"])
        else:  # workflows are written before their fireworks
            launchpad.fireworks.delete_many({"fw_id": {"$in": nodes}})
            launchpad.workflows.delete_one({"_id": found["_id"]})
    return known


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
