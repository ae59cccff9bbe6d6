"""Cores that the jobs of one run share, as ``make`` shares its job slots.

Every job holds one while it runs. A job of many simulations takes more of them for as long as the
others leave them idle, so that neither one long job nor many at once waste or overload a machine.
A core is a lock on a file, which the system frees when its process ends, however it ends.
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
"""Environment variable, ``NUMBER:FOLDER``, by which processes know of the cores they share."""

JOB_WAIT_S, SPARE_WAIT_S = 0.1, 1.0
"""Time between two looks for a core. Who wants a spare one waits before the first look too, so that
a job that has none gets what has just been given back."""


def share_cores(folder: Path, number: int) -> None:
    """Let this process and all that it starts share some cores.

    Parameters
    ----------
    folder : Path
        Where the locks are kept; made where it is missing. The same for all that share them.
    number : int
        Number of cores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[VARIABLE] = f"{number}:{folder}"


@contextmanager
def own_core() -> Iterator[None]:
    """Hold a core for a job, after waiting for one; where none are shared, do nothing."""
    if VARIABLE not in os.environ:
        yield
        return
    while (handle := _take()) is None:
        time.sleep(JOB_WAIT_S)
    with handle:
        yield


@contextmanager
def spare_core(wanted: Callable[[], bool], wait_s: float = SPARE_WAIT_S) -> Iterator[bool]:
    """Hold a core besides one's own once others leave one idle.

    Parameters
    ----------
    wanted : callable
        Asked between looks; once it says no, the wait ends without a core.
    wait_s : float
        Time between two looks in s.

    Yields
    ------
    bool
        Whether there is work and a core for it; where none are shared, there is always a core.
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
    """Lock a free core, if there is one."""
    number, folder = os.environ[VARIABLE].split(":", 1)
    for index in range(int(number)):
        handle = (Path(folder) / f"core-{index}").open("w")
        if try_lock(handle):
            return handle
        handle.close()
    return None
