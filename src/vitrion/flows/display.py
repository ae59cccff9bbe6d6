"""Progress display of a running flow: one overall bar with the time left, and the running jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from vitrion.dynamics.progress_bar import ns_per_day
from vitrion.runtime.durations import duration_text
from vitrion.runtime.progress import read_progress_of_job

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import TaskID

    from vitrion.flows.run_cost import RunCost
    from vitrion.runtime.runner import RunReport

SECONDS_BETWEEN_LINES = 60.0
EXPECTED_SHARE = 0.05
"""Part of a run that its expected time weighs in the time left; the rest is observed."""
MIN_SHARE = 1e-4
"""Observed part of a run from which the time left is shown if no time is expected."""


class RunDisplay:
    """Context manager that shows progress: on a terminal a bar, else lines of text.

    The bar shows the completed part of all work, the steps and the time left; below it stand the
    running jobs. Without a terminal, lines are printed when a job ends and once a minute.

    Parameters
    ----------
    console : Console, optional
        Output; default: standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._overall = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._jobs = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._live = Live(
            Group(self._overall, self._jobs),
            console=self._console,
            transient=True,
            refresh_per_second=4,
        )
        self._bar = self._overall.add_task("", total=1.0, note="")
        self.start_run()

    def start_run(
        self,
        name: str = "total",
        cost: RunCost | None = None,
        expected_s: float | None = None,
        number: int = 0,
        total: int = 1,
    ) -> None:
        """Show another run.

        Parameters
        ----------
        name : str
            Name of the run.
        cost : RunCost, optional
            Expected work of its steps; None weighs all steps equally.
        expected_s : float, optional
            Expected time of the run in s.
        number, total : int
            Number of the run, from 0, and the number of all runs.
        """
        self._cost, self._expected_s = cost, expected_s
        self._number, self._total = number, total
        self._tasks: dict[Path, TaskID] = {}
        self._first_seen: dict[Path, tuple[float, float]] = {}
        self._reported = 0
        self._resumed = False
        self._begin: tuple[float, float] | None = None
        self._fraction = 0.0
        self._last_lines = time.monotonic()
        for task in list(self._jobs.task_ids):
            self._jobs.remove_task(task)
        self._overall.update(self._bar, description=name, note="", completed=number / total)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, running: dict[Path, str], report: RunReport) -> None:
        """Show the running jobs, given by directory and name; an ``on_change`` of ``run_flow``."""
        if len(report.completed) < self._reported:  # the report of another run
            self._reported, self._resumed, self._fraction, self._begin = 0, False, 0.0, None
        done = len(report.skipped) + len(report.completed)
        steps = done + report.open
        if report.skipped and not self._resumed and report.open:
            self._print(f"resuming: {len(report.skipped)} of {steps} steps done")
        self._resumed = True
        for number, name in enumerate(report.completed[self._reported :], self._reported + 1):
            self._print(f"done: {name} ({number + len(report.skipped)} of {steps} steps)")
        self._reported = len(report.completed)
        notes = {directory: self._note(directory) for directory in running}
        finished = [*report.skipped, *report.completed]
        fractions = [(name, notes[directory][1]) for directory, name in running.items()]
        begun_before = any(notes[directory][1] > 0 for directory in running.keys() - self._tasks)
        left = self._time_left(self._advance(finished, fractions, steps, begun_before))
        note = f"{done} of {steps} steps{left}"
        self._overall.update(
            self._bar, completed=(self._number + self._fraction) / self._total, note=note
        )
        self._show_jobs(running, notes)
        if self._is_time_for_lines():
            self._print(f"{100 * self._fraction:.0f} %, {note}")
            for directory, name in running.items():
                self._print(f"  {name}: {notes[directory][0] or 'running'}")

    def _advance(
        self,
        finished: list[str],
        running: list[tuple[str, float]],
        steps: int,
        begun_before: bool,
    ) -> float:
        """Return the completed part of the run, which decreases only if a job is continued.

        What a job has done when it is first seen was done earlier, so it took no time of this run.
        """
        before = self._fraction
        continued = {name for name, _ in running} & set(finished)
        finished = [name for name in finished if name not in continued]
        if self._cost is not None:
            found = self._cost.fraction(finished, running)
        else:
            found = (len(finished) + sum(part for _, part in running)) / max(steps, 1)
        self._fraction = found if continued else max(before, found)
        if begun_before and self._begin is not None:
            begin_s, begin = self._begin
            self._begin = begin_s, begin + max(self._fraction - before, 0.0)
        return self._fraction

    def _time_left(self, fraction: float) -> str:
        """Return the time left from the observed and the expected speed."""
        now = time.monotonic()
        if self._begin is None:
            self._begin = now, fraction
        elapsed, advanced = now - self._begin[0], fraction - self._begin[1]
        if self._expected_s:
            advanced += EXPECTED_SHARE
            elapsed += EXPECTED_SHARE * self._expected_s
        if advanced < MIN_SHARE or elapsed <= 0:
            return ""
        return f", {duration_text((1 - fraction) * elapsed / advanced)} left"

    def _show_jobs(self, running: dict[Path, str], notes: dict[Path, tuple[str, float]]) -> None:
        for directory in set(self._tasks) - set(running):
            self._jobs.remove_task(self._tasks.pop(directory))
        for directory, name in running.items():
            if directory not in self._tasks:
                self._tasks[directory] = self._jobs.add_task(name, total=None, note="")
            self._jobs.update(self._tasks[directory], note=notes[directory][0])

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _is_time_for_lines(self) -> bool:
        now = time.monotonic()
        if self._console.is_terminal or now - self._last_lines < SECONDS_BETWEEN_LINES:
            return False
        self._last_lines = now
        return True

    def _note(self, directory: Path) -> tuple[str, float]:
        """Return a note on the job in a directory, and its completed fraction."""
        progress = read_progress_of_job(directory)
        if progress is None or not progress.total:
            return "", 0.0
        note = (
            f"{progress.done:.4g} of {progress.total:.4g} {progress.unit} {progress.note}".rstrip()
        )
        begin_s, begin = self._first_seen.setdefault(directory, (time.monotonic(), progress.done))
        seconds = time.monotonic() - begin_s
        if progress.unit == "ps" and seconds > 2 and progress.done > begin:
            note += f", {ns_per_day((progress.done - begin) * 1000, seconds):.2f} ns/day"
        return note, min(progress.done / progress.total, 1.0)
