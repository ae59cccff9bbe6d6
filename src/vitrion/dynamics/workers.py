"""Several independent runs in parallel, each in a separate process with one thread.

Each run has a process, so that a crash stops only one run. Two processes of two threads on two
cores are far slower than two processes of one thread.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitrion.dynamics.checkpoint import FILE_NAME
from vitrion.dynamics.engine import is_same_run, run_md
from vitrion.dynamics.progress_bar import SeriesProgress
from vitrion.dynamics.run_result import MDResult, load_result
from vitrion.errors import InputError, VitrionError
from vitrion.runtime.cores import spare_core
from vitrion.runtime.processes import (
    ONE_THREAD,
    enter_worker,
    environment,
    keep_freed_memory,
    worker_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.dynamics.md_settings import MDSettings

DIED_AT_START = (
    "its process died before the run started. A script that starts runs needs "
    '`if __name__ == "__main__":` around its code'
)
"""Every worker imports the calling script, which must not start the runs again on import."""


NEEDED = (__name__, "vitrion.potentials.calculators", "vitrion.settings")
"""Modules that a run needs."""


@dataclass(frozen=True)
class MDTask:
    """One run of several.

    Attributes
    ----------
    name : str
        Unique name of the run.
    structure : Structure or Atoms
    settings : MDSettings
    directory : Path
        Directory of this run only.
    """

    name: str
    structure: Structure | Atoms
    settings: MDSettings
    directory: Path


@dataclass(frozen=True)
class MDOutcome:
    """Outcome of one run: its result (None without a checkpoint) and its error."""

    name: str
    result: MDResult | None
    error: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the run is complete."""
        return self.result is not None and self.result.complete


@dataclass(frozen=True)
class _Common:
    """Arguments shared by all runs of a call."""

    load: Callable[[], Calculator]
    potential: dict[str, Any]
    cutoff_A: float | None
    deadline: float | None

    def seconds_left(self) -> float | None:
        return None if self.deadline is None else self.deadline - time.time()


def run_many(
    tasks: Sequence[MDTask],
    load: Callable[[], Calculator],
    *,
    workers: int = 1,
    potential: dict[str, Any] | None = None,
    cutoff_A: float | None = None,
    walltime_s: float | None = None,
) -> list[MDOutcome]:
    """Run several simulations, ``workers`` at a time.

    Parameters
    ----------
    tasks : sequence of MDTask
        Each run restarts independently; see :func:`~vitrion.dynamics.engine.run_md`.
    load : callable
        Picklable function that loads the calculator in the worker.
    workers : int
        Number of parallel processes; fewer if other jobs share the cores (`vitrion.runtime.cores`).
    potential, cutoff_A
        See :func:`~vitrion.dynamics.engine.run_md`.
    walltime_s : float, optional
        Time after which runs stop at their next checkpoint and no further run starts; the first
        ``workers`` unfinished runs always reach a checkpoint.

    Returns
    -------
    list of MDOutcome
        In the order of the tasks. The outcome of a failed run has its error and, if it made a
        checkpoint, the result of the last checkpoint.

    Raises
    ------
    InputError
        If two tasks share a name or a directory, or ``workers`` is less than 1.
    """
    if workers < 1:
        raise InputError(f"Number of workers {workers} must be at least 1.")
    check_tasks(tasks)
    deadline = None if walltime_s is None else time.time() + walltime_s
    common = _Common(load, potential or {}, cutoff_A, deadline)
    outcomes = {task.name: MDOutcome(task.name, result_at_hand(task)) for task in tasks}
    waiting = [task for task in tasks if not _finished(task, outcomes[task.name], common)]
    sure = {task.name for task in waiting[:workers]}  # else a short walltime would never end
    queue = deque(waiting)
    with (
        environment(ONE_THREAD),
        SeriesProgress() as progress,
        ThreadPoolExecutor(workers) as pool,
    ):
        for done in pool.map(lambda n: _work_off(queue, common, progress, sure, n), range(workers)):
            outcomes |= {outcome.name: outcome for outcome in done}
    return [outcomes[task.name] for task in tasks]


def check_tasks(tasks: Sequence[MDTask]) -> None:
    """Raise InputError if two tasks share a name or a directory."""
    for what, values in (
        ("name", [task.name for task in tasks]),
        ("directory", [str(task.directory.absolute()) for task in tasks]),
    ):
        if len(set(values)) < len(values):
            raise InputError(f"Two runs share a {what}: set a different {what} for each.")


def _work_off(
    queue: deque[MDTask], common: _Common, progress: SeriesProgress, sure: set[str], number: int
) -> list[MDOutcome]:
    """Run tasks one by one, the first worker on this job's core, the others on idle cores."""
    done = []
    while queue:
        with nullcontext(True) if number == 0 else spare_core(lambda: bool(queue)) as core:
            try:
                task = queue.popleft() if core else None
            except IndexError:  # another worker was faster
                break
            if task is not None:
                done.append(_supervise(task, common, progress, task.name in sure))
    return done


def _finished(task: MDTask, outcome: MDOutcome, common: _Common) -> bool:
    return outcome.complete and is_same_run(
        task.directory, task.structure, task.settings, common.potential
    )


def _supervise(task: MDTask, common: _Common, progress: SeriesProgress, sure: bool) -> MDOutcome:
    """Run one task in a process and wait for it; skip it after the deadline unless ``sure``."""
    left = common.seconds_left()
    if left is not None and left <= 0 and not sure:
        return MDOutcome(task.name, result_at_hand(task))
    context = worker_context(NEEDED)
    here, there = context.Pipe(duplex=False)
    arguments = (task, common, dict(os.environ), there)
    process = context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    there.close()
    error: str | None = DIED_AT_START
    progress.add(task.name, task.settings)
    try:
        while True:
            kind, *content = here.recv()
            if kind == "step":
                progress.update(task.name, *content)
            elif kind == "begin":
                error = "its process died"
            else:
                error = content[0]
    except EOFError:
        process.join()
    finally:
        here.close()
    return MDOutcome(task.name, result_at_hand(task), error)


def _work(task: MDTask, common: _Common, variables: dict[str, str], pipe: Connection) -> None:
    """Run one task; the target of a worker process."""
    enter_worker(variables)  # it ends with its parent: a run can be stopped anywhere
    keep_freed_memory()
    pipe.send(("begin",))
    try:
        run_md(
            task.structure,
            common.load,
            task.settings,
            task.directory,
            potential=common.potential,
            cutoff_A=common.cutoff_A,
            walltime_s=common.seconds_left(),
            report=lambda step, kelvin: pipe.send(("step", step, kelvin)),
        )
    except Exception as exc:  # any fault of a calculator is this run's outcome, not the series'
        pipe.send(("end", fault_text(exc)))
    else:
        pipe.send(("end", None))


def fault_text(fault: Exception) -> str:
    """Return the message of an error, with its class if it is not an error of vitrion."""
    return str(fault) if isinstance(fault, VitrionError) else f"{type(fault).__name__}: {fault}"


def result_at_hand(task: MDTask) -> MDResult | None:
    """Return the result of a task's last checkpoint; None without a readable one."""
    if not (task.directory / FILE_NAME).is_file():
        return None
    try:
        return load_result(task.directory)
    except VitrionError:  # its files are broken; the run itself said so
        return None
