"""Processes that a program starts: their environment, their end, and their errors."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of a process that shares its cores with others; set before numpy and torch start."""

KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
}
"""Keeps freed memory in the process: torch asks for the same blocks again at every step."""

POLL_S = 0.5


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while; processes started meanwhile inherit them."""
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
    """End this process soon after the process with that id, its parent, has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def exit_with_pipe(pipe: Connection) -> None:
    """End this process as soon as the other end of a pipe is closed, as by the parent's end."""

    def watch() -> None:
        try:
            pipe.recv()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_checked(
    command: Sequence[str], log: Path, environment: dict[str, str] | None = None
) -> None:
    """Run a program, its output going to ``log``; raise with its last lines if it fails.

    Raises
    ------
    SimulationError
        If it cannot be started or its return code is not 0.
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
        tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise SimulationError(f"{log} ended with code {done.returncode}: {tail}")
