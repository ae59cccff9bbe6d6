"""Child processes: environment, termination with the parent, and errors."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of a process on shared cores; must be set before importing numpy and torch."""

KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
}
"""Keep freed memory in the process: torch allocates the same blocks again at every step."""

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


def exit_with_parent(parent: int) -> None:
    """End this process soon after the parent process with the given id has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def exit_with_pipe(pipe: Connection) -> None:
    """End this process when the other end of a pipe closes, as when the parent ends."""

    def watch() -> None:
        try:
            pipe.recv()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_checked(
    command: Sequence[str], log: Path, environment: dict[str, str] | None = None
) -> None:
    """Run a program with its output written to ``log``; on failure, raise with its last lines.

    Raises
    ------
    SimulationError
        If the program cannot be started or its return code is not 0.
    """
    with log.open("a") as handle:
        handle.write("$ " + " ".join(command) + "\n")
        handle.flush()
        try:
            done = subprocess.run(
                command, stdout=handle, stderr=subprocess.STDOUT, env=environment, check=False
            )
        except OSError as exc:
            raise SimulationError(f"{command[0]} could not be started: {exc}") from exc
    if done.returncode != 0:
        raise _ended(log, done.returncode)


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
