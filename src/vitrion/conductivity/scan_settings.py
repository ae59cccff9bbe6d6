"""Settings of the scan that chooses the temperatures of a conductivity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from typing import Self

SKIPPED = 0.25
"""Fraction of each run that is equilibration."""


class TemperatureScanSettings(SettingsModel):
    """Short dynamics at temperatures with equal distances in 1/T.

    Examples
    --------
    >>> [round(t) for t in TemperatureScanSettings(n_scanned=3).scanned_K]
    [300, 480, 1200]
    """

    lowest_K: float = Field(300.0, gt=0, description="Lowest temperature in K.")
    highest_K: float = Field(1200.0, gt=0, description="Highest temperature in K.")
    n_scanned: int = Field(8, ge=3, le=100, description="Number of scanned temperatures.")
    scan_ps: float = Field(
        20.0,
        gt=0,
        le=1e5,
        description="Duration at each scanned temperature in ps; the first quarter is "
        "equilibration.",
    )
    n_temperatures: int = Field(
        5, ge=2, le=50, description="Number of temperatures to choose for the production runs."
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.lowest_K >= self.highest_K:
            raise ValueError("lowest_K must be below highest_K.")
        return self

    @property
    def scanned_K(self) -> list[float]:
        """Scanned temperatures in K, ascending."""
        inverse = np.linspace(1.0 / self.lowest_K, 1.0 / self.highest_K, self.n_scanned)
        return [float(t) for t in 1.0 / inverse]
