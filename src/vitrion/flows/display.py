"""What a person sees while a flow runs: the jobs at work, how far they are, how fast."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from vitrion.dynamics.progress import PROGRESS_FILE, ns_per_day

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from rich.progress import TaskID

    from vitrion.flows.runner import RunReport

SECONDS_BETWEEN_LINES = 60.0


class RunDisplay:
    """Bars on a terminal; elsewhere a line when a job ends and one a minute. A context manager.

    Parameters
    ----------
    console : Console, optional
        Where to write; standard error by default.
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
        """Show the running jobs by directory and name; fits ``run_flow``'s ``on_change``."""
        for name in report.completed[self._reported :]:
            self._console.print(f"done: {name}", highlight=False)
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
        """Return a few words on the job in a directory, and its fraction done."""
        words = _words(directory)
        if not words:
            return "", 0.0
        done, total = sum(w["done_ps"] for w in words), sum(w["total_ps"] for w in words)
        note = f"{done:.1f}/{total:.1f} ps"
        note += (
            f" in {len(words)} runs" if len(words) > 1 else f" at {words[0]['temperature_K']:.0f} K"
        )
        begin_s, begin_ps = self._first_seen.setdefault(directory, (time.monotonic(), done))
        seconds = time.monotonic() - begin_s
        if seconds > 2 and done > begin_ps:
            left = (total - done) * seconds / (done - begin_ps)
            speed = ns_per_day((done - begin_ps) * 1000, seconds)
            note += f", {speed:.2f} ns/day, {left / 60:.0f} min left"
        return note, done / total


def _words(directory: Path) -> list[dict[str, Any]]:
    """Read what the runs below a directory left word of, those that have begun."""
    return [json.loads(path.read_text()) for path in directory.rglob(PROGRESS_FILE)]
