"""Distillation of a student, stage by stage, in one folder; an interrupted one is resumed.

First frames from dynamics with a general potential, crystals relaxed with it; iterations in which
the latest student runs dynamics and the teacher labels the frames, of which those with the largest
errors are kept; a last fit; hotter and longer runs, whose failures the teacher labels until none
fails; separate runs that validate the student; a data card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import split
from vitrion.distill.distill_clock import DistillClock
from vitrion.distill.distill_plan import stages_of
from vitrion.distill.distill_run import DistillRun
from vitrion.distill.iterations import iteration_frames, stability_frames
from vitrion.distill.labelled_student import subject_of, usable_frames, validate_labelled
from vitrion.distill.sample.packed_cells import Subject, usual_mobile
from vitrion.distill.start_crystals import crystals_of, of_low_energy
from vitrion.distill.student.student_files import (
    CRYSTALS_SUFFIX,
    FRAMES_SUFFIX,
    HELDOUT_SUFFIX,
    beside,
    named_crystals,
)
from vitrion.distill.student_card import check_name, is_registered, register_student, write_student
from vitrion.distill.student_validation import validate_student
from vitrion.distill.tasks import worker_pool
from vitrion.distill.train.fit import fit
from vitrion.distill.train.initial_weights import write_initial_student, write_with_energies
from vitrion.distill.validate.teacher_comparison import TeacherComparison
from vitrion.potentials.student import SUFFIX, student_path
from vitrion.runtime.atomic import only_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ase import Atoms

    from vitrion.distill.distill_settings import DistillSettings

KEPT_OUT = 0.06
"""Fraction of the labelled frames that no fit sees; they set the threshold of novelty."""


def distill(
    settings: DistillSettings,
    folder: Path,
    *,
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> Path:
    """Make a student, resume an interrupted distillation, or return the finished student.

    Parameters
    ----------
    settings
        Settings that :func:`vitrion.distill.distill_request.checked` has accepted.
    folder
        Folder of this distillation only.
    workers
        Processes of one thread each.
    report
        Called with a line at each step, with the time left.

    Returns
    -------
    Path
        The registered student file, with its card beside it.

    Raises
    ------
    InputError
        If another process uses the folder, or another student has the name.
    SimulationError
        If the teacher or a fit fails.
    """
    check_name(settings.student_name, run_id=settings.run_id)
    with only_process(folder / "lock"):
        return _distilled(settings, folder, workers, report)


def _distilled(
    settings: DistillSettings, folder: Path, workers: int, report: Callable[[str], None]
) -> Path:
    path = folder / f"{settings.student_name}{SUFFIX}"
    frames_file = beside(settings.student_name, FRAMES_SUFFIX)
    if is_registered(path, settings.student_name) and frames_file.is_file():
        return student_path(settings.student_name)
    (folder / "settings.yaml").write_text(settings.to_yaml())
    clock = DistillClock(stages_of(settings, workers), folder, report)
    with worker_pool(workers) as pool:
        run = DistillRun(settings, folder, workers, pool, clock, settings.labeller)
        make = by_labels if run.teacher is None else by_teacher
        student, frames, comparison, other = make(run)
    training, kept_out = split(frames, KEPT_OUT)
    kept_out = kept_out or list(other[HELDOUT_SUFFIX])  # of few frames, none may be kept out
    extra = {"times_s": clock.taken, "cpu_s": clock.cpu, "workers": workers}
    write_student(student, path, settings, training, kept_out, comparison, extra)
    return register_student(path, settings.student_name, {FRAMES_SUFFIX: frames, **other})


Made = tuple["Path", "list[Atoms]", TeacherComparison, "Mapping[str, Sequence[Atoms]]"]
"""The fitted student, its labelled frames, its validation, and frames to keep beside it."""


def by_teacher(run: DistillRun) -> Made:
    """Sample, label, fit and validate."""
    settings = run.settings
    with run.clock.stage("crystals"):
        crystals = crystals_of(run)
    mobile = settings.mobile or usual_mobile(settings.formulas)
    subject = Subject(settings.formulas, crystals, mobile)
    student, frames = fitted(run, subject, first_frames(run, subject))
    validated = of_low_energy(crystals)
    with run.clock.stage("validation"):
        comparison, heldout = validate_student(run, student, validated)
    other = {CRYSTALS_SUFFIX: named_crystals(validated), HELDOUT_SUFFIX: heldout}
    return student, frames, comparison, other


def by_labels(run: DistillRun) -> Made:
    """Fit labelled frames and validate on the rest."""
    frames, heldout = usable_frames(run)
    begin = initial(run, subject_of(run, frames), frames)
    student = one_fit(run, frames, begin, 0, run.settings.last_fit)
    with run.clock.stage("validation"):
        comparison = validate_labelled(run, student, heldout)
    return student, frames, comparison, {HELDOUT_SUFFIX: heldout}


def first_frames(run: DistillRun, subject: Subject) -> list[Atoms]:
    """Return the labelled frames of crystals and of first dynamics."""
    settings = run.settings
    with run.clock.stage("first dynamics"):
        common = {
            "subject": subject,
            "settings": settings.sampling,
            "scout": run.scout,
            "seed": settings.seed,
        }
        numbers = range(settings.sampling.seed_cells)
        found = run.tasks("first", work.first_dynamics, [{**common, "number": k} for k in numbers])
    frames = [atoms for part in found for atoms in part]
    for k, atoms in enumerate(subject.crystals.values()):
        frames += work.shaken(atoms, settings.seed + k)
    with run.clock.stage("first labels"):
        return run.labelled(frames, "first-labels")


def fitted(run: DistillRun, subject: Subject, frames: list[Atoms]) -> tuple[Path, list[Atoms]]:
    """Return the student after all iterations, and all labelled frames that were kept."""
    settings = run.settings
    student = initial(run, subject, frames)
    for number in range(settings.sampling.iterations + 1):
        if number:
            frames = [*frames, *iteration_frames(run, subject, student, number)]
        last = number == settings.sampling.iterations
        schedule = settings.iteration_fit if number else settings.first_fit
        student = one_fit(run, frames, student, number, settings.last_fit if last else schedule)
    for number in range(1, settings.stability.iterations + 1):
        found = stability_frames(run, subject, student, number)
        if not found:
            break
        frames = [*frames, *found]
        fits = settings.sampling.iterations + number
        student = one_fit(run, frames, student, fits, settings.stability_fit)
    return student, frames


def initial(run: DistillRun, subject: Subject, frames: Sequence[Atoms]) -> Path:
    """Return the student file with the initial weights."""
    path = run.folder / "initial.safetensors"
    if not path.is_file():
        begin = student_path(run.settings.begin)
        write_initial_student(begin, frames, subject.elements, path, run.settings.seed)
    return path


def one_fit(
    run: DistillRun, frames: Sequence[Atoms], begin: Path, number: int, schedule: Any
) -> Path:
    """Fit the student to the frames that are not kept out; their order follows from both seeds."""
    schedule = schedule.model_copy(update={"seed": schedule.seed + run.settings.seed})
    folder = run.folder / f"fit-{number}"
    training, _ = split(frames, KEPT_OUT)
    start = folder / "start.safetensors"
    with run.clock.stage(folder.name):
        if not start.is_file():
            folder.mkdir(exist_ok=True)
            write_with_energies(begin, training, start)
        return fit(
            training,
            start,
            folder,
            schedule,
            workers=run.workers,
            on_progress=run.clock.fraction,
            on_cpu=run.clock.add_cpu,
        )
