"""What the stages of a distillation share: settings, folder, worker processes, clock, teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import FORCES, made_once, within
from vitrion.distill.tasks import FrameTask, run_tasks
from vitrion.runtime.atomic import write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from ase import Atoms

    from vitrion.distill.distill_clock import DistillClock
    from vitrion.distill.distill_settings import DistillSettings
    from vitrion.distill.label.labelling import Teacher

LABELS_PER_TASK = 8
PART_SIZE = "part_size.txt"
"""File in a folder of labels: the frames of each task of a teacher that is a program."""

LARGEST_FORCE_eV_A = 150.0
"""Frames with a larger force component are left out. Two S atoms at 1.4 A repel each other with 50
eV/A: without such frames a student lets them collapse. The loss is linear in large errors."""


@dataclass(frozen=True)
class DistillRun:
    """One distillation that is running.

    Attributes
    ----------
    settings : DistillSettings
    folder : Path
    workers : int
    pool : ProcessPoolExecutor
        See :func:`vitrion.distill.tasks.worker_pool`.
    clock : DistillClock
    teacher : Teacher or None
        None if the frames are labelled already.
    """

    settings: DistillSettings
    folder: Path
    workers: int
    pool: ProcessPoolExecutor
    clock: DistillClock
    teacher: Teacher | None

    @property
    def scout(self) -> str | None:
        """General potential of the first dynamics: the teacher, or else CHGNet if installed."""
        from importlib.util import find_spec

        if self.teacher is not None and self.settings.is_registered:
            return self.settings.teacher
        return "chgnet" if find_spec("chgnet") else None

    def once(self, name: str, make: Callable[[], Sequence[Atoms]]) -> list[Atoms]:
        """Return the frames of a file of the folder, made first if it does not exist."""
        return made_once(self.folder / name, make)

    def tasks(
        self, folder: str, make: Callable[..., Sequence[Atoms]], arguments: Sequence[dict[str, Any]]
    ) -> list[list[Atoms]]:
        """Return the frames of one call of ``make`` for each set of arguments, in order."""
        tasks = [
            FrameTask(self.folder / folder / f"{k:03d}.xyz", make, each)
            for k, each in enumerate(arguments)
        ]
        return run_tasks(tasks, self.pool, self.clock.fraction, self.clock.add_cpu)

    def labelled(self, frames: Sequence[Atoms], folder: str) -> list[Atoms]:
        """Return the frames with labels, without those far from any physical state."""
        size = self._part_size(len(frames), self.folder / folder)
        parts = [frames[k : k + size] for k in range(0, len(frames), size)]
        arguments = [
            {
                "frames": part,
                "teacher": self.teacher,
                "folder": self.folder / folder / f"part-{k:03d}",
            }
            for k, part in enumerate(parts)
        ]
        found = [a for part in self.tasks(folder, work.labelled, arguments) for a in part]
        finite = [a for a in found if np.isfinite(a.arrays[FORCES]).all()]
        return within(finite, LARGEST_FORCE_eV_A)

    def _part_size(self, n_frames: int, folder: Path) -> int:
        """Return the number of frames of a task: as in the first call, for any number of workers.

        A teacher that is not in the registry is a program, started for each part: few parts; it
        resumes frame by frame.
        """
        if self.teacher is None or self.teacher.is_registered:
            return LABELS_PER_TASK
        record = folder / PART_SIZE
        if not record.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(record, str(max(LABELS_PER_TASK, -(-n_frames // self.workers))))
        return int(record.read_text())
