"""Work of a distillation in worker processes; every task writes one file and is not repeated.

A killed distillation loses the tasks that were running, nothing else.
"""

from __future__ import annotations

import time
import warnings
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vitrion.distill.data.frames import made_once
from vitrion.errors import SimulationError
from vitrion.runtime.processes import (
    ONE_THREAD,
    enter_worker,
    environment,
    keep_freed_memory,
    process_pool,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from ase import Atoms


@dataclass(frozen=True)
class FrameTask:
    """Frames to be made by a function of the module level, and their file.

    Attributes
    ----------
    path : Path
        Extended XYZ file of the result.
    make : callable
        Returns the frames.
    arguments : dict
        Keyword arguments of ``make``; they must be picklable.
    """

    path: Path
    make: Callable[..., Sequence[Atoms]]
    arguments: dict[str, Any] = field(default_factory=dict)


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of single-threaded processes, which end with this process."""
    with environment(ONE_THREAD):
        pool = process_pool(workers, [__name__], _start_worker)
        try:
            yield pool
        finally:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)


def run_tasks(
    tasks: Sequence[FrameTask],
    pool: ProcessPoolExecutor,
    on_progress: Callable[[float], None] = lambda fraction: None,
    on_cpu: Callable[[float], None] = lambda seconds: None,
) -> list[list[Atoms]]:
    """Run the tasks whose files do not exist; return the frames of all, in order.

    Parameters
    ----------
    tasks
        Tasks with a file each.
    pool
        See :func:`worker_pool`.
    on_progress
        Called with the finished fraction after each task.
    on_cpu
        Called with the CPU time of each task in s.

    Raises
    ------
    SimulationError
        If a worker process dies.
    """
    for folder in {task.path.parent for task in tasks}:
        folder.mkdir(parents=True, exist_ok=True)
    futures = {pool.submit(_run, task): k for k, task in enumerate(tasks)}
    found: list[list[Atoms]] = [[] for _ in tasks]
    try:
        for done, future in enumerate(as_completed(futures), 1):
            found[futures[future]], seconds = future.result()
            on_cpu(seconds)
            on_progress(done / len(tasks))
    except BrokenProcessPool as exc:
        raise SimulationError(
            "A worker process died (killed, or out of memory): rerun the command to resume."
        ) from exc
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return found


def _run(task: FrameTask) -> tuple[list[Atoms], float]:
    begin = time.process_time()
    frames = made_once(task.path, lambda: task.make(**task.arguments))
    return frames, time.process_time() - begin


def _start_worker(variables: dict[str, str]) -> None:
    import signal

    enter_worker(variables)
    keep_freed_memory()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
