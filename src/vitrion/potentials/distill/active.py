"""Active rounds: dynamics with the student, frames its committee disagrees on, labels, training.

A round lives in ``round-NNN`` of the working directory, with one file per run of dynamics. It is
labelled when the teacher has written all of ``labelled.xyz``. A round that was killed goes on with
whatever is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from ase.io import read, write
from pydantic import BaseModel, ConfigDict, Field

from vitrion.errors import InputError
from vitrion.potentials.distill.committee import disagreement, select
from vitrion.potentials.distill.labelling import Teacher, label
from vitrion.potentials.distill.sampling import Chemistry, DynamicsSettings, draw_start, explore
from vitrion.potentials.distill.training import (
    Architecture,
    TrainingSettings,
    load_checkpoint,
    train,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from ase.calculators.calculator import Calculator

Progress = Callable[[str], None]


class ActiveSettings(BaseModel):
    """Size of a round."""

    model_config = ConfigDict(frozen=True)

    runs: int = Field(14, ge=1, description="Runs of dynamics in a round.")
    frames_per_run: int = Field(9, ge=1, description="Most frames taken for disagreement per run.")
    threshold: float = Field(0.12, ge=0, description="Disagreement from which a frame is taken.")
    dynamics: DynamicsSettings = Field(
        default_factory=lambda: DynamicsSettings(), description="The runs."
    )


def collect(
    committee: list[Calculator],
    chemistry: Chemistry,
    crystals: dict[str, Atoms],
    settings: ActiveSettings,
    directory: Path,
    seed: int,
    progress: Progress = print,
) -> list[Atoms]:
    """Run the dynamics of a round and return the chosen frames.

    Each run is drawn from its own seed and saved when it ends, so that a repeated call runs only
    those that are missing.

    Parameters
    ----------
    committee
        At least two potentials; the first one drives the dynamics.
    chemistry, crystals
        What to start from.
    settings
        Size of the round.
    directory
        Folder of the round.
    seed
        Seed of the round.
    progress
        Called with one line after each run.
    """
    if len(committee) < 2:
        raise InputError("An active round needs a committee of at least two potentials.")
    directory.mkdir(parents=True, exist_ok=True)
    frames: list[Atoms] = []
    for run, child in enumerate(np.random.SeedSequence(seed).spawn(settings.runs)):
        path = directory / f"run-{run:03d}.xyz"
        if not path.exists():
            rng = np.random.default_rng(child)
            atoms, temperature = draw_start(chemistry, crystals, rng)
            found = explore(atoms, committee[0], temperature, settings.dynamics, rng)
            scores = disagreement(found, committee)
            chosen = select(
                scores, rng, limit=settings.frames_per_run, threshold=settings.threshold
            )
            partial = path.with_suffix(".partial")
            write(partial, [found[i] for i in chosen], format="extxyz")
            partial.replace(path)
            progress(
                f"run {run + 1} of {settings.runs}: {atoms.symbols} at {temperature:.0f} K, "
                f"disagreement {np.median(scores):.2f} (worst {scores.max():.2f}), "
                f"{len(chosen)} of {len(found)} frames taken"
            )
        frames += read(path, index=":", format="extxyz")
    return frames


def run_rounds(
    start: list[Atoms],
    teacher: Teacher,
    chemistry: Chemistry,
    crystals: dict[str, Atoms],
    directory: Path,
    *,
    rounds: int,
    seed: int,
    active: ActiveSettings | None = None,
    training: TrainingSettings | None = None,
    architecture: Architecture | None = None,
    progress: Progress = print,
) -> Path:
    """Label, train, and then explore, label and train again, ``rounds`` times.

    The committee of a round is the newest student and the one of the round before; in the first
    round the second member is a student that was trained on the same frames from another seed.

    Returns
    -------
    Path
        The newest checkpoint. ``rounds.json`` in ``directory`` says what each round added.
    """
    active, training = active or ActiveSettings(), training or TrainingSettings()
    architecture = architecture or Architecture()
    record = directory / "rounds.json"
    done: list[dict[str, object]] = json.loads(record.read_text()) if record.exists() else []
    labelled = label(start, teacher, directory / "round-000")
    if not done:
        checkpoint = train(labelled, directory / "student", training, architecture)
        other = training.model_copy(update={"seed": training.seed + 1})
        rival = train(labelled, directory / "rival", other, architecture)
        _keep(checkpoint, directory / "student-000.pt")
        _keep(rival, directory / "student-rival.pt")
        done.append({"round": 0, "frames": len(labelled)})
        record.write_text(json.dumps(done, indent=1))
    for number in range(1, rounds + 1):
        folder = directory / f"round-{number:03d}"
        before = directory / (f"student-{number - 2:03d}.pt" if number > 1 else "student-rival.pt")
        members = [directory / f"student-{number - 1:03d}.pt", before]
        frames_file = folder / "labelled.xyz"
        finished = number < len(done)
        if finished:
            labelled += read(frames_file, index=":", format="extxyz")
            continue
        committee = [_calculator(path, architecture) for path in members]
        found = collect(committee, chemistry, crystals, active, folder, seed + number, progress)
        labelled += label(found, teacher, folder)
        checkpoint = train(labelled, directory / "student", training, architecture)
        _keep(checkpoint, directory / f"student-{number:03d}.pt")
        done.append({"round": number, "frames": len(found)})
        record.write_text(json.dumps(done, indent=1))
        progress(f"round {number} of {rounds}: {len(labelled)} labelled frames")
    return directory / f"student-{rounds:03d}.pt"


def _calculator(checkpoint: Path, architecture: Architecture) -> Calculator:
    from vitrion.potentials.lean_mace import LeanMACECalculator

    return LeanMACECalculator(load_checkpoint(checkpoint, architecture))


def _keep(checkpoint: Path, target: Path) -> None:
    """Copy a checkpoint out of mace's folder, which keeps only the newest."""
    partial = target.with_suffix(".partial")
    partial.write_bytes(checkpoint.read_bytes())
    partial.replace(target)
