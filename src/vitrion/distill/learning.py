"""Retrain a student on frames of a run that left its trained range."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.distill.data.frames import plain_cell, split
from vitrion.distill.distill_clock import DistillClock
from vitrion.distill.distill_plan import FIT_S_PER_ATOM, LOADING_S, teacher_pace
from vitrion.distill.distill_run import DistillRun
from vitrion.distill.distill_settings import DistillSettings
from vitrion.distill.distillation import KEPT_OUT, one_fit
from vitrion.distill.labelled_student import validate_labelled
from vitrion.distill.student.student_files import (
    CRYSTALS_SUFFIX,
    FRAMES_SUFFIX,
    HELDOUT_SUFFIX,
    student_frames,
)
from vitrion.distill.student_card import is_registered, register_student, write_student
from vitrion.distill.tasks import worker_pool
from vitrion.errors import InputError, SimulationError
from vitrion.potentials.student import (
    SUFFIX,
    is_student,
    local_students,
    student_card,
    student_path,
    students_folder,
)
from vitrion.potentials.trust import novelty
from vitrion.runtime.atomic import only_process, write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ase import Atoms

DONE = "registered.txt"
"""File with the name of the new student, written before it is registered."""

NAMING = "lock"
"""File in the folder of students, locked while a new one takes a free name."""

MOST_FRAMES = 80
"""Frames of a run that are learned, at most."""

HELD_OUT = 0.2
"""Fraction of them that is held out for the validation."""

EPOCHS_SHARE = 0.4
"""Ratio of the epochs of the fit to the epochs of the last fit of the distillation."""


def check_can_learn(name: str) -> None:
    """Refuse a potential that cannot be retrained.

    Raises
    ------
    InputError
        If it is not a student of ``vitrion distill`` with a teacher and its labelled frames.
    """
    if not is_student(name) or name not in local_students() or not _settings_of(name):
        raise InputError(
            f"'{name}' cannot learn from a run: make a student with 'vitrion distill' or --distill."
        )
    if not student_frames(name, FRAMES_SUFFIX):
        raise InputError(f"The labelled frames of '{name}' are missing: distill it again.")
    if DistillSettings(**_settings_of(name)).labeller is None:
        raise InputError(
            f"'{name}' was made of labelled frames, so there is no teacher to label more."
        )


def frames_outside(frames: Sequence[Atoms], name: str) -> list[Atoms]:
    """Return the frames that left the trained range of a student, the farthest first."""
    if not frames:
        return []
    report = novelty(frames, name)
    order = np.argsort(report.scores)[::-1]
    return [frames[i] for i in order if report.scores[i] > report.threshold][:MOST_FRAMES]


def retrained(
    name: str,
    frames: Sequence[Atoms],
    folder: Path,
    *,
    run_id: str,
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> str:
    """Label frames with the teacher of a student, retrain it, and register it under a new name.

    Parameters
    ----------
    name
        The student.
    frames
        Frames that left its trained range.
    folder
        Folder of this retraining only; a repeated call resumes in it.
    run_id
        Run that the frames come from, for the card.
    workers
        Processes of one thread each.
    report
        Called with a line at each step.

    Returns
    -------
    str
        Name of the new student: the old name and a number.

    Raises
    ------
    InputError
        If the student cannot be retrained.
    SimulationError
        If the teacher, the fit or the retrained student fails.
    """
    check_can_learn(name)
    if finished := registered_name(folder):
        return finished
    settings = _next_settings(name)
    card = student_card(name)
    old, heldout = (student_frames(name, suffix) for suffix in (FRAMES_SUFFIX, HELDOUT_SUFFIX))
    n_atoms = sum(len(atoms) for atoms in [*old, *frames])
    expected = {
        "labels": LOADING_S + sum(map(len, frames)) * teacher_pace(settings.teacher) / workers,
        "fit-0": LOADING_S + settings.last_fit.epochs * n_atoms * FIT_S_PER_ATOM / workers,
        "validation": LOADING_S,
    }
    with only_process(folder / "lock"), worker_pool(workers) as pool:
        clock = DistillClock(expected, folder, report)
        run = DistillRun(settings, folder, workers, pool, clock, settings.labeller)
        plain = [plain_cell(atoms) for atoms in frames]
        for atoms in plain:
            atoms.info = {"config_type": "learned"}
        with clock.stage("labels"):
            labelled = run.labelled(plain, "labels")
        if len(labelled) < 2:
            raise SimulationError(
                f"The teacher labelled {len(labelled)} of {len(frames)} frames: too few to learn."
            )
        learned, unseen = split(labelled, HELD_OUT)
        if not unseen:
            learned, unseen = learned[:-1], learned[-1:]
        student = one_fit(run, [*old, *learned], student_path(name), 0, settings.last_fit)
        with clock.stage("validation"):
            regime = f"frames of {run_id}"
            for atoms in unseen:
                atoms.info["regime"] = regime
            comparison = validate_labelled(run, student, [*heldout, *unseen])
        if comparison.failure is not None:
            raise SimulationError(f"The retrained student failed: {comparison.failure}")
    training, kept_out = split([*old, *learned], KEPT_OUT)
    kept_out += unseen  # the threshold of novelty holds for frames such as these, too
    entry = {"run": run_id, "frames": len(learned), "predecessor": name}
    extra = {
        "learned": [*card.get("learned", []), entry],
        "times_s": clock.taken,
        "cpu_s": clock.cpu,
        "workers": workers,
        "cells": card.get("cells", []),
    }
    beside = {
        FRAMES_SUFFIX: [*old, *learned],
        HELDOUT_SUFFIX: [*heldout, *unseen],
        CRYSTALS_SUFFIX: student_frames(name, CRYSTALS_SUFFIX),
    }
    with only_process(students_folder() / NAMING, wait_s=600.0):
        new = _free_name(name)
        path = folder / f"{new}{SUFFIX}"
        named = settings.model_copy(update={"name": new})
        write_student(student, path, named, training, kept_out, comparison, extra)
        write_durably(folder / DONE, new)
        register_student(path, new, beside)
    return new


def registered_name(folder: Path) -> str | None:
    """Return the name of the student that was registered from a folder, None if none was."""
    if not (folder / DONE).is_file():
        return None
    name = (folder / DONE).read_text()
    return name if is_registered(folder / f"{name}{SUFFIX}", name) else None


def _free_name(name: str) -> str:
    """Return the name of the first student of a series and the first free number."""
    learned = student_card(name).get("learned", [])
    base = str(learned[0]["predecessor"]) if learned else name
    number = 2
    while is_student(f"{base}-{number}"):
        number += 1
    return f"{base}-{number}"


def _settings_of(name: str) -> dict[str, Any]:
    return deepcopy(student_card(name).get("settings", {}))


def _next_settings(name: str) -> DistillSettings:
    """Return the settings of a retraining: the fit is short, and as long in all retrainings."""
    values = _settings_of(name)
    if not student_card(name).get("learned"):
        fit = values["last_fit"]
        fit["epochs"] = max(2, round(EPOCHS_SHARE * fit["epochs"]))
        fit["learning_rate"] = 0.5 * fit["learning_rate"]
    values["validation"]["hot_runs"] = min(4, values["validation"]["hot_runs"])
    return DistillSettings(**values)
