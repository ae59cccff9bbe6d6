"""Active learning: dynamics with a student, and selection of frames by committee disagreement.

Each iteration has a folder with one file per run of dynamics; an interrupted iteration resumes with
the missing runs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vitrion.distill.data.frames import made_each
from vitrion.distill.sample.committee import disagreement, select
from vitrion.distill.sample.sampling import Chemistry, DynamicsSettings, draw_start, explore
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ase import Atoms
    from ase.calculators.calculator import Calculator


class ActiveSettings(BaseModel):
    """Size of an iteration."""

    model_config = ConfigDict(frozen=True)

    runs: int = Field(14, ge=1, description="Runs of dynamics in an iteration.")
    frames_per_run: int = Field(9, ge=1, description="Maximum number of selected frames per run.")
    threshold: float = Field(0.12, ge=0, description="Minimum disagreement of a selected frame.")
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
    progress: Callable[[str], None] = print,
) -> list[Atoms]:
    """Run the dynamics of an iteration and return the selected frames.

    Each run has a separate seed and is saved when it ends, so that a repeated call runs only the
    missing runs.

    Parameters
    ----------
    committee
        At least two potentials; the first one drives the dynamics.
    chemistry, crystals
        Initial structures.
    settings
        Size of the iteration.
    directory
        Folder of the iteration.
    seed
        Seed of the iteration.
    progress
        Called with one line after each run.
    """
    if len(committee) < 2:
        raise InputError(
            "An active-learning iteration needs a committee of at least two potentials."
        )

    def dynamics(run: int, rng: np.random.Generator) -> list[Atoms]:
        atoms, temperature = draw_start(chemistry, crystals, rng)
        found = explore(atoms, committee[0], temperature, settings.dynamics, rng)
        scores = disagreement(found, committee)
        chosen = select(scores, rng, limit=settings.frames_per_run, threshold=settings.threshold)
        progress(
            f"run {run + 1} of {settings.runs}: {atoms.symbols} at {temperature:.0f} K, "
            f"disagreement {np.median(scores):.2f} (worst {scores.max():.2f}), "
            f"{len(chosen)} of {len(found)} frames taken"
        )
        return [found[i] for i in chosen]

    named = [(f"run-{run:03d}", partial(dynamics, run)) for run in range(settings.runs)]
    return made_each(directory, named, seed)
