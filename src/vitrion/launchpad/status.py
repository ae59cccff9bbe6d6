"""Progress and failures of the flows on a launchpad, by material."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitrion.launchpad.submission import MARK

if TYPE_CHECKING:
    from fireworks import LaunchPad

MATERIAL = f"{MARK}.material"
_WAITING = ("WAITING", "READY", "RESERVED")
_HELD = ("PAUSED", "DEFUSED")


@dataclass
class MaterialStatus:
    """State of the flows of one material.

    Attributes
    ----------
    material : str
        Name of the material.
    flows : int
        Number of flows.
    completed, running, waiting, held, failed : int
        Number of jobs by state; held ones were paused or defused, and neither they nor the jobs
        after them run before ``lpad resume_fws`` or ``lpad reignite_fws``.
    """

    material: str
    flows: int = 0
    completed: int = 0
    running: int = 0
    waiting: int = 0
    held: int = 0
    failed: int = 0

    @property
    def jobs(self) -> int:
        """Number of all jobs so far; flows may add jobs while they run."""
        return self.completed + self.running + self.waiting + self.held + self.failed

    @property
    def done(self) -> bool:
        """Whether all jobs are completed."""
        return self.completed == self.jobs


@dataclass
class Failure:
    """A failed job.

    Attributes
    ----------
    material, job : str
        The material and the name of the job.
    fw_id : int
        Id on the launchpad.
    error : str
        Last line of the error.
    """

    material: str
    job: str
    fw_id: int
    error: str


def status(launchpad: LaunchPad, material: str | None = None) -> list[MaterialStatus]:
    """Return the state of each material; archived flows are not counted.

    Parameters
    ----------
    launchpad
        The launchpad.
    material
        Restrict to this material: ``LiPO2F2 amorphous``, or ``LiPO2F2`` for all its phases.

    Returns
    -------
    list[MaterialStatus]
        Sorted by the name of the material.
    """
    rows: dict[str, MaterialStatus] = {}
    query = {"state": {"$ne": "ARCHIVED"}, **_query(material)}
    for found in launchpad.workflows.find(query, {"fw_states": 1, MATERIAL: 1}):
        name = found["metadata"]["vitrion"]["material"]
        row = rows.setdefault(name, MaterialStatus(name))
        states = Counter(found["fw_states"].values())
        row.flows += 1
        row.completed += states["COMPLETED"]
        row.running += states["RUNNING"]
        row.failed += states["FIZZLED"]
        row.waiting += sum(states[state] for state in _WAITING)
        row.held += sum(states[state] for state in _HELD)
    return [rows[name] for name in sorted(rows)]


def failures(launchpad: LaunchPad, material: str | None = None) -> list[Failure]:
    """Return the failed jobs and their errors, without those that failed after a failed parent.

    Parameters
    ----------
    launchpad
        The launchpad.
    material
        Restrict to this material.

    Returns
    -------
    list[Failure]
        Sorted by ``fw_id``.
    """
    failed = launchpad.fireworks.find({"state": "FIZZLED"}, {"fw_id": 1, "name": 1})
    names = {fw["fw_id"]: fw["name"] for fw in failed}
    query = {"nodes": {"$in": list(names)}, **_query(material)}
    owners = {
        number: found["metadata"]["vitrion"]["material"]
        for found in launchpad.workflows.find(query, {"nodes": 1, "parent_links": 1, MATERIAL: 1})
        for number in found["nodes"]
        if number in names and names.keys().isdisjoint(found["parent_links"].get(str(number), ()))
    }
    errors = last_errors(launchpad, list(owners))
    return [
        Failure(owners[number], names[number], number, _last_line(errors[number]))
        for number in sorted(owners)
    ]


def last_errors(launchpad: LaunchPad, fw_ids: list[int]) -> dict[int, str]:
    """Return the stack trace of the last launch of each firework; empty if absent."""
    errors: dict[int, str] = defaultdict(str)
    launches = launchpad.launches.find(
        {"fw_id": {"$in": fw_ids}, "state": "FIZZLED"}, {"fw_id": 1, "launch_id": 1, "action": 1}
    )
    for launch in sorted(launches, key=lambda found: found["launch_id"]):
        stored = (launch.get("action") or {}).get("stored_data") or {}
        errors[launch["fw_id"]] = (stored.get("_exception") or {}).get("_stacktrace") or ""
    return errors


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "the run was lost"


def _query(material: str | None) -> dict[str, Any]:
    if material is None:
        return {MARK: {"$exists": True}}
    # The name alone or before a space: one range of the index of the materials.
    return {MATERIAL: {"$gte": material, "$lt": f"{material}!"}}
