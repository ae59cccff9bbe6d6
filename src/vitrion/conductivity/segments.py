"""Segments of extensible runs: folders, planned durations, execution."""

from __future__ import annotations

import math
import time
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field

from vitrion.dynamics.batched_runs import run_batched
from vitrion.dynamics.checkpoint import FILE_NAME as CHECKPOINT_NAME
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.run_result import EQUILIBRATION, load_result
from vitrion.dynamics.workers import MDOutcome, MDTask, fault_text, run_many
from vitrion.errors import VitrionError
from vitrion.runtime.atomic import write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ase.calculators.calculator import Calculator

SCHEDULE_FILE = "schedule.json"


class Schedule(BaseModel):
    """What was planned so far, in the folder of the runs."""

    n_systems: int = Field(description="Number of systems at the start.")
    iterations: list[dict[float, float]] = Field(
        description="Durations in ps by temperature in K, for each iteration."
    )
    requests: dict[int, int] = Field(
        default_factory=dict,
        description="Number of systems asked for, by the number there was at that time.",
    )
    closed: bool = Field(False, description="Whether no system that was asked for could be made.")

    @classmethod
    def read(cls, root: Path) -> Self | None:
        """Return the schedule of a folder; None before the first plan."""
        path = root / SCHEDULE_FILE
        return cls.model_validate_json(path.read_text()) if path.is_file() else None

    @classmethod
    def close(cls, root: Path, closed: bool) -> None:
        """Write whether further systems cannot be made."""
        schedule = cls.read(root)
        if schedule is not None:
            schedule.model_copy(update={"closed": closed}).write(root)

    def write(self, root: Path) -> None:
        """Write the schedule to a folder atomically."""
        write_durably(root / SCHEDULE_FILE, self.model_dump_json())

    @property
    def length_ps(self) -> float:
        """Duration of one run at each temperature, summed over the temperatures."""
        return sum(sum(lengths.values()) for lengths in self.iterations)

    def request(self, n_systems: int, more: int) -> None:
        """Note that more systems are asked for, and forget what a job run again asked later."""
        before = {present: n for present, n in self.requests.items() if present < n_systems}
        self.requests = {**before, n_systems: more}

    def n_requested(self, n_systems: int) -> int:
        """Return the number of systems asked for when there were fewer than a number.

        A job that is run again then plans as it did before. All count if none can be made.
        """
        return sum(
            more for present, more in self.requests.items() if self.closed or present < n_systems
        )


def run_segments(
    tasks: Sequence[MDTask],
    load: Callable[[], Calculator],
    *,
    workers: int,
    batched: bool = False,
    potential: dict[str, Any],
    cutoff_A: float | None,
    walltime_s: float | None,
) -> list[MDOutcome]:
    """Run unfinished tasks; a single worker runs in this process and loads the potential once.

    See `vitrion.dynamics.workers.run_many` for the parameters; ``batched`` runs all tasks in common
    model calls, see `vitrion.dynamics.batched_runs`.
    """
    missing = [task for task in tasks if not _is_complete(task.directory)]
    if not missing:
        return []
    common: dict[str, Any] = {
        "potential": potential,
        "cutoff_A": cutoff_A,
        "walltime_s": walltime_s,
    }
    if batched:
        return run_batched(missing, load, **common)
    if workers > 1:
        return run_many(missing, load, workers=workers, **common)
    try:
        calculator = load()
    except Exception as exc:  # any error is the outcome of the runs, as with several workers
        return [MDOutcome(task.name, None, fault_text(exc)) for task in missing]
    deadline = math.inf if walltime_s is None else time.monotonic() + walltime_s
    outcomes = [_run_here(missing[0], calculator, potential, cutoff_A, deadline)]
    for task in missing[1:]:
        if time.monotonic() < deadline:
            outcomes.append(_run_here(task, calculator, potential, cutoff_A, deadline))
        else:
            outcomes.append(MDOutcome(task.name, None))
    return outcomes


def _is_complete(folder: Path) -> bool:
    try:
        written = (folder / CHECKPOINT_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return _was_complete(folder, written)


@lru_cache(maxsize=10_000)
def _was_complete(folder: Path, _written: int) -> bool:
    """Return whether a run was complete when its checkpoint was written; every plan asks again."""
    try:
        return load_result(folder).complete
    except VitrionError:
        return False


def _run_here(
    task: MDTask,
    calculator: Calculator,
    potential: dict[str, Any],
    cutoff_A: float | None,
    deadline: float,
) -> MDOutcome:
    try:
        result = run_md(
            task.structure,
            calculator,
            task.settings,
            task.directory,
            potential=potential,
            cutoff_A=cutoff_A,
            walltime_s=None if math.isinf(deadline) else max(deadline - time.monotonic(), 0.0),
        )
    except Exception as exc:  # an error of the calculator fails this run only
        return MDOutcome(task.name, None, fault_text(exc))
    return MDOutcome(task.name, result)


def finished_segments(folder: Path) -> list[Path]:
    """Return the folders of a run's segments in order, up to the first that is not complete."""
    return list(takewhile(_is_complete, sorted(folder.glob("segment-*"))))


def analyzed_segments(folder: Path) -> list[Path]:
    """Return the folders of a run's finished segments, without the equilibration."""
    return [segment for segment in finished_segments(folder) if segment.name != EQUILIBRATION]
