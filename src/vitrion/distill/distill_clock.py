"""Time of the stages of a distillation, and the time left."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vitrion.runtime.atomic import write_durably
from vitrion.runtime.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TIMES, CPU = "times.json", "cpu.json"
SECONDS_BETWEEN_LINES = 30.0
FINISHED_S = 2.0
"""Time below which a stage was finished by an earlier call."""


@dataclass
class DistillClock:
    """Report stages with the time left.

    Parameters
    ----------
    expected : dict of str to float
        Expected time of each stage in s, in their order.
    folder : Path
        Folder of ``times.json`` and ``cpu.json``: the time and the CPU time that each stage took in
        s, over all interrupted calls.
    report : callable
        Called with a line.
    """

    expected: dict[str, float]
    folder: Path
    report: Callable[[str], None]
    taken: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    paces: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.taken, self.cpu = self._read(TIMES), self._read(CPU)
        self._name, self._start, self._last, self._earlier = "", time.monotonic(), 0.0, 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage; its time is added to the time of earlier calls."""
        self._name, self._start = name, time.monotonic()
        self._earlier = self.taken.get(name, 0.0)
        self._say(0.0)
        try:
            yield
        finally:
            self._save()
        if time.monotonic() - self._start > FINISHED_S:
            self.paces.append((self.taken[name], self.expected.get(name, self.taken[name])))

    def add_cpu(self, seconds: float) -> None:
        """Add CPU time in s to the current stage."""
        self.cpu[self._name] = self.cpu.get(self._name, 0.0) + seconds

    def fraction(self, done: float) -> None:
        """Report the finished fraction of the stage, at most every half a minute."""
        if time.monotonic() - self._last > SECONDS_BETWEEN_LINES and done < 1:
            self._save()
            self._say(done)

    def seconds_left(self, done: float) -> float:
        """Return the expected time left in s, from the pace of the finished stages."""
        names = list(self.expected)
        later = names[names.index(self._name) + 1 :] if self._name in names else []
        left = sum(self.expected[name] for name in later)
        left += self.expected.get(self._name, 0.0) * (1 - done)
        taken, planned = (
            (sum(part) for part in zip(*self.paces, strict=True)) if self.paces else (1, 1)
        )
        return left * min(max(taken / planned, 0.1), 10.0)

    def _read(self, name: str) -> dict[str, float]:
        path = self.folder / name
        return json.loads(path.read_text()) if path.is_file() else {}

    def _save(self) -> None:
        """Write the times, also in the middle of a stage: a kill loses half a minute of them."""
        seconds = time.monotonic() - self._start
        if seconds > FINISHED_S:
            self.taken[self._name] = self._earlier + seconds
            for name, values in ((TIMES, self.taken), (CPU, self.cpu)):
                write_durably(self.folder / name, json.dumps(values, indent=1))

    def _say(self, done: float) -> None:
        self._last = time.monotonic()
        share = f" {done:.0%}" if done else ""
        self.report(f"{self._name}{share}, about {duration_text(self.seconds_left(done))} left")
