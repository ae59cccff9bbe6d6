"""Repair a launchpad after a worker, the server or a submission was killed.

Safe to run at any time, also while workers run: states that may belong to a live process are
observed for a while, and skipped if they change. All jobs of vitrion are idempotent; other
workflows may not be, and are skipped by default.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from fireworks import Firework, fw_config
from fireworks.core.launchpad import LockedWorkflowError, WFLock
from maggma.utils import grouper

from vitrion.launchpad.status import last_errors
from vitrion.launchpad.submission import LABEL_KEY, MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fireworks import LaunchPad

_SAMPLES = 20
_TOGETHER = 50  # workflows that are read at a time
_FINISHED = ("COMPLETED", "FIZZLED")
_UNFINISHED = [state for state in Firework.STATE_RANKS if state != "COMPLETED"]
MAX_LAUNCHES = 10
"""Losses after which a firework is assumed to terminate its workers, e.g. without memory."""
BUSY = "vitrion.errors.BusyError"
"""Error of a job whose folder is locked by a live run that was declared lost."""
DETOUR = "Detour option only works if all children"
"""Error of FireWorks if a worker that was declared lost adds jobs before jobs that have run."""
# The server or the network failed, or another process has locked the folder or the flow.
_TRANSIENT = (
    "pymongo.errors.",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "BrokenPipeError",
    BUSY,
    DETOUR,
)
_LONGEST_LOOK_S = 300.0


@dataclass
class RepairReport:
    """Repaired fireworks by their ids (workflows for ``unlocked``).

    Attributes
    ----------
    unlocked : list
        Workflows with a lock of a killed process.
    orphans : list
        Fireworks without a workflow; removed.
    reconciled : list
        Fireworks whose state was not propagated to the workflow; propagated.
    unreserved : list
        Fireworks reserved by a process that was killed before running them; made ready.
    lost : list
        Fireworks whose worker is lost; made ready.
    retried : list
        Fireworks that failed for reasons outside the job; made ready.
    failed : list
        Fireworks that failed by their own error, or were lost too often; unchanged.
    """

    unlocked: list[Any] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    reconciled: list[int] = field(default_factory=list)
    unreserved: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    retried: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was repaired."""
        return any(getattr(self, part.name) for part in fields(self) if part.name != "failed")


def repair(
    launchpad: LaunchPad,
    *,
    lost_after_s: float | None = None,
    watch_s: float = 30.0,
    retry_failed: bool = False,
    everyone: bool = False,
) -> RepairReport:
    """Repair the workflows of vitrion on a launchpad.

    Parameters
    ----------
    launchpad
        The launchpad.
    lost_after_s
        Seconds without a report after which a run is lost, unless it reports between two
        observations, one and a half times ``PING_TIME_SECS`` apart (at most `lost_after_s`),
        because the clock of a worker may be wrong. Must be several times the report interval;
        None for ``RUN_EXPIRATION_SECS``.
    watch_s
        Seconds for which locks, reservations and fireworks without a workflow are observed before
        they are repaired; not waited for if there are none.
    retry_failed
        Also rerun jobs that failed by their own error.
    everyone
        Also repair workflows not submitted by vitrion; their jobs may run twice.

    Returns
    -------
    RepairReport
        The repaired fireworks and workflows.
    """
    lost_after_s = fw_config.RUN_EXPIRATION_SECS if lost_after_s is None else lost_after_s
    report = RepairReport()
    scope = _Scope(launchpad, everyone)
    locked, reserved, orphans = _stuck(scope, watch_s)
    for key in locked:
        launchpad.workflows.update_one({"_id": key}, {"$unset": {"locked": ""}})
        report.unlocked.append(key)
    if orphans:
        launchpad.fireworks.delete_many({"fw_id": {"$in": orphans}})
        report.orphans = orphans
    _reconcile(scope, report)
    for fw_id in reserved:
        _attempt(launchpad.rerun_fw, fw_id, report.unreserved, report)
    _rerun_lost(scope, lost_after_s, report)
    _retry_fizzled(scope, retry_failed, report)
    return report


@dataclass(frozen=True)
class _Scope:
    """The part of a launchpad that may be repaired."""

    launchpad: LaunchPad
    everyone: bool

    @property
    def workflows(self) -> dict[str, Any]:
        """Filter of the workflows."""
        return {} if self.everyone else {MARK: {"$exists": True}}

    @property
    def orphans(self) -> dict[str, Any]:
        """Filter of the fireworks that may be removed if they have no workflow."""
        return {} if self.everyone else {f"spec._tasks.job.metadata.{LABEL_KEY}": {"$exists": True}}

    def own(self, fw_ids: Iterable[int]) -> set[int]:
        """Return the fireworks that belong to these workflows."""
        wanted = set(fw_ids)
        if self.everyone or not wanted:
            return wanted
        query = {"nodes": {"$in": sorted(wanted)}, **self.workflows}
        found = self.launchpad.workflows.find(query, {"nodes": 1})
        return wanted & {number for workflow in found for number in workflow["nodes"]}


def _stuck(scope: _Scope, watch_s: float) -> tuple[list[Any], list[int], list[int]]:
    """Return locks, reservations and orphans that do not change during observation."""
    looks = (_locks, _reservations, _orphans)
    found = [look(scope) for look in looks]
    for _ in range(_SAMPLES):
        if not any(found):
            break
        time.sleep(watch_s / _SAMPLES)
        now = [look(scope) if before else {} for look, before in zip(looks, found, strict=True)]
        found = [
            dict(before.items() & after.items()) for before, after in zip(found, now, strict=True)
        ]
    locks, reservations, orphans = found
    return list(locks), sorted(reservations), sorted(orphans)


def _locks(scope: _Scope) -> dict[Any, Any]:
    """Return the time of the last change of each locked workflow."""
    query = {"locked": True, **scope.workflows}
    found = scope.launchpad.workflows.find(query, {"updated_on": 1})
    return {workflow["_id"]: workflow["updated_on"] for workflow in found}


def _reservations(scope: _Scope) -> dict[int, Any]:
    """Return the time of the last change of each reserved firework without a reserved launch."""
    launchpad = scope.launchpad
    reservations = {}
    query = {"state": "RESERVED"}
    for fw in launchpad.fireworks.find(query, {"fw_id": 1, "launches": 1, "updated_on": 1}):
        # A firework with a reserved launch may wait in a queue for days.
        waiting = {"launch_id": {"$in": fw.get("launches") or []}, "state": "RESERVED"}
        if launchpad.launches.find_one(waiting, {"_id": 1}) is None:
            reservations[fw["fw_id"]] = fw["updated_on"]
    own = scope.own(reservations)
    return {fw_id: mark for fw_id, mark in reservations.items() if fw_id in own}


def _orphans(scope: _Scope) -> dict[int, None]:
    """Return the fireworks that belong to no workflow."""
    launchpad = scope.launchpad
    # The numbers alone, which an index of FireWorks contains, before any workflow is read: one that
    # is added meanwhile must not make its fireworks orphans.
    numbers = {fw["fw_id"] for fw in launchpad.fireworks.find({}, {"fw_id": 1, "_id": 0})}
    for workflow in launchpad.workflows.find({}, {"nodes": 1}):
        numbers.difference_update(workflow["nodes"])
    if not numbers:
        return {}
    query = {"fw_id": {"$in": list(numbers)}, **scope.orphans}
    return {fw["fw_id"]: None for fw in launchpad.fireworks.find(query, {"fw_id": 1})}


def _reconcile(scope: _Scope, report: RepairReport) -> None:
    """Propagate states of fireworks to workflows after an interrupted write."""
    launchpad = scope.launchpad
    for workflows in grouper(_unfinished_workflows(scope), _TOGETHER):
        known = {number: state for flow in workflows for number, state in flow["fw_states"].items()}
        query = {"fw_id": {"$in": [number for flow in workflows for number in flow["nodes"]]}}
        fields = {"fw_id": 1, "state": 1, "launches": 1}
        found = list(launchpad.fireworks.find(query, fields))
        states = {fw["fw_id"]: fw["state"] for fw in found}
        for flow in workflows:
            parents = _parents_of_missing(flow, states)
            for fw_id in parents:
                _attempt(partial(_add_again, launchpad, parents), fw_id, report.reconciled, report)
        forgotten = {number for flow in workflows for number in _forgotten(flow)}
        for fw in found:
            is_known = fw["state"] == known.get(str(fw["fw_id"])) and fw["fw_id"] not in forgotten
            if is_known and not _has_finished_launch(launchpad, fw):
                continue
            _attempt(partial(_refresh, launchpad), fw["fw_id"], report.reconciled, report)


def _unfinished_workflows(scope: _Scope) -> Iterator[dict[str, Any]]:
    """Yield the workflows that are not completed, or of which a firework is not."""
    launchpad = scope.launchpad
    fields = {"nodes": 1, "fw_states": 1, "links": 1, "parent_links": 1}
    unfinished = {"state": {"$in": _UNFINISHED}}
    numbers = {fw["fw_id"] for fw in launchpad.fireworks.find(unfinished, {"fw_id": 1})}
    for workflow in launchpad.workflows.find({**unfinished, **scope.workflows}, fields):
        numbers.difference_update(workflow["nodes"])
        yield workflow
    # A rerun that was killed leaves a completed workflow with a firework that waits.
    yield from launchpad.workflows.find(
        {"nodes": {"$in": list(numbers)}, "state": "COMPLETED", **scope.workflows}, fields
    )


def _forgotten(workflow: dict[str, Any]) -> list[int]:
    """Return the fireworks that wait although all their parents are completed.

    A late write of a stalled worker can leave them, with equal states in both collections.
    """
    states = workflow["fw_states"]
    return [
        int(number)
        for number, parents in workflow["parent_links"].items()
        if states.get(number) == "WAITING"
        and all(states.get(str(parent)) == "COMPLETED" for parent in parents)
    ]


def _parents_of_missing(workflow: dict[str, Any], states: dict[int, str]) -> list[int]:
    """Return the completed fireworks of a workflow whose new jobs do not exist.

    They are removed as orphans if the worker that adds them stalls before it adds them to the
    workflow. Missing fireworks of a submission have no completed parents.
    """
    return [
        number
        for number in workflow["nodes"]
        if states.get(number) == "COMPLETED"
        and any(child not in states for child in workflow["links"].get(str(number), []))
    ]


def _add_again(launchpad: LaunchPad, parents: list[int], fw_id: int) -> None:
    """Remove missing new jobs from a workflow, and add a firework's new jobs from its action."""
    with WFLock(launchpad, fw_id, expire_secs=10, kill=False):
        workflow = launchpad.workflows.find_one({"nodes": fw_id})
        found = launchpad.fireworks.find({"fw_id": {"$in": workflow["nodes"]}}, {"fw_id": 1})
        kept = {fw["fw_id"] for fw in found}
        if kept != set(workflow["nodes"]):
            changes = _without_missing(workflow, kept)
            # As after a kill between the end of a job and its consequences.
            changes["fw_states"] |= dict.fromkeys(map(str, parents), "RUNNING")
            launchpad.workflows.update_one({"_id": workflow["_id"]}, {"$set": changes})
    _refresh(launchpad, fw_id)


def _without_missing(workflow: dict[str, Any], kept: set[int]) -> dict[str, Any]:
    changes: dict[str, Any] = {"nodes": [number for number in workflow["nodes"] if number in kept]}
    for name in ("links", "parent_links"):
        changes[name] = {
            number: [other for other in others if other in kept]
            for number, others in workflow[name].items()
            if int(number) in kept
        }
    states = workflow["fw_states"].items()
    changes["fw_states"] = {number: state for number, state in states if int(number) in kept}
    return changes


def _has_finished_launch(launchpad: LaunchPad, fw: dict) -> bool:
    """Return whether a firework is marked as running although its launch has ended."""
    if fw["state"] != "RUNNING":
        return False
    query = {"launch_id": {"$in": fw.get("launches") or []}, "state": {"$in": _FINISHED}}
    return launchpad.launches.find_one(query, {"_id": 1}) is not None


def _refresh(launchpad: LaunchPad, fw_id: int) -> None:
    with WFLock(launchpad, fw_id, expire_secs=10, kill=False):
        # Checked again under the lock, where no live process is between two writes.
        workflow = launchpad.workflows.find_one({"nodes": fw_id}, {"fw_states": 1})
        fw = launchpad.fireworks.find_one({"fw_id": fw_id}, {"state": 1})
        known = workflow["fw_states"].get(str(fw_id))
        if fw["state"] in _FINISHED and known not in _FINISHED:
            # The end was written, but not its consequences: new jobs, children made ready.
            # FireWorks writes them on a state change, so the old state is restored.
            launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": "RUNNING"}})
    launchpad._refresh_wf(fw_id)


def _rerun_lost(scope: _Scope, lost_after_s: float, report: RepairReport) -> None:
    launchpad = scope.launchpad
    for launch_id, fw_id in _silent(scope, lost_after_s).items():
        fw = launchpad.fireworks.find_one({"fw_id": fw_id}, {"state": 1, "launches": 1})
        if fw is None or launch_id not in fw["launches"]:
            # Killed between creating the launch and assigning it to its firework.
            launchpad.launches.update_one({"launch_id": launch_id}, {"$set": {"state": "FIZZLED"}})
        elif fw["state"] == "RUNNING":
            launchpad.mark_fizzled(launch_id)
            _run_again(launchpad, fw_id, report.lost, report)


def _silent(scope: _Scope, lost_after_s: float) -> dict[int, int]:
    """Return the fireworks of runs that do not report between two observations, by launch."""
    launchpad = scope.launchpad
    # As detect_lostruns() of FireWorks, without its comparison of all fireworks and launches.
    limit = (datetime.now(UTC) - timedelta(seconds=lost_after_s)).isoformat()
    unreported = {"$elemMatch": {"state": "RUNNING", "updated_on": {"$lte": limit}}}
    first = _last_reports(launchpad, {"state_history": unreported})
    own = scope.own(fw_id for fw_id, _ in first.values())
    first = {launch: report for launch, report in first.items() if report[0] in own}
    if not first:
        return {}
    time.sleep(min(1.5 * fw_config.PING_TIME_SECS, lost_after_s, _LONGEST_LOOK_S))
    second = _last_reports(launchpad, {"launch_id": {"$in": list(first)}})
    return {launch: report[0] for launch, report in first.items() if second.get(launch) == report}


def _last_reports(launchpad: LaunchPad, query: dict[str, Any]) -> dict[int, tuple[int, Any]]:
    """Return the firework of each running launch, and its worker's last report."""
    query = {**query, "state": "RUNNING"}
    parts = {"launch_id": 1, "fw_id": 1, "state_history": 1}
    return {
        launch["launch_id"]: (launch["fw_id"], launch["state_history"])
        for launch in launchpad.launches.find(query, parts)
    }


def _retry_fizzled(scope: _Scope, retry_failed: bool, report: RepairReport) -> None:
    launchpad = scope.launchpad
    failed = launchpad.fireworks.find({"state": "FIZZLED"}, {"fw_id": 1})
    fw_ids = list(scope.own(fw["fw_id"] for fw in failed))
    errors = last_errors(launchpad, fw_ids)
    for fw_id in sorted(fw_ids):
        if retry_failed:
            _attempt(launchpad.rerun_fw, fw_id, report.retried, report)
        elif not errors[fw_id] or any(mark in errors[fw_id] for mark in _TRANSIENT):
            for number in _run_too_early(launchpad, errors[fw_id]):
                _attempt(launchpad.rerun_fw, number, report.retried, report)
            _run_again(launchpad, fw_id, report.retried, report)
        else:
            report.failed.append(fw_id)


def _run_too_early(launchpad: LaunchPad, error: str) -> list[int]:
    """Return the fireworks that have run although jobs are to be added before them."""
    found = re.search(rf"fw_id=(\d+): {DETOUR}", error)
    if found is None:
        return []
    query = {"nodes": int(found[1])}
    workflow = launchpad.workflows.find_one(query, {"links": 1, "fw_states": 1})
    if workflow is None:
        return []
    children = workflow["links"].get(found[1], [])
    return [child for child in children if workflow["fw_states"].get(str(child)) != "WAITING"]


def _run_again(launchpad: LaunchPad, fw_id: int, done: list[int], report: RepairReport) -> None:
    """Make a lost firework ready, unless it was lost too often.

    Failures by a locked folder are not counted: they cost nothing, and end with the other run.
    """
    fw = launchpad.fireworks.find_one({"fw_id": fw_id}, {"launches": 1, "archived_launches": 1})
    launch_ids = [*fw["launches"], *(fw.get("archived_launches") or [])]
    trace = "action.stored_data._exception._stacktrace"
    busy = {"launch_id": {"$in": launch_ids}, trace: {"$regex": re.escape(BUSY)}}
    if len(launch_ids) - launchpad.launches.count_documents(busy) < MAX_LAUNCHES:
        _attempt(launchpad.rerun_fw, fw_id, done, report)
    else:
        report.failed.append(fw_id)


def _attempt(
    action: Callable[[int], Any], fw_id: int, done: list[int], report: RepairReport
) -> None:
    try:
        action(fw_id)
    except LockedWorkflowError:
        return  # a live process is working on it; left to the next repair
    except RuntimeError:  # FireWorks cannot read the job and has marked it
        report.failed.append(fw_id)
    else:
        done.append(fw_id)
