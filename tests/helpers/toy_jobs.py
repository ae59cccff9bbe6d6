"""Small jobs that a worker process can import; each leaves a mark every time it really runs."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from jobflow import Flow, Response, job

from vitrion.runtime.cores import spare_core


def _mark(name: str) -> None:
    with Path("runs").open("a") as handle:
        handle.write(f"{name} {os.getpid()} {time.time()}\n")


@job
def add(a: float, b: float, wait_s: float = 0.0) -> float:
    _mark("add")
    time.sleep(wait_s)
    return a + b


def chain() -> Flow:
    """Return four jobs in a row, which take 2.4 s."""
    jobs = [add(1, 1)]
    for _ in range(3):
        jobs.append(add(jobs[-1].output, 1, wait_s=0.8))
    return Flow(jobs)


@job
def fail(message: str) -> None:
    raise ValueError(message)


@job
def count_to(target: int, start: int = 0):
    """Replace itself until it has counted far enough, as a long run across walltimes does."""
    _mark("count")
    if start + 1 < target:
        return Response(output=start, replace=count_to(target, start + 1))
    return start + 1


@job
def value_or_zero(value: float | None):
    """Replace itself if there is no value."""
    if value is None:
        return Response(output=value, replace=value_or_zero(0.0))
    return value


@job
def fan_out(numbers: list[float]):
    """Detour to one job a number."""
    return Response(output=len(numbers), detour=Flow([add(n, n) for n in numbers]))


@job
def stop_here() -> Response:
    return Response(output="stopped", stop_children=True)


@job
def die_once(flag: str, value: float) -> float:
    """Kill the whole worker the first time, as an out-of-memory killer does."""
    if not Path(flag).exists():
        Path(flag).touch()
        os._exit(9)
    return value


@job
def grow(n: int):
    """Replace itself by a flow with an output of its own, as a round of a search does."""
    parts = [add(i, i) for i in range(n)]
    return Response(replace=Flow(parts, output=[part.output for part in parts]))


@job
def spare_cores(most: int) -> int:
    """Count the free cores besides the own one."""
    with ExitStack() as stack:
        looks = iter(range(most))
        wanted = lambda: next(looks, None) is not None  # noqa: E731
        return sum(stack.enter_context(spare_core(wanted, wait_s=0.01)) for _ in range(most))


@job
def succeed_once_allowed(flag: str, value: float) -> float:
    """Fail, as without disk space, until the flag exists."""
    if not Path(flag).exists():
        raise OSError("no space left on device")
    return value


@job
def gather(values: list[float | None]) -> list[float | None]:
    """Take what there is."""
    _mark("gather")
    return values
