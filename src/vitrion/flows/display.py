"""Progress display of a running flow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vitrion.dynamics.progress_bar import ns_per_day
from vitrion.runtime.progress import read_progress

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import TaskID

    from vitrion.runtime.runner import RunReport

SECONDS_BETWEEN_LINES = 60.0


class RunDisplay:
    """Context manager that shows progress: bars on a terminal, else lines of text.

    Lines are printed when a job ends, and once a minute for running jobs.

    Parameters
    ----------
    console : Console, optional
        Output; default: standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._tasks: dict[Path, TaskID] = {}
        self._first_seen: dict[Path, tuple[float, float]] = {}
        self._reported = 0
        self._last_lines = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, running: dict[Path, str], report: RunReport) -> None:
        """Show the running jobs, given by directory and name; an ``on_change`` of ``run_flow``."""
        for number, name in enumerate(report.completed[self._reported :], self._reported + 1):
            steps = number + len(report.skipped)
            rest = f"{steps} steps done, {report.open} left" if report.open else f"{steps} steps"
            self._console.print(f"done: {name} ({rest})", highlight=False)
        self._reported = len(report.completed)
        for directory in set(self._tasks) - set(running):
            self._bars.remove_task(self._tasks.pop(directory))
        lines = []
        for directory, name in running.items():
            note, fraction = self._note(directory)
            lines.append(f"{name}: {fraction:.0%} {note}")
            if directory not in self._tasks:
                self._tasks[directory] = self._bars.add_task(name, total=1.0, note="")
            self._bars.update(self._tasks[directory], completed=fraction, note=note)
        if self._is_time_for_lines():
            for line in lines:
                self._console.print(line, highlight=False)

    def _is_time_for_lines(self) -> bool:
        now = time.monotonic()
        if self._console.is_terminal or now - self._last_lines < SECONDS_BETWEEN_LINES:
            return False
        self._last_lines = now
        return True

    def _note(self, directory: Path) -> tuple[str, float]:
        """Return a note on the job in a directory, and its completed fraction."""
        word = read_progress(directory)
        if word is None or not word.total:
            return "", 0.0
        note = f"{word.done:.4g} of {word.total:.4g} {word.unit} {word.note}".rstrip()
        begin_s, begin = self._first_seen.setdefault(directory, (time.monotonic(), word.done))
        seconds = time.monotonic() - begin_s
        if seconds > 2 and word.done > begin:
            left = (word.total - word.done) * seconds / (word.done - begin)
            if word.unit == "ps":
                note += f", {ns_per_day((word.done - begin) * 1000, seconds):.2f} ns/day"
            note += f", {left / 60:.0f} min left"
        return note, word.done / word.total
