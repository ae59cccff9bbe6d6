"""Settings of one fit of a student."""

from __future__ import annotations

from pydantic import Field

from vitrion.runtime.settings_model import SettingsModel


class FitSettings(SettingsModel):
    """How the weights of a student follow labelled frames in one fit."""

    epochs: int = Field(20, ge=1, le=10_000, description="Passes over the frames.")
    learning_rate: float = Field(0.01, gt=0, le=1, description="Largest step size of Adam.")
    last_learning_rate: float = Field(
        0.005, gt=0, le=1, description="Step size at the end; it falls as half a cosine."
    )
    warmup_steps: int = Field(20, ge=0, description="Steps in which the step size rises from 0.")
    batch_size: int = Field(4, ge=1, description="Frames per step.")
    energy_weight: float = Field(1.0, ge=0, description="Weight of the energy per atom (eV).")
    forces_weight: float = Field(10.0, ge=0, description="Weight of the forces (eV/A).")
    stress_weight: float = Field(10.0, ge=0, description="Weight of the stress (eV/A3).")
    averaging: float = Field(0.99, ge=0, lt=1, description="Decay of the mean of the weights.")
    seed: int = Field(1, ge=0, description="Seed of the order of the frames.")

    def rate(self, step: int, steps: int) -> float:
        """Return the step size of a step (from 0) of a fit of ``steps`` steps."""
        import math

        fall = 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))
        rate = self.last_learning_rate + (self.learning_rate - self.last_learning_rate) * fall
        return rate * min(1.0, (step + 1) / (self.warmup_steps + 1))
