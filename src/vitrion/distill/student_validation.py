"""Validation of a new student on its own runs: errors, densities, energy drift, endurance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import plain_cell
from vitrion.distill.sample.packed_cells import enlarged
from vitrion.distill.validate.endurance import HotRun, energy_drift
from vitrion.distill.validate.properties import cell_differences, crystal_frames
from vitrion.distill.validate.regime_errors import regime_errors
from vitrion.distill.validate.teacher_comparison import TeacherComparison
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ase import Atoms

    from vitrion.distill.distill_run import DistillRun
    from vitrion.distill.validate.properties import CellDifference

SHIFT = 1000
"""Shift of the seeds of the validation, which samples nothing that was trained on."""


def validate_student(
    run: DistillRun, student: Path, crystals: Mapping[str, Atoms]
) -> tuple[TeacherComparison, list[Atoms]]:
    """Compare a new student with its teacher on dynamics that it has not been trained on.

    Crystals and quenched cells are moved by the student at the temperatures of validation and
    labelled by the teacher; relaxed crystals and one relaxed glass are compared by their stresses.
    A student whose atoms fuse or fly apart has failed: the comparison states it.

    Returns
    -------
    TeacherComparison, list of Atoms
        The comparison, and the labelled frames.
    """
    validation = run.settings.validation
    starts = [enlarged(atoms, validation.n_atoms) for atoms in crystals.values()]
    found = TeacherComparison(
        potential=run.settings.student_name,
        teacher=run.settings.teacher,
        errors=[],
        cells=[],
        hot_runs=[],
    )
    calculator = work.student(student)
    frames: list[Atoms] = []
    try:
        moved = _moved(run, student, crystals)
        frames = run.labelled(moved, "validation-labels")
        if not frames:
            found.failure = "Its dynamics led all atoms far from any physical state."
        starts += _last_of_each(frames)
        seed = run.settings.seed + SHIFT
        found.errors = regime_errors(frames, calculator)
        found.drift = energy_drift(starts[-1], calculator, validation.drift_ps, seed=seed)
        found.cells = _cells(run, student, crystals, starts[-1])
    except InputError as exc:  # the student refuses atoms that are too close or not finite
        found.failure = str(exc)
    found.hot_runs = hot_runs(run, student, starts)
    return found, frames


def hot_runs(run: DistillRun, student: Path, starts: Sequence[Atoms]) -> list[HotRun]:
    """Return the outcomes of runs at the highest temperature, from the starts in turn."""
    settings = run.settings
    found = run.tasks(
        "hot-runs",
        work.hot_dynamics,
        [
            {
                "atoms": starts[k % len(starts)],
                "path": student,
                "picoseconds": settings.validation.hot_ps,
                "temperature_K": settings.sampling.hottest_K,
                "seed": settings.seed + SHIFT + k,
            }
            for k in range(settings.validation.hot_runs)
        ],
    )
    return [HotRun.model_validate(frames[0].info) for frames in found]


def _moved(run: DistillRun, student: Path, crystals: Mapping[str, Atoms]) -> list[Atoms]:
    """Return frames of dynamics of crystals and of quenched cells, by regime."""
    settings, validation = run.settings, run.settings.validation
    seed = settings.seed + SHIFT
    solid = [
        {"name": name, "atoms": atoms, "path": student, "settings": validation, "seed": seed + k}
        for k, (name, atoms) in enumerate(crystals.items())
    ]
    glasses = [
        {
            "formula": formula,
            "path": student,
            "settings": validation,
            "hottest_K": settings.sampling.hottest_K,
            "seed": (seed, k),
        }
        for formula in settings.formulas
        for k in range(validation.glasses)
    ]
    found = run.tasks("validation-crystals", work.crystal_dynamics, solid)
    found += run.tasks("validation-glasses", work.quenched, glasses)
    return [atoms for part in found for atoms in part]


def _cells(
    run: DistillRun, student: Path, crystals: Mapping[str, Atoms], glass: Atoms
) -> list[CellDifference]:
    """Compare relaxed crystals and a relaxed glass with the teacher, by stresses."""
    calculator = work.student(student)
    cells = {**crystals, "glass": glass}
    frames = run.once("properties.xyz", lambda: crystal_frames(cells, calculator))
    labelled = run.labelled(frames, "property-labels")
    return cell_differences(labelled, calculator, without_shear=["glass"], report=run.clock.report)


def _last_of_each(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return the last frame of each glass: the coldest, of each composition."""
    last = {str(a.info["regime"]): a for a in frames if " glass, " in str(a.info["regime"])}
    return [plain_cell(atoms) for atoms in (last.values() or frames[-1:])]
