"""Iterations of a distillation: dynamics with the latest student, labels, and frames to keep.

A label costs less than the passes of a frame through the fits, so errors are measured and not
estimated by a committee.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import FORCES
from vitrion.distill.sample.committee import force_difference
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from vitrion.distill.distill_run import DistillRun
    from vitrion.distill.sample.packed_cells import Subject

RANDOM_SHARE = 0.25
"""Share of the kept frames of an iteration that are drawn at random."""

STABILITY_SEED = 500
"""Shift of the seeds of stability runs from the seeds of the other iterations."""


def iteration_frames(run: DistillRun, subject: Subject, student: Path, number: int) -> list[Atoms]:
    """Return the frames of an iteration that are kept, with labels."""
    settings = run.settings.sampling
    common = {"subject": subject, "settings": settings, "path": student}
    with run.clock.stage(f"dynamics {number}"):
        arguments = [
            {**common, "seed": (run.settings.seed, number, k)} for k in range(settings.runs)
        ]
        runs = run.tasks(f"dynamics-{number}", work.student_dynamics, arguments)
    frames = [atoms for part in runs for atoms in part]
    return _kept(run, frames, student, f"labels {number}", settings.kept_per_iteration, number)


def stability_frames(run: DistillRun, subject: Subject, student: Path, number: int) -> list[Atoms]:
    """Return labelled frames of hot, long runs that failed; none if no run failed.

    The other runs give frames too, so that the student does not forget what it knew.
    """
    sampling, settings = run.settings.sampling, run.settings.stability
    common = {"subject": subject, "settings": sampling, "path": student}
    temperature = settings.overheating * sampling.hottest_K
    with run.clock.stage(f"stability {number}"):
        arguments = [
            {
                **common,
                "seed": (run.settings.seed, STABILITY_SEED + number, k),
                "temperature_K": temperature,
                "picoseconds": settings.run_ps,
            }
            for k in range(settings.runs)
        ]
        runs = run.tasks(f"stability-{number}", work.student_dynamics, arguments)
    failed = sum(any(a.info.get("before_failure") for a in part) for part in runs)
    run.clock.report(
        f"stability {number}: {failed} of {len(runs)} runs of {settings.run_ps:g} ps at "
        f"{temperature:.0f} K failed"
    )
    if not failed:
        return []
    frames = [atoms for part in runs for atoms in part]
    stage = f"stability labels {number}"
    return _kept(run, frames, student, stage, settings.kept, STABILITY_SEED + number)


def _kept(
    run: DistillRun, frames: list[Atoms], student: Path, stage: str, limit: int, seed: int
) -> list[Atoms]:
    """Label frames; return those to keep."""
    folder = stage.replace(" ", "-")
    with run.clock.stage(stage):
        labelled = run.labelled(frames, folder)
    scores = force_errors(labelled, work.student(student))
    rng = np.random.default_rng((run.settings.seed, seed))
    kept = chosen_frames(scores, limit, rng)
    run.clock.report(
        f"{stage}: {len(labelled)} frames labelled, {len(kept)} kept; largest force error "
        f"of a frame: median {np.median(scores):.2f}, worst {scores.max():.2f} eV/A"
    )
    return run.once(f"kept-{folder}.xyz", lambda: [labelled[i] for i in kept])


def force_errors(frames: Sequence[Atoms], calculator: Any) -> np.ndarray:
    """Return the largest error of an atomic force of each frame, ``(n_frames,)``, in eV/A.

    It is scaled as in :func:`vitrion.distill.sample.committee.force_difference`.
    """
    return np.array(
        [force_difference(calculator.get_forces(atoms), atoms.arrays[FORCES]) for atoms in frames]
    )


def chosen_frames(scores: np.ndarray, limit: int, rng: np.random.Generator) -> list[int]:
    """Return the frames to keep: the frames of the largest errors, and some drawn at random."""
    if not len(scores):
        raise InputError("The teacher labelled no usable frame: see the folder of the iteration.")
    limit = min(limit, len(scores))
    by_error = np.argsort(scores)[::-1]
    worst = by_error[: round((1 - RANDOM_SHARE) * limit)]
    drawn = rng.choice(by_error[len(worst) :], limit - len(worst), replace=False)
    return sorted(int(i) for i in (*worst, *drawn))
