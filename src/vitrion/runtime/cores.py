"""Share cores between the jobs of one run, as ``make`` shares its job slots.

Every job holds one core while it runs. A job of many simulations takes additional cores while they
are idle, so that neither one long job nor many jobs waste or overload a machine. A core is a lock
on a file, which the system releases when its process ends.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.runtime.atomic import try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

VARIABLE = "VITRION_CORES"
"""Environment variable ``NUMBER:FOLDER`` that describes the shared cores to processes."""

JOB_WAIT_S, SPARE_WAIT_S = 0.1, 1.0
"""Time in s between two attempts to take a core. A request for a spare core also waits before the
first attempt, so that jobs without a core take released cores first."""


def usable_cores() -> int:
    """Return the number of cores that this process may use, such as those of its Slurm job."""
    if hasattr(os, "sched_getaffinity"):  # of Linux only
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores(folder: Path, number: int) -> None:
    """Share cores between this process and its child processes.

    Parameters
    ----------
    folder : Path
        Folder of the locks, created if needed; the same for all sharing processes.
    number : int
        Number of cores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[VARIABLE] = f"{number}:{folder}"


@contextmanager
def own_core() -> Iterator[None]:
    """Wait for a core and hold it for a job; do nothing without shared cores."""
    if VARIABLE not in os.environ:
        yield
        return
    while (handle := _take()) is None:
        time.sleep(JOB_WAIT_S)
    with handle:
        yield


@contextmanager
def spare_core(wanted: Callable[[], bool], wait_s: float = SPARE_WAIT_S) -> Iterator[bool]:
    """Hold an additional core once one is idle.

    Parameters
    ----------
    wanted : callable
        Called between attempts; the wait ends without a core once it returns False.
    wait_s : float
        Time between two attempts in s.

    Yields
    ------
    bool
        Whether a core is still wanted and was obtained; always available without shared cores.
    """
    if VARIABLE not in os.environ:
        yield wanted()
        return
    handle = None
    while handle is None and wanted():
        time.sleep(wait_s)
        handle = _take()
    with handle or nullcontext():
        yield handle is not None


def _take() -> TextIO | None:
    """Lock an idle core; None if all are in use."""
    number, folder = os.environ[VARIABLE].split(":", 1)
    for index in range(int(number)):
        handle = (Path(folder) / f"core-{index}").open("w")
        if try_lock(handle):
            return handle
        handle.close()
    return None
