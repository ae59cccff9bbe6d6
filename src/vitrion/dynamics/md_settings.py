"""Settings of a molecular-dynamics run, validated before it starts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase.data import atomic_numbers
from pydantic import Field, field_validator, model_validator

from vitrion.errors import InputError
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from collections.abc import Sequence

Ensemble = Literal["nve", "nvt", "npt"]
Thermostat = Literal["bussi", "nose-hoover", "langevin"]
Barostat = Literal["isotropic", "full"]
Ramp = float | tuple[float, float]

TEMPERATURE_LIMIT_K = 20_000.0
PRESSURE_LIMIT_GPA = 1_000.0
HYDROGEN_TIMESTEP_FS = 1.0
LIGHT_TIMESTEP_FS = 5.0
"""Longest time step with an element lighter than argon. With 10 fs, the potential energy of LiF at
500 K is too high by 10 % of its thermal part; with 5 fs it is not, and 13 fs are unstable."""


class MDSettings(SettingsModel):
    """Settings of one run.

    A ramp is a pair (start, end): the target changes linearly from step to step and the last step
    runs at the end value. A value out of range raises :class:`~vitrion.errors.InputError`.

    Examples
    --------
    >>> MDSettings(ensemble="nvt", temperature_K=(1500, 300), duration_ps=20).n_steps
    10000
    """

    ensemble: Ensemble = Field(
        "nvt", description="nve (constant energy), nvt (temperature) or npt (pressure)."
    )
    thermostat: Thermostat | None = Field(
        None,
        description="bussi (stochastic velocity rescaling; the default), nose-hoover (a chain), or "
        "langevin (equilibration only: it slows diffusion); None for nve.",
    )
    barostat: Barostat | None = Field(
        None, description="npt only: isotropic (the default) or full (all lengths and angles)."
    )
    temperature_K: Ramp = Field(
        300.0,
        description="Target temperature or its ramp (start, end) in K; for nve, the "
        "temperature of the initial velocities.",
    )
    pressure_GPa: Ramp | None = Field(
        None, description="Target pressure or its ramp (start, end) in GPa; npt only, default 0."
    )
    timestep_fs: float = Field(2.0, description="Time step in fs.")
    duration_ps: float = Field(
        10.0, description="Length of the run in ps; rounded to whole time steps."
    )
    save_interval_fs: float = Field(100.0, description="Time between saved frames in fs.")
    checkpoint_interval_steps: int = Field(
        2500, description="Time steps between checkpoints: the most work that a kill can lose."
    )
    thermostat_time_fs: float = Field(
        100.0, description="Coupling time of the thermostat in fs; langevin: 1 / friction."
    )
    chain_length: int = Field(3, description="Number of thermostats in a Nose-Hoover chain.")
    barostat_time_fs: float = Field(
        1000.0, description="Period of the cell in fs for a solid of bulk modulus bulk_modulus_GPa."
    )
    bulk_modulus_GPa: float = Field(
        40.0, description="Approximate bulk modulus in GPa, sets the cell mass; npt only."
    )
    fix_center_of_mass: bool = Field(
        True,
        description="Remove the initial center-of-mass motion and any later net force, leaving "
        "3N-3 degrees of freedom; False keeps all 3N.",
    )
    save_forces: bool = Field(False, description="Save the forces with each frame.")
    save_pressure: bool = Field(
        False, description="Compute the pressure of each frame in nve and nvt."
    )
    max_temperature_K: float | None = Field(
        None,
        description="Temperature in K above which the run stops as unstable; None is ten times the "
        "highest target plus 1000 K.",
    )
    min_distance_A: float = Field(
        0.5, description="Distance in A between two atoms below which the run stops as unstable."
    )
    max_volume_ratio: float = Field(
        10.0,
        description="Factor of volume change above which an npt run stops as unstable.",
    )
    mobile: str | None = Field(
        None, description="Mobile element; its mean square displacement is reported."
    )
    seed: int = Field(0, description="Seed of the initial velocities and of the thermostat.")

    @field_validator("temperature_K", "pressure_GPa", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list | np.ndarray) else value

    @model_validator(mode="after")
    def _physical(self) -> MDSettings:
        _check_numbers(self)
        _check_ensemble(self)
        return self

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return round(self.duration_ps * 1000 / self.timestep_fs)

    @property
    def save_every(self) -> int:
        """Steps between two frames."""
        return round(self.save_interval_fs / self.timestep_fs)

    @property
    def needs_stress(self) -> bool:
        """Whether the equations of motion contain the stress."""
        return self.ensemble == "npt"

    @property
    def temperature_limit_K(self) -> float:
        """Temperature in K above which the run stops as unstable."""
        if self.max_temperature_K is not None:
            return self.max_temperature_K
        return 10 * max(_ends(self.temperature_K)) + 1000

    @property
    def resolved_thermostat(self) -> Thermostat | None:
        """Thermostat of the run, with the default resolved."""
        return None if self.ensemble == "nve" else self.thermostat or "bussi"

    @property
    def resolved_barostat(self) -> Barostat | None:
        """Barostat of the run, with the default resolved."""
        return self.barostat or "isotropic" if self.ensemble == "npt" else None

    @property
    def has_ramp(self) -> bool:
        """Whether a target changes from step to step."""
        return isinstance(self.temperature_K, tuple) or isinstance(self.pressure_GPa, tuple)

    def temperature_at(self, step: int) -> float:
        """Return the target temperature in K that step number ``step`` (1 ... n_steps) runs at."""
        return _at(self.temperature_K, step / self.n_steps)

    def pressure_at(self, step: int) -> float:
        """Return the target pressure in GPa that step number ``step`` (1 ... n_steps) runs at."""
        return _at(self.pressure_GPa or 0.0, step / self.n_steps)

    def check_elements(self, symbols: Sequence[str]) -> None:
        """Check that these settings can simulate the elements.

        Raises
        ------
        InputError
            If an element is too light for the time step, or the mobile element is missing.
        """
        if self.mobile is not None and self.mobile not in symbols:
            raise InputError(
                f"The mobile species '{self.mobile}' is not in the structure: choose one of "
                f"{', '.join(sorted(set(symbols)))}."
            )
        light = sorted({s for s in symbols if atomic_numbers[s] < atomic_numbers["Ar"]})
        limits = {"hydrogen": HYDROGEN_TIMESTEP_FS} if "H" in light else {}
        if light:
            limits[", ".join(light)] = LIGHT_TIMESTEP_FS
        for elements, limit_fs in limits.items():
            if self.timestep_fs > limit_fs:
                raise InputError(
                    f"Time step {self.timestep_fs:g} fs is too long for {elements}: it must be at "
                    f"most {limit_fs:g} fs."
                )

    def check_system(
        self,
        symbols: Sequence[str],
        cell: np.ndarray,
        pbc: Sequence[bool] | np.ndarray,
        cutoff_A: float | None,
    ) -> None:
        """Check that these settings and the potential can simulate a system.

        Parameters
        ----------
        symbols : sequence of str
            Element of each atom.
        cell : (3, 3) array
            Lattice vectors as rows, in A.
        pbc : three booleans
            Which lattice vectors are periodic.
        cutoff_A : float or None
            Cutoff of the potential in A; an atom must not interact with its own image.

        Raises
        ------
        InputError
            If the system is too small, too light for the time step, not periodic under npt, or
            lacks the mobile element.
        """
        if not len(symbols):
            raise InputError("The structure has no atoms: provide a structure with atoms.")
        if len(symbols) == 1 and self.fix_center_of_mass:
            raise InputError(
                "A cell of one atom has no degrees of freedom with a fixed center of mass: use a "
                "larger cell or fix_center_of_mass=False."
            )
        self.check_elements(symbols)
        if self.ensemble == "npt" and not all(pbc):
            raise InputError(
                "Constant pressure needs a cell that is periodic along all three axes."
            )
        widths = _widths(cell)[np.asarray(pbc, dtype=bool)]
        if cutoff_A is not None and widths.size and widths.min() < cutoff_A:
            raise InputError(
                f"The cell is {widths.min():.2f} A wide, less than the potential's cutoff of "
                f"{cutoff_A:.2f} A, so atoms would interact with their own images: use a larger "
                "cell (--glass-atoms for a glass, supercell_side_A for a crystal)."
            )


def _ends(value: Ramp) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)


def _at(value: Ramp, fraction: float) -> float:
    start, end = _ends(value)
    return end if fraction >= 1 else start + (end - start) * fraction


def _widths(cell: np.ndarray) -> np.ndarray:
    """Return the distances between opposite faces of the cell in A, shape (3,)."""
    normals = np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]])
    areas = np.linalg.norm(normals, axis=1)
    return abs(np.linalg.det(cell)) / np.where(areas > 0, areas, math.inf)


def _check_numbers(s: MDSettings) -> None:
    _within("timestep_fs", s.timestep_fs, 0.01, 20.0, "fs")
    _within("duration_ps", s.duration_ps, s.timestep_fs / 1000, 1e7, "ps")
    _within("save_interval_fs", s.save_interval_fs, s.timestep_fs, 1e9, "fs")
    _within("checkpoint_interval_steps", s.checkpoint_interval_steps, 1, 1e9, "steps")
    _within("thermostat_time_fs", s.thermostat_time_fs, s.timestep_fs, 1e8, "fs")
    _within("barostat_time_fs", s.barostat_time_fs, 10 * s.timestep_fs, 1e8, "fs")
    _within("bulk_modulus_GPa", s.bulk_modulus_GPa, 1e-3, 2000.0, "GPa")
    _within("chain_length", s.chain_length, 1, 20, "thermostats")
    _within("min_distance_A", s.min_distance_A, 0.0, 3.0, "A")
    _within("seed", s.seed, 0, 2**63 - 1, "as an integer")
    for value in _ends(s.temperature_K):
        _within("temperature_K", value, 0.1, TEMPERATURE_LIMIT_K, "K")
    for value in _ends(s.pressure_GPa or 0.0):
        _within("pressure_GPa", value, -PRESSURE_LIMIT_GPA, PRESSURE_LIMIT_GPA, "GPa")
    if s.max_temperature_K is not None:
        _within("max_temperature_K", s.max_temperature_K, max(_ends(s.temperature_K)), 1e7, "K")
    _within("max_volume_ratio", s.max_volume_ratio, 1.01, 1e6, "times the volume at the start")
    ratio = s.save_interval_fs / s.timestep_fs
    if abs(ratio - round(ratio)) > 1e-6 * ratio:
        raise InputError(
            f"save_interval_fs {s.save_interval_fs:g} must be a whole number of time steps of "
            f"{s.timestep_fs:g} fs."
        )


def _within(name: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} {value:g} is outside {low:g} to {high:g} {unit}.")


def _check_ensemble(s: MDSettings) -> None:
    if s.ensemble == "nve" and s.thermostat is not None:
        raise InputError("nve does not take a thermostat: omit it, or use nvt.")
    if s.ensemble == "nve" and isinstance(s.temperature_K, tuple):
        raise InputError("nve does not support a temperature ramp: use nvt.")
    if s.ensemble != "npt" and s.barostat is not None:
        raise InputError(f"{s.ensemble} does not take a barostat: omit it, or use npt.")
    if s.ensemble != "npt" and s.pressure_GPa is not None:
        raise InputError(f"{s.ensemble} does not take a target pressure: omit it, or use npt.")
