"""Child processes: start, environment, termination with the parent, and errors.

Worker processes are forks of a server that has imported the slow modules once and never computes:
torch does not survive the fork of a process that has used it.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.context import ForkServerContext, SpawnContext
    from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of a process on shared cores; must be set before importing numpy and torch."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``, from malloc.h."""

POLL_S = 0.5


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables temporarily; processes started in the block inherit them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def worker_context(preload: Sequence[str]) -> ForkServerContext | SpawnContext:
    """Return the multiprocessing context of worker processes.

    A worker calls :func:`enter_worker` first.

    Parameters
    ----------
    preload : sequence of str
        Slow modules; the server imports those that this process has imported, if it has no server
        yet. Elsewhere than on Linux there is none: workers are spawned and import what they need.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import resource_tracker
    from multiprocessing.forkserver import ensure_running

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name for name in preload if name in sys.modules])
    resource_tracker.ensure_running()  # its start would unblock Ctrl-C
    with environment(ONE_THREAD), ctrl_c_blocked():
        ensure_running()
    return context


def process_pool(
    workers: int, preload: Sequence[str], start: Callable[..., None], *arguments: Any
) -> ProcessPoolExecutor:
    """Return a pool of worker processes, which start together at the first submission.

    Parameters
    ----------
    workers : int
    preload : sequence of str
        See :func:`worker_context`.
    start : callable
        Called in each worker with ``os.environ`` of this process and the arguments.
    *arguments
    """
    pool = ProcessPoolExecutor(
        workers, worker_context(preload), start, (dict(os.environ), *arguments)
    )
    # The pool may not watch a worker that starts later: if it is killed, nobody notices before
    # another one ends its job.
    pool._safe_to_dynamically_spawn_children = False  # type: ignore[attr-defined]
    return pool


@contextmanager
def ctrl_c_blocked() -> Iterator[None]:
    """Block SIGINT in this thread; processes started in the block never receive Ctrl-C.

    The terminal sends it to all processes, but only the main process acts on it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def enter_worker(variables: Mapping[str, str]) -> None:
    """Take the environment of the parent process, and end this process soon after its parent.

    Parameters
    ----------
    variables : mapping
        ``os.environ`` of the parent; a forked process has the environment of the server.
    """
    os.environ.clear()
    os.environ.update(variables)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def keep_freed_memory() -> None:
    """Keep freed memory in this process: dynamics and torch allocate the same blocks each step."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc only
    if mallopt is not None:
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, 2**31 - 1)


def exit_with_parent(parent: int) -> None:
    """End this process soon after the parent process with the given id has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_checked(command: Sequence[str], log: Path) -> None:
    """Run a program with its output written to ``log``; on failure, raise with its last lines.

    Raises
    ------
    SimulationError
        If the program cannot be started or its return code is not 0.
    """
    with log.open("a") as handle:
        handle.write("$ " + " ".join(command) + "\n")
    run_together([command], [log])


def run_together(
    commands: Sequence[Sequence[str]],
    logs: Sequence[Path],
    environment: Mapping[str, str] | None = None,
    *,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Run programs at the same time, each with its own log; the first failure ends all of them.

    ``on_wait`` is called about once a second.

    Raises
    ------
    SimulationError
        If a program cannot be started or its return code is not 0.
    """
    running: list[tuple[subprocess.Popen, Path]] = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("a") as handle:
                running.append((_started(command, handle, environment), log))
        left = list(running)
        while left:
            time.sleep(POLL_S)
            on_wait()
            for process, log in list(left):
                code = process.poll()
                if code:
                    raise _ended(log, code)
                if code == 0:
                    left.remove((process, log))
    finally:
        for process, _ in running:
            process.kill()
            process.wait()


def _started(
    command: Sequence[str], handle: IO[str], environment: Mapping[str, str] | None
) -> subprocess.Popen:
    try:
        return subprocess.Popen(command, stdout=handle, stderr=subprocess.STDOUT, env=environment)
    except OSError as exc:
        raise SimulationError(f"{command[0]} could not be started: {exc}") from exc


def _ended(log: Path, code: int) -> SimulationError:
    tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
    return SimulationError(f"{log} ended with code {code}: {tail}")
