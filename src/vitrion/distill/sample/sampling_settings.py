"""Settings of the frames that a student learns from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vitrion.runtime.settings_model import Option, SettingsModel


class SamplingSettings(SettingsModel):
    """Frames that a student learns from."""

    n_atoms: int = Field(40, ge=8, le=400, description="Atoms of a packed cell, at least.")
    crystals: int = Field(4, ge=0, le=50, description="Crystals of each formula, of low energy.")
    candidates: int = Field(
        12, ge=0, le=200, description="Crystals of known structure types and random ones to try."
    )
    seed_cells: int = Field(12, ge=2, le=1000, description="Packed cells of the first frames.")
    seed_ps: float = Field(
        0.15, gt=0, le=10, description="Dynamics with the teacher from each of them, ps."
    )
    iterations: int = Field(
        4, ge=0, le=50, description="Iterations of dynamics with the student, labels and a fit."
    )
    runs: int = Field(16, ge=1, le=1000, description="Runs of dynamics in an iteration.")
    run_ps: float = Field(1.5, gt=0, le=100, description="Length of a run, ps.")
    frames_per_run: int = Field(
        12, ge=2, le=1000, description="Frames of a run that the teacher labels."
    )
    kept_per_iteration: int = Field(
        70, ge=1, le=100_000, description="Frames of an iteration that are kept, by their error."
    )
    crystal_share: float = Field(0.35, ge=0, le=1, description="Share of runs of crystals.")
    defect_share: float = Field(
        0.3, ge=0, le=1, description="Share of cells that lose or gain mobile ions."
    )
    coldest_K: float = Field(300.0, gt=0, le=10_000, description="Lowest temperature in K.")
    hottest_K: Annotated[float, Option("--hottest")] = Field(
        1500.0,
        gt=0,
        le=10_000,
        description="Highest temperature at which the student is used, in K.",
    )
