"""A student of labelled frames alone: fitted to most of them, validated on the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import ENERGY, plain_cell, reduced_formula
from vitrion.distill.data.labelled_files import labelled_frames
from vitrion.distill.sample.packed_cells import Subject, enlarged
from vitrion.distill.student_validation import hot_runs
from vitrion.distill.validate.endurance import energy_drift
from vitrion.distill.validate.regime_errors import regime_errors, with_regimes
from vitrion.distill.validate.teacher_comparison import TeacherComparison
from vitrion.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.distill.distill_run import DistillRun

HELDOUT = 0.15
"""Fraction of the frames that are held out for the validation."""


def usable_frames(run: DistillRun) -> tuple[list[Atoms], list[Atoms]]:
    """Return frames to fit and held-out frames, each with its regime; at least one of each.

    The last frames of each regime are held out. Consecutive frames of a trajectory are almost
    equal: frames drawn at random would have neighbors among the fitted ones, and too small errors.
    """
    regimes: dict[str, list[Atoms]] = {}
    for atoms in with_regimes(labelled_frames(Path(run.settings.teacher))):
        regimes.setdefault(str(atoms.info["regime"]), []).append(atoms)
    fitted: list[Atoms] = []
    heldout: list[Atoms] = []
    for group in regimes.values():
        first = len(group) - round(HELDOUT * len(group))
        fitted += group[:first]
        heldout += group[first:]
    return (fitted, heldout) if heldout else (fitted[:-1], fitted[-1:])


def subject_of(run: DistillRun, frames: list[Atoms]) -> Subject:
    """Return the subject of labelled frames: their elements, nothing to sample."""
    return Subject(run.settings.formulas, {f"frame {k}": a for k, a in enumerate(frames)})


def validate_labelled(run: DistillRun, student: Path, heldout: list[Atoms]) -> TeacherComparison:
    """Compare a student with held-out labels, and test its dynamics from calm frames."""
    calculator = work.student(student)
    starts = [
        enlarged(plain_cell(atoms), run.settings.validation.n_atoms) for atoms in calmest(heldout)
    ]
    found = TeacherComparison(
        potential=run.settings.student_name,
        teacher=run.settings.teacher,
        errors=regime_errors(heldout, calculator),
        cells=[],
        hot_runs=hot_runs(run, student, starts),
    )
    length = run.settings.validation.drift_ps
    try:
        found.drift = energy_drift(starts[0], calculator, length, seed=run.settings.seed)
    except InputError as exc:  # the student refuses atoms that are too close or not finite
        found.failure = str(exc)
    return found


def calmest(frames: list[Atoms]) -> list[Atoms]:
    """Return the frame of lowest energy per atom of each composition."""
    lowest: dict[str, Atoms] = {}
    for atoms in sorted(frames, key=lambda atoms: atoms.info[ENERGY] / len(atoms)):
        lowest.setdefault(reduced_formula(atoms), atoms)
    return list(lowest.values())
