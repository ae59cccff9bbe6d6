"""Runs with their own student: made first, and retrained if a run leaves its range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.distill.distill_request import checked
from vitrion.distill.distill_settings import PRESETS, STANDARD, DistillSettings
from vitrion.distill.distillation import distill
from vitrion.distill.learning import check_can_learn, frames_outside, retrained
from vitrion.dynamics.checkpoint import FILE_NAME as CHECKPOINT
from vitrion.dynamics.document import subsample
from vitrion.dynamics.run_result import load_result
from vitrion.errors import SimulationError, VitrionError
from vitrion.flows.run_documents import RUNS_FOLDER
from vitrion.flows.run_recipe import complete_recipe, run_recipe
from vitrion.potentials.student import is_student, student_card

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ase import Atoms
    from jobflow import JobStore

    from vitrion.flows.recipe import Recipe
    from vitrion.flows.run_recipe import RunResult
    from vitrion.runtime.runner import RunReport

MOST_RETRAININGS = 2
"""Retrainings of one call, at most."""

STUDENTS_FOLDER = "distill"
"""Folder beside the store with one folder per distillation."""


def student_settings(formula: str, preset: str | None = None) -> DistillSettings:
    """Return the checked settings of the student of a composition, which may exist already.

    A student of the standard distillation, if there is one, serves runs of all presets.

    Parameters
    ----------
    formula
        Composition.
    preset
        Preset of the run; the standard distillation if distillation has no such preset.

    Raises
    ------
    InputError
        If the teacher does not know an element, or the composition cannot be packed.
    """
    plain = plain_formula(parse_composition(formula))
    settings = DistillSettings.from_preset(STANDARD, formulas=(plain,))
    if preset in PRESETS.names() and not is_student(settings.student_name):
        settings = DistillSettings.from_preset(preset, formulas=(plain,))
    return settings if is_student(settings.student_name) else checked(settings)


def ensure_student(
    settings: DistillSettings,
    folder: Path,
    *,
    workers: int = 1,
    report: Callable[[str], None] = print,
) -> str:
    """Return the name of a student, which is made first if no student has this name.

    Raises
    ------
    SimulationError
        If the student failed in its validation.
    """
    name = settings.student_name
    if not is_student(name):
        path = folder / STUDENTS_FOLDER / settings.run_id
        distill(settings, path, workers=workers, report=report)
    failure = student_card(name).get("failure")
    if failure is not None:
        raise SimulationError(
            f"The student '{name}' failed in its validation: {failure} Make another one with "
            "'vitrion distill' and more iterations (--set sampling.iterations=6) or --name."
        )
    return name


def run_and_learn(
    recipe: Recipe,
    store: JobStore,
    folder: Path,
    *,
    workers: int = 1,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
    report: Callable[[str], None] = print,
) -> tuple[Recipe, RunResult]:
    """Run a recipe; if frames leave the trained range, retrain the student and repeat the run.

    The documents of the repeated run state the retraining in ``trust.learned``.

    Parameters
    ----------
    recipe
        Completed; its potential is a student of ``vitrion distill``.
    store, folder, workers, on_change
        See :func:`vitrion.flows.run_recipe.run_recipe`.
    report
        Called with a line at each step of a retraining.

    Returns
    -------
    recipe, result
        Of the last run.

    Raises
    ------
    InputError
        If the potential cannot be retrained.
    """
    check_can_learn(str(recipe.potential))
    for attempt in range(MOST_RETRAININGS + 1):
        result = run_recipe(recipe, store, folder, workers=workers, on_change=on_change)
        outside = frames_outside(
            run_frames(folder / RUNS_FOLDER / recipe.run_id), str(recipe.potential)
        )
        if not outside or attempt == MOST_RETRAININGS:
            break
        report(f"{len(outside)} frames left the trained range of {recipe.potential}: retraining")
        name = retrained(
            str(recipe.potential),
            outside,
            folder / STUDENTS_FOLDER / f"{recipe.run_id}-learned",
            run_id=recipe.run_id,
            workers=workers,
            report=report,
        )
        report(f"The run is repeated with {name}")
        recipe = complete_recipe(recipe.replace(potential=name, potential_sha256=None))
    return recipe, result


def run_frames(folder: Path) -> list[Atoms]:
    """Return frames of all complete runs of dynamics below a folder, at most 20 of each."""
    frames: list[Atoms] = []
    for path in sorted(folder.rglob(CHECKPOINT)):
        try:
            frames += subsample(load_result(path.parent))
        except VitrionError:  # a run that failed has no whole trajectory
            continue
    return frames
