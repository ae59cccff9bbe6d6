"""Expected time of a distillation, stage by stage, before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.distill.data.labelled_files import labelled_frames
from vitrion.distill.sample.packed_cells import packed_atoms
from vitrion.dynamics.md_settings import HYDROGEN_TIMESTEP_FS
from vitrion.runtime.counts import counted
from vitrion.runtime.durations import duration_text

if TYPE_CHECKING:
    from vitrion.distill.distill_settings import DistillSettings
    from vitrion.distill.train.fit_settings import FitSettings

TEACHER_S_PER_ATOM = {"chgnet": 0.0028, "sevennet": 0.02, "mace": 0.02, "vitrion": 0.00005}
"""Time of one label per atom on one core in s, by the first part of the teacher's name."""

OTHER_TEACHER_S_PER_ATOM = 0.02
FIT_S_PER_ATOM = 0.0011
"""Time of one step of a fit per atom on one core in s, with gradients of forces and stresses."""

STUDENT_S_PER_ATOM, STUDENT_S_PER_STEP = 2.3e-5, 2e-4
"""Time of a step of dynamics with a student: per atom, and of each call, in s."""

CRYSTAL_ATOMS, CRYSTAL_STEPS, FIRST_STEPS = 20, 60, 10
LOADING_S = 12.0
"""Time in which processes start and load the teacher, and of small stages."""


def teacher_pace(teacher: str) -> float:
    """Return the expected time of one label per atom on one core in s."""
    family = teacher.partition(":")[0].partition("-")[0]
    return TEACHER_S_PER_ATOM.get(family, OTHER_TEACHER_S_PER_ATOM)


def expected_stages(settings: DistillSettings, workers: int = 1) -> dict[str, float]:
    """Return the expected time of each stage in s, in their order.

    Examples
    --------
    >>> from vitrion.distill.distill_settings import DistillSettings
    >>> stages = expected_stages(DistillSettings.from_preset("quick", formulas=["Na3PS4"]), 2)
    >>> list(stages)[:3]
    ['crystals', 'first dynamics', 'first labels']
    """
    sampling, pace = settings.sampling, teacher_pace(settings.teacher)
    n, searched = _cell_atoms(settings, sampling.n_atoms), len(settings.searched_formulas)
    candidates = sampling.candidates * searched
    crystals = len(settings.structures)
    crystals += min(sampling.crystals, sampling.candidates + 1) * searched
    step_s, per_ps = n * STUDENT_S_PER_ATOM + STUDENT_S_PER_STEP, steps_per_ps(settings)
    seed_steps = per_ps * sampling.seed_ps + FIRST_STEPS
    frames = sampling.seed_cells * 6 + crystals * 5
    stages = {
        "crystals": candidates * CRYSTAL_STEPS * CRYSTAL_ATOMS * pace,
        "first dynamics": sampling.seed_cells * seed_steps * n * pace,
        "first labels": frames * n * pace,
        "fit-0": _fit_s(
            settings.first_fit if sampling.iterations else settings.last_fit, frames, n
        ),
    }
    for number in range(1, sampling.iterations + 1):
        found = sampling.runs * (sampling.frames_per_run + 1)
        frames += min(found, sampling.kept_per_iteration)
        schedule = settings.last_fit if number == sampling.iterations else settings.iteration_fit
        stages[f"dynamics {number}"] = sampling.runs * per_ps * sampling.run_ps * step_s
        stages[f"labels {number}"] = found * n * pace
        stages[f"fit-{number}"] = _fit_s(schedule, frames, n)
    for number in range(1, settings.stability.iterations + 1):
        stages |= _stability_s(settings, number, frames + number * settings.stability.kept)
    stages["validation"] = _validation_s(settings, crystals, pace)
    return {name: LOADING_S + seconds / workers for name, seconds in stages.items()}


def labelled_stages(settings: DistillSettings, n_atoms: int, workers: int = 1) -> dict[str, float]:
    """Return the expected time of each stage in s for labelled frames of ``n_atoms`` in total."""
    validation = settings.validation
    fit_s = settings.last_fit.epochs * n_atoms * FIT_S_PER_ATOM
    step_s = validation.n_atoms * STUDENT_S_PER_ATOM + STUDENT_S_PER_STEP
    hot_s = validation.hot_runs * steps_per_ps(settings) * validation.hot_ps * step_s
    return {"fit-0": LOADING_S + fit_s / workers, "validation": LOADING_S + hot_s / workers}


def plan_lines(settings: DistillSettings, workers: int = 1) -> list[str]:
    """Return the plan of a distillation, one line per stage."""
    stages = stages_of(settings, workers)
    repeats = {name: stages.pop(name) for name in _stability_stages(settings) if name in stages}
    if repeats:
        last = stages.pop("validation")
        most = settings.stability.iterations
        times = "once" if most == 1 else f"{most} times"
        stages[f"stability, labels and fit, at most {times}"] = sum(repeats.values())
        stages["validation"] = last
    total = sum(stages.values())
    lines = [
        f"student {settings.student_name} of {settings.teacher} for {', '.join(settings.formulas)}",
        f"expected time: at most {duration_text(total)} with {counted(workers, 'worker')}",
    ]
    return [*lines, *(f"  {name}: {duration_text(seconds)}" for name, seconds in stages.items())]


def _stability_stages(settings: DistillSettings) -> list[str]:
    first = settings.sampling.iterations
    return [
        name
        for number in range(1, settings.stability.iterations + 1)
        for name in (f"stability {number}", f"stability labels {number}", f"fit-{first + number}")
    ]


def stages_of(settings: DistillSettings, workers: int = 1) -> dict[str, float]:
    """Return the expected time of each stage in s, with a teacher or with labelled frames."""
    if settings.labeller is not None:
        return expected_stages(settings, workers)
    frames = labelled_frames(Path(settings.teacher))
    return labelled_stages(settings, sum(len(atoms) for atoms in frames), workers)


def steps_per_ps(settings: DistillSettings) -> int:
    """Return the time steps of 1 ps: more with hydrogen."""
    from pymatgen.core import Composition

    hydrogen = any("H" in Composition(formula) for formula in settings.formulas)
    return round(1000 / (HYDROGEN_TIMESTEP_FS if hydrogen else 2.0))


def _cell_atoms(settings: DistillSettings, n_atoms: int) -> int:
    """Return the atoms of the largest packed cell: more than ``n_atoms`` with large ions."""
    return max((packed_atoms(formula, n_atoms) for formula in settings.formulas), default=n_atoms)


def _fit_s(schedule: FitSettings, frames: int, n_atoms: int) -> float:
    return schedule.epochs * frames * n_atoms * FIT_S_PER_ATOM


def _stability_s(settings: DistillSettings, number: int, frames: int) -> dict[str, float]:
    sampling, stability = settings.sampling, settings.stability
    n = _cell_atoms(settings, sampling.n_atoms)
    step_s = n * STUDENT_S_PER_ATOM + STUDENT_S_PER_STEP
    labels = stability.runs * (sampling.frames_per_run + 1)
    return {
        f"stability {number}": stability.runs * steps_per_ps(settings) * stability.run_ps * step_s,
        f"stability labels {number}": labels * n * teacher_pace(settings.teacher),
        f"fit-{sampling.iterations + number}": _fit_s(settings.stability_fit, frames, n),
    }


def _validation_s(settings: DistillSettings, crystals: int, pace: float) -> float:
    validation, formulas = settings.validation, max(1, len(settings.formulas))
    n = _cell_atoms(settings, validation.n_atoms)
    cells = crystals + validation.glasses * formulas
    labels = cells * validation.frames * len(validation.temperatures_K) + 3 * crystals
    step_s = n * STUDENT_S_PER_ATOM + STUDENT_S_PER_STEP
    per_ps = steps_per_ps(settings)
    steps = validation.hot_runs * per_ps * validation.hot_ps + cells * 6 * per_ps
    return labels * n * pace + steps * step_s
