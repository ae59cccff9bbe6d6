"""Settings of a conductivity computed by molecular dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import usual_formula
from vitrion.chemistry.species import check_mobile, mobile_charges
from vitrion.conductivity.scan_settings import SKIPPED, TemperatureScanSettings
from vitrion.dynamics.md_settings import MDSettings
from vitrion.errors import InputError
from vitrion.runtime.settings_model import Option, SettingsModel

if TYPE_CHECKING:
    from pymatgen.core import Composition

TEMPERATURE_RANGE_K = (50.0, 3000.0)
MAX_PS = 1e7
Temperatures = Annotated[tuple[float, ...], Field(min_length=1)]
STEPS_PER_FRAME = 25
DEFAULT_TARGET = 0.3
"""Relative standard error of a value that is known within a factor of 2 at 95 %."""

DURATION = Option(
    "--duration",
    also=(("conductivity.extension", 0.0),),
    help="Analyzed duration of every run in ps, without extension.",
)
TEMPERATURES = Option(
    "--temperatures",
    help="Temperatures of the dynamics in K, such as 600,750; auto chooses them by a scan of short "
    "dynamics, so that the ions move and the framework rests.",
)


class ConductivitySettings(SettingsModel):
    """Temperatures, durations and target precision of a conductivity.

    Examples
    --------
    >>> settings = ConductivitySettings(temperatures_K=(600, 750), first_ps=10, extension=0.5)
    >>> settings.budget_ps(n_structures=3)
    90.0
    """

    temperatures_K: Annotated[Temperatures | None, TEMPERATURES] = Field(
        (500.0, 575.0, 650.0, 750.0),
        description="Temperatures of the dynamics in K, such as 600,750; None or auto to choose "
        "them by a scan of short dynamics, so that the ions move and the framework rests.",
    )
    scan: TemperatureScanSettings = Field(
        default_factory=TemperatureScanSettings,
        description="The scan that chooses the temperatures, if none are given.",
    )
    mobile: str | list[str] | None = Field(
        None, description="Mobile species; None for the usual mobile cation of the composition."
    )
    charge: float | None = Field(
        None, description="Charge of the mobile species in e; None for the usual charge."
    )
    replicas: int = Field(
        1,
        ge=1,
        le=1000,
        description="Independent runs of each structure at each temperature; they reduce the error "
        "of that structure, not the spread between structures.",
    )
    target: float = Field(
        DEFAULT_TARGET,
        gt=0,
        lt=1,
        description="Requested relative standard error of the conductivity.",
    )
    goal: Literal["300K", "each"] = Field(
        "300K", description="Whether the target applies at 300 K or at each temperature."
    )
    density_ps: float = Field(
        20.0,
        ge=0,
        le=MAX_PS,
        description="Duration of dynamics at constant pressure in ps at each temperature; later "
        "dynamics use its mean cell. 0 keeps the cell of the structure.",
    )
    pressure_GPa: float = Field(
        0.0, description="Pressure of the dynamics at constant pressure in GPa."
    )
    equilibration_ps: float = Field(
        10.0, ge=0, le=MAX_PS, description="Equilibration of every run in ps, not analyzed."
    )
    first_ps: Annotated[float, DURATION] = Field(
        50.0,
        gt=0,
        le=MAX_PS,
        description="Analyzed duration of every run in ps, before extensions.",
    )
    extension: float = Field(
        1.0,
        ge=0,
        le=1000,
        description="Maximum extension if the target is missed, all runs together, in units of "
        "the first iteration. Further glasses, which are made if their spread dominates the "
        "error, count too.",
    )
    melting_K: float | None = Field(
        None, gt=0, description="Melting point in K; points above it are excluded from the fit."
    )
    glass_transition_K: float | None = Field(
        None, gt=0, description="Glass transition in K; points above it are excluded from the fit."
    )
    md: MDSettings = Field(
        default_factory=lambda: MDSettings(save_interval_fs=50.0),
        description="Dynamics of every run; temperature, duration and seed are set per run. A "
        "frame is saved every 25 steps unless save_interval_fs is set.",
    )

    @model_validator(mode="before")
    @classmethod
    def _save_every_25_steps(cls, values: Any) -> Any:
        md = values.get("md") if isinstance(values, dict) else None
        if not isinstance(md, dict):
            return values
        timestep_fs = md.get("timestep_fs", MDSettings.model_fields["timestep_fs"].default)
        return {**values, "md": {"save_interval_fs": STEPS_PER_FRAME * float(timestep_fs), **md}}

    @field_validator("temperatures_K", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Accept ``600,750`` for a list, a number for a list of one, and ``auto`` for None."""
        if isinstance(value, int | float):
            return [value]
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        return None if parts == ["auto"] else parts

    @field_validator("temperatures_K")
    @classmethod
    def _in_range(cls, temperatures_K: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if temperatures_K is None:
            return None
        lowest, highest = TEMPERATURE_RANGE_K
        for temperature in temperatures_K:
            if not lowest <= temperature <= highest:
                raise InputError(
                    f"Temperature {temperature:g} K is outside {lowest:g} to {highest:g} K."
                )
        return tuple(sorted(set(temperatures_K)))

    def check_frames(self) -> None:
        """Check that the analyzed dynamics have enough frames for an analysis.

        Raises
        ------
        InputError
            If they are too short.
        """
        from vitrion.transport.displacements import MIN_FRAMES

        interval_ps = self.md.save_interval_fs / 1000.0
        needed_ps = (MIN_FRAMES - 1) * interval_ps
        runs = [(self.first_ps, needed_ps, "--duration, first_ps, crystal_first_ps")]
        if self.temperatures_K is None:
            runs.append((self.scan.scan_ps, needed_ps / (1.0 - SKIPPED), "scan.scan_ps"))
        for duration_ps, least_ps, options in runs:
            if duration_ps < least_ps:
                raise InputError(
                    f"Dynamics of {duration_ps:g} ps are too short to analyze: with a frame every "
                    f"{1000 * interval_ps:g} fs they must last at least {least_ps:.4g} ps "
                    f"({options})."
                )

    def charges_in(self, composition: Composition) -> dict[str, float]:
        """Return the mobile species of a composition and their charges in e.

        Raises
        ------
        InputError
            If the mobile species or its charge is unknown, it is not in the composition, or all
            elements are mobile.
        """
        charges = mobile_charges(self.mobile or default_mobile_species(composition), self.charge)
        symbols = [element.symbol for element in composition.element_composition]
        check_mobile(charges, symbols, usual_formula(composition))
        return charges

    @property
    def has_default_frames(self) -> bool:
        """Whether a frame is saved every 25 steps."""
        return self.md.save_interval_fs == STEPS_PER_FRAME * self.md.timestep_fs

    @property
    def n_temperatures(self) -> int:
        """Number of temperatures, given or to be chosen."""
        return self.scan.n_temperatures if self.temperatures_K is None else len(self.temperatures_K)

    @property
    def temperatures_text(self) -> str:
        """The temperatures for a sentence: ``600, 750 K``."""
        if self.temperatures_K is not None:
            return f"{', '.join(f'{kelvin:g}' for kelvin in self.temperatures_K)} K"
        scan = self.scan
        return (
            f"{scan.n_temperatures} temperatures chosen by {scan.n_scanned} runs of "
            f"{scan.scan_ps:g} ps from {scan.lowest_K:g} to {scan.highest_K:g} K"
        )

    @property
    def scan_ps(self) -> float:
        """Duration of the scan in ps, summed over its temperatures; 0 if none is needed."""
        return self.scan.n_scanned * self.scan.scan_ps if self.temperatures_K is None else 0.0

    def whole_frames(self, duration_ps: float) -> float:
        """Return a duration in ps, increased to a multiple of the interval between frames."""
        interval_ps = self.md.save_interval_fs / 1000.0
        return float(np.ceil(duration_ps / interval_ps - 1e-9) * interval_ps)

    def first_round_ps(self, n_structures: int) -> float:
        """Return the analyzed duration of the first iteration in ps, summed over runs."""
        return self.first_ps * self.n_temperatures * self.replicas * n_structures

    def budget_ps(self, n_structures: int) -> float:
        """Return the maximum analyzed duration in ps, summed over runs."""
        return self.first_round_ps(n_structures) * (1.0 + self.extension)
