"""Progress bars of runs with their speed, shown only on a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from vitrion.runtime.progress import Progress, write_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.progress import TaskID

    from vitrion.dynamics.md_settings import MDSettings

    Report = Callable[[int, float], None]

SECONDS_BETWEEN_UPDATES = 0.5


def make_progress() -> ProgressBar:
    """Return a rich progress bar on standard error, disabled if it is not a terminal."""
    console = Console(stderr=True)
    return ProgressBar(
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
    """Return a label of a run: its ensemble and temperature."""
    value = settings.temperature_K
    kelvin = f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else f"{value:g}"
    return f"{settings.ensemble} {kelvin} K"


class SeriesProgress:
    """Progress bars of several runs; a context manager."""

    def __init__(self) -> None:
        self._bar = make_progress()
        self._runs: dict[str, _Line] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._bar.disable:  # rich ends a disabled bar with an empty line
            self._bar.stop()

    def add(self, name: str, settings: MDSettings) -> None:
        """Add a run."""
        task = self._bar.add_task(name, total=settings.duration_ps, speed="", note="")
        self._runs[name] = _Line(task, settings.timestep_fs)

    def update(self, name: str, step: int, temperature_K: float) -> None:
        """Show the completed steps of a run and its temperature in K."""
        line = self._runs[name]
        if line.first_step is None:  # the speed is measured from the first update
            line.first_step, line.begin = step, time.monotonic()
        simulated = (step - line.first_step) * line.timestep_fs
        speed = ns_per_day(simulated, time.monotonic() - line.begin)
        self._bar.update(
            line.task,
            completed=step * line.timestep_fs / 1000,
            speed=f"{speed:.2f} ns/day",
            note=f"{temperature_K:.0f} K",
        )


@dataclass
class _Line:
    task: TaskID
    timestep_fs: float
    first_step: int | None = None
    begin: float = 0.0


class RunProgress:
    """Reports the progress of one run; a context manager.

    Parameters
    ----------
    settings : MDSettings
        Settings of the run.
    directory : Path
        Directory of the run, where the progress file is written.
    report : callable, optional
        Called with (step, temperature in K) instead of drawing a bar.
    """

    def __init__(self, settings: MDSettings, directory: Path, report: Report | None = None) -> None:
        self._settings, self._directory = settings, directory
        self._series = None
        if report is None:
            name = label(settings)
            self._series = SeriesProgress()
            self._series.add(name, settings)
            report = partial(self._series.update, name)
        self._report = report
        self._last = 0.0

    def __enter__(self) -> Self:
        if self._series is not None:
            self._series.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._series is not None:
            self._series.__exit__()

    def update(self, step: int, temperature_K: float, last: bool = False) -> None:
        """Show the state of the run, at most twice a second."""
        now = time.monotonic()
        if last or now - self._last > SECONDS_BETWEEN_UPDATES:
            self._last = now
            self._report(step, temperature_K)
            self._write_progress(step, temperature_K)

    def _write_progress(self, step: int, temperature_K: float) -> None:
        done_ps = step * self._settings.timestep_fs / 1000
        progress = Progress(done_ps, self._settings.duration_ps, "ps", f"at {temperature_K:.0f} K")
        write_progress(self._directory, progress)


def ns_per_day(simulated_fs: float, seconds: float) -> float:
    """Return the speed of a simulation in ns/day."""
    return simulated_fs * 1e-6 * 86400 / seconds if seconds > 0 else 0.0
