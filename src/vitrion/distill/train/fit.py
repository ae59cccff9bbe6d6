"""Fit a student or another MACE model to labelled frames, in processes that share each step.

Neighbor lists are made once, and two processes on two cores halve the time of a step.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import TYPE_CHECKING

from vitrion.distill.data.frames import write_frames
from vitrion.distill.train.fit_settings import FitSettings
from vitrion.errors import InputError, SimulationError
from vitrion.runtime.atomic import copy_durably
from vitrion.runtime.processes import ONE_THREAD, run_together
from vitrion.runtime.progress import read_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ase import Atoms

PROGRAM = "vitrion.distill.train.fit_program"
SMALLEST_FREE_BYTES = 20_000_000
"""Space on a disk below which a failed fit is due to a full disk."""

SETTINGS, FRAMES, STATE, CPU = "settings.json", "train.xyz", "state.pt", "cpu.txt"
"""Files in the folder of a fit: settings, frames, last epoch, CPU time."""


def fitted_file(begin: Path) -> Path:
    """Return the file of the fitted model, beside the initial weights in the folder of a fit."""
    return begin.with_name(f"student{begin.suffix}")


def fit(
    frames: Sequence[Atoms],
    begin: Path,
    folder: Path,
    settings: FitSettings | None = None,
    *,
    workers: int = 1,
    device: str = "cpu",
    on_progress: Callable[[float], None] = lambda fraction: None,
    on_cpu: Callable[[float], None] = lambda seconds: None,
) -> Path:
    """Fit a model, resume an interrupted fit, or return the result of a finished one.

    Parameters
    ----------
    frames
        Labelled frames to fit.
    begin
        Model with the initial weights, which knows the elements of the frames: a student file, or a
        pickled MACE model.
    folder
        Folder of this fit only: a repeated call with the same arguments resumes in it.
    settings
        Epochs, step sizes and weights.
    workers
        Processes that share each step, on the CPU.
    device
        Torch device; a device other than the CPU takes one process.
    on_progress
        Called about once a second with the finished fraction.
    on_cpu
        Called with the CPU time of all processes in s once the fit is finished.

    Returns
    -------
    Path
        The file with the mean of the weights, of the same kind as ``begin``.

    Raises
    ------
    InputError
        If there are no frames.
    SimulationError
        If a process fails; the message contains its last output.
    OSError
        If the disk is full.
    """
    settings = settings or FitSettings()
    fitted = fitted_file(folder / begin.name)
    if fitted.is_file():
        return fitted
    if not frames:
        raise InputError("There are no labelled frames to fit.")
    ranks = max(1, min(workers, settings.batch_size, len(frames))) if device == "cpu" else 1
    own = write_input(frames, begin, folder, settings)
    commands = [program_command(own, device, rank, ranks) for rank in range(ranks)]

    def report() -> None:
        progress = read_progress(folder)
        if progress is not None:
            on_progress(progress.done / max(1.0, progress.total))

    logs = [folder / f"fit-{rank}.log" for rank in range(ranks)]
    environment = {**os.environ, **ONE_THREAD}
    try:
        run_together(commands, logs, environment, on_wait=report)
    except SimulationError as exc:
        if shutil.disk_usage(folder).free < SMALLEST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from exc
        raise
    on_cpu(float((folder / CPU).read_text()))
    return fitted


def write_input(frames: Sequence[Atoms], begin: Path, folder: Path, settings: FitSettings) -> Path:
    """Write what the processes of :func:`fit` read; return their file of the initial weights."""
    folder.mkdir(parents=True, exist_ok=True)
    write_frames(folder / FRAMES, frames)
    own = folder / f"begin{begin.suffix}"
    copy_durably(begin, own)
    known = set(FitSettings.model_fields)
    (folder / SETTINGS).write_text(settings.model_dump_json(indent=1, include=known))
    (folder / "rendezvous").unlink(missing_ok=True)
    return own


def program_command(begin: Path, device: str = "cpu", rank: int = 0, ranks: int = 1) -> list[str]:
    """Return the command of one process of a fit, a child of this process."""
    numbers = [str(number) for number in (rank, ranks, os.getpid())]
    return [sys.executable, "-m", PROGRAM, str(begin), device, *numbers]
