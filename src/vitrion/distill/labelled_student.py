"""A student of labelled frames alone: fitted to most of them, validated on the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import ENERGY, plain_cell, split
from vitrion.distill.data.labelled_files import labelled_frames
from vitrion.distill.sample.packed_cells import Subject, enlarged
from vitrion.distill.student_validation import hot_runs
from vitrion.distill.validate.endurance import energy_drift
from vitrion.distill.validate.regime_errors import regime_errors, with_regimes
from vitrion.distill.validate.teacher_comparison import TeacherComparison

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.distill.distill_run import DistillRun

HELDOUT = 0.15
"""Fraction of the frames that are held out for the validation."""


def usable_frames(run: DistillRun) -> tuple[list[Atoms], list[Atoms]]:
    """Return frames to fit and held-out frames, each with its regime; at least one of each."""
    frames = with_regimes(labelled_frames(Path(run.settings.teacher)))
    fitted, heldout = split(frames, HELDOUT)
    return (fitted, heldout) if heldout else (fitted[:-1], fitted[-1:])


def subject_of(run: DistillRun, frames: list[Atoms]) -> Subject:
    """Return the subject of labelled frames: their elements, nothing to sample."""
    return Subject(run.settings.formulas, {f"frame {k}": a for k, a in enumerate(frames)})


def validate_labelled(run: DistillRun, student: Path, heldout: list[Atoms]) -> TeacherComparison:
    """Compare a student with held-out labels, and test its dynamics from calm frames."""
    calculator = work.student(student)
    energies = [atoms.info[ENERGY] / len(atoms) for atoms in heldout]
    calm = [heldout[i] for i in np.argsort(energies)[:4]]
    starts = [enlarged(plain_cell(atoms), run.settings.validation.n_atoms) for atoms in calm]
    drift = energy_drift(
        starts[0], calculator, run.settings.validation.drift_ps, seed=run.settings.seed
    )
    return TeacherComparison(
        potential=run.settings.student_name,
        teacher=run.settings.teacher,
        errors=regime_errors(heldout, calculator),
        cells=[],
        drift=drift,
        hot_runs=hot_runs(run, student, starts),
    )
