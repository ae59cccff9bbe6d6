"""Settings of the conductivity from defects."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vitrion.runtime.settings_model import SettingsModel


class DefectConductivitySettings(SettingsModel):
    """Settings of the conductivity from defects."""

    temperatures_K: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        (300.0, 400.0, 500.0, 600.0, 800.0), description="Temperatures in K."
    )
    defect_fraction: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Vacancies due to dopants, as a fraction of the mobile ions; 0 for the "
        "intrinsic crystal.",
    )
    formation_error_eV: float | None = Field(
        None,
        ge=0.0,
        description="Standard error of the potential's Frenkel energies in eV; None takes that of "
        "its data card, or 0.15.",
    )
    barrier_error_eV: float | None = Field(
        None,
        ge=0.0,
        description="Standard error of the potential's barriers in eV; None takes that of its data "
        "card, or 0.05.",
    )
