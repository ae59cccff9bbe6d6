"""A progress bar that says how fast a run is; silent where nobody looks at a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitrion.dynamics.settings import MDSettings

    Report = Callable[[int, float], None]

SECONDS_BETWEEN_UPDATES = 0.5


def make_progress() -> Progress:
    """Return a rich bar on the standard error that is off where that is not a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.2f}/{task.total:.2f} ps"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
        transient=False,
    )


def label(settings: MDSettings) -> str:
    """Describe a run in a few words."""
    value = settings.temperature_K
    kelvin = f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else f"{value:g}"
    return f"{settings.ensemble} {kelvin} K"


class RunProgress:
    """Follows one run; a context manager.

    Parameters
    ----------
    settings : MDSettings
        Of the run.
    first_step : int
        Steps made before this part of the run.
    report : callable, optional
        Called with (step, temperature in K) in place of drawing a bar.
    """

    def __init__(self, settings: MDSettings, first_step: int, report: Report | None = None) -> None:
        self._settings = settings
        self._first = first_step
        self._report = report or self._draw
        self._bar = make_progress() if report is None else None
        self._task = None
        self._begin = self._last = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                label(self._settings),
                total=self._settings.duration_ps,
                speed="",
                note="",
                completed=self._first * self._settings.timestep_fs / 1000,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: int, temperature_K: float, last: bool = False) -> None:
        """Show the state of the run, at most twice a second."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_UPDATES and not last:
            return
        self._last = now
        self._report(step, temperature_K)

    def _draw(self, step: int, temperature_K: float) -> None:
        if self._bar is None or self._task is None:
            return
        spent = max(time.monotonic() - self._begin, 1e-9)
        speed = ns_per_day((step - self._first) * self._settings.timestep_fs, spent)
        self._bar.update(
            self._task,
            completed=step * self._settings.timestep_fs / 1000,
            speed=f"{speed:.2f} ns/day",
            note=f"{temperature_K:.0f} K",
        )


def ns_per_day(simulated_fs: float, seconds: float) -> float:
    """Return the speed of a simulation in nanoseconds a day."""
    return simulated_fs * 1e-6 * 86400 / seconds if seconds > 0 else 0.0
