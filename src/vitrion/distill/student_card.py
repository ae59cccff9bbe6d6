"""The student file of a distillation, its data card, and its registration under a name."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.distill.data.frames import write_frames
from vitrion.distill.student.release import release
from vitrion.distill.student.student_files import beside
from vitrion.errors import InputError
from vitrion.potentials import describe_potential, get_potential
from vitrion.potentials.spec import sha256_of
from vitrion.potentials.student import (
    SUFFIX,
    is_student,
    load_student,
    student_card,
    student_path,
    students_folder,
)
from vitrion.runtime.atomic import copy_durably

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from vitrion.distill.distill_settings import DistillSettings
    from vitrion.distill.validate.teacher_comparison import TeacherComparison
    from vitrion.potentials import PotentialSpec

DIGITS = 4


def write_student(
    fitted: Path,
    path: Path,
    settings: DistillSettings,
    training: Sequence[Atoms],
    kept_out: Sequence[Atoms],
    comparison: TeacherComparison,
    extra: Mapping[str, Any],
) -> str:
    """Write the student file with its statistics, and the card beside it; return the hash.

    Parameters
    ----------
    fitted
        Student file of the last fit.
    path
        Target, ending in ``.safetensors``.
    settings
        Settings of the distillation.
    training, kept_out
        Labelled frames that were and were not fitted.
    comparison
        Validation of the student.
    extra
        Further entries of the card, such as the times of the stages.
    """
    found = comparison.model_dump(mode="json")
    atoms = sum(len(frame) for frame in training)
    card = {
        "name": settings.student_name,
        "version": settings.run_id,
        "teacher": settings.teacher,
        "teacher_version": teacher_version(settings),
        "functional": functional(settings),
        "training_set": f"{len(training)} frames ({atoms} atoms) of {', '.join(settings.formulas)}"
        f", labelled by {settings.teacher}",
        "license": "as the teacher's labels",
        "citation": citation(settings),
        "mace": f"mace-torch {metadata.version('mace-torch')}",
        "vitrion": metadata.version("vitrion"),
        "settings": settings.model_dump(mode="json", exclude={"structures"}),
        "validation": rounded(found["errors"]),
        **{key: rounded(found[key]) for key in ("cells", "drift", "hot_runs", "failure")},
        **rounded(dict(extra)),
    }
    return release(load_student(fitted), training, kept_out, path, card)


def register_student(
    source: Path,
    name: str,
    frames: Mapping[str, Sequence[Atoms]],
) -> Path:
    """Copy a student and its card into the user's folder, where it is found by its name.

    Parameters
    ----------
    source
        Student file with its card beside it.
    name
        Name of the student.
    frames
        Frames to keep beside it, by suffix, such as ``FRAMES_SUFFIX``.

    Raises
    ------
    InputError
        If another student has that name.
    """
    run_id = json.loads(source.with_suffix(".json").read_text()).get("version")
    check_name(name, sha256_of(source), run_id)
    target = student_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix, kept in frames.items():
        if kept:
            write_frames(beside(name, suffix), kept)
    for suffix in (SUFFIX, ".json"):  # the card last: without it the student is not found
        copy_durably(source.with_suffix(suffix), beside(name, suffix))
    return target


def is_registered(source: Path, name: str) -> bool:
    """Return whether the student of this name is the student file ``source``."""
    return (
        is_student(name) and source.is_file() and student_card(name)["sha256"] == sha256_of(source)
    )


def check_name(name: str, sha256: str | None = None, run_id: str | None = None) -> None:
    """Refuse a name that another student has.

    Raises
    ------
    InputError
        If a student of that name has neither this hash nor this run.
    """
    card = beside(name, ".json")
    if not card.is_file():
        return
    own = json.loads(card.read_text())
    if own.get("sha256") != sha256 and own.get("version") != run_id:
        raise InputError(
            f"Another student '{name}' is in {students_folder()}: choose another --name, or remove "
            "that student."
        )


def functional(settings: DistillSettings) -> str:
    """Return the functional of the labels."""
    teacher = _registered_teacher(settings)
    plain = teacher.functional if teacher is not None else "as the teacher's"
    return f"{plain}, with D3(BJ)" if settings.dispersion else plain


def teacher_version(settings: DistillSettings) -> str | None:
    """Return version and hash of the teacher, or the hash of labelled frames; None if unknown."""
    if settings.labeller is None:
        return f"SHA-256 {sha256_of(Path(settings.teacher))}"
    teacher = _registered_teacher(settings)
    if teacher is None:
        return None
    sha256 = describe_potential(teacher).sha256
    return teacher.version + (f", SHA-256 {sha256}" if sha256 else "")


def citation(settings: DistillSettings) -> str:
    """Return the reference of a student: vitrion and the teacher."""
    teacher = _registered_teacher(settings)
    own = "The vitrion developers (vitrion distill)"
    return f"{own}; teacher: {teacher.citation}" if teacher is not None else own


def _registered_teacher(settings: DistillSettings) -> PotentialSpec | None:
    known = settings.labeller is not None and settings.is_registered
    return get_potential(settings.teacher) if known else None


def rounded(entry: Any) -> Any:
    """Return nested values with their numbers rounded."""
    if isinstance(entry, float):
        return round(entry, DIGITS)
    if isinstance(entry, dict):
        return {key: rounded(value) for key, value in entry.items()}
    return [rounded(value) for value in entry] if isinstance(entry, list | tuple) else entry
