"""Stability of a potential in dynamics at high temperature, and energy conservation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import units
from ase.md.velocitydistribution import Stationary
from ase.md.verlet import VelocityVerlet
from pydantic import BaseModel, Field

from vitrion.distill.sample.langevin_run import LangevinRun
from vitrion.distill.sample.sampling import collapsed, thermalized
from vitrion.dynamics.md_settings import HYDROGEN_TIMESTEP_FS
from vitrion.errors import InputError
from vitrion.relaxation.relax import RelaxSettings

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

TIMESTEP_FS = 2.0
CHECK_STEPS = 50
ENERGY_STEPS = 10
START = RelaxSettings(fmax_eV_per_A=0.3, max_steps=100, relax_cell=False)
"""Relaxation before the dynamics; convergence is not required."""


class HotRun(BaseModel):
    """A run at constant volume and high temperature, ended early if the potential fails."""

    temperature_K: float = Field(description="Temperature of the thermostat, K.")
    picoseconds: float = Field(description="Simulated time in ps.")
    failure: str | None = Field(None, description="Reason of failure; None without failure.")


class EnergyDrift(BaseModel):
    """Drift of the total energy in a run without a thermostat."""

    temperature_K: float = Field(description="Temperature at the start, K.")
    picoseconds: float = Field(description="Length of the run, ps.")
    drift_meV_per_atom_ns: float = Field(description="Slope of the total energy, meV/atom/ns.")
    standard_error: float = Field(
        description="Standard error of the slope in the same unit, assuming independent energies."
    )
    fluctuation_meV_per_atom: float = Field(
        description="Standard deviation of the energy about the line, meV/atom."
    )


def hot_run(
    atoms: Atoms,
    calculator: Calculator,
    picoseconds: float,
    *,
    seed: int,
    temperature_K: float = 1500.0,
) -> HotRun:
    """Run Langevin dynamics until the end or a failure.

    A potential fails if two atoms come closer than 0.75 A, the temperature exceeds three times
    the thermostat temperature, or a position is not finite.
    """
    step_fs = timestep_fs(atoms)
    steps, failure = 0, None
    try:
        work = _prepared(atoms, calculator, temperature_K, seed)
        dynamics = LangevinRun(
            work,
            temperature_K,
            timestep_fs=step_fs,
            friction_per_fs=0.01,
            rng=np.random.default_rng(seed + 1),
        )
        while steps * step_fs < 1000 * picoseconds and failure is None:
            dynamics.run(CHECK_STEPS)
            steps += CHECK_STEPS
            failure = _failure(work, 3 * temperature_K)
    except InputError:  # the potential refuses atoms that are too close
        failure = "two atoms collapsed"
    return HotRun(temperature_K=temperature_K, picoseconds=steps * step_fs / 1000, failure=failure)


def energy_drift(
    atoms: Atoms,
    calculator: Calculator,
    picoseconds: float,
    *,
    seed: int,
    temperature_K: float = 600.0,
) -> EnergyDrift:
    """Run at constant energy, after 500 steps with a thermostat, and fit a line to the energy.

    ``picoseconds`` must cover at least five energies, one every ten steps.
    """
    work = _prepared(atoms, calculator, temperature_K, seed)
    step_fs = timestep_fs(work)
    rng = np.random.default_rng(seed + 1)
    LangevinRun(work, temperature_K, timestep_fs=step_fs, friction_per_fs=0.002, rng=rng).run(500)
    dynamics = VelocityVerlet(work, step_fs * units.fs)
    spacing_ns = ENERGY_STEPS * step_fs / 1e6
    times, energies = [], []
    for block in range(round(picoseconds / 1000 / spacing_ns)):
        dynamics.run(ENERGY_STEPS)
        times.append((block + 1) * spacing_ns)
        energies.append(1000 * work.get_total_energy() / len(work))
    line, covariance = np.polyfit(times, energies, 1, cov=True)
    return EnergyDrift(
        temperature_K=temperature_K,
        picoseconds=picoseconds,
        drift_meV_per_atom_ns=float(line[0]),
        standard_error=float(np.sqrt(covariance[0, 0])),
        fluctuation_meV_per_atom=float(np.std(energies - np.polyval(line, times))),
    )


def _prepared(atoms: Atoms, calculator: Calculator, temperature_K: float, seed: int) -> Atoms:
    """Return a slightly relaxed copy with velocities of that temperature, at rest as a whole."""
    work = thermalized(atoms, calculator, temperature_K, START, np.random.default_rng(seed))
    Stationary(work)
    return work


def timestep_fs(atoms: Atoms) -> float:
    """Return the time step of a cell in fs, short with hydrogen."""
    return HYDROGEN_TIMESTEP_FS if "H" in atoms.symbols else TIMESTEP_FS


def _failure(atoms: Atoms, limit_K: float) -> str | None:
    """Return the reason of a failure, or None."""
    if not np.isfinite(atoms.positions).all():
        return "a position is not finite"
    if atoms.get_temperature() > limit_K:
        return f"the temperature reached {atoms.get_temperature():.0f} K"
    return "two atoms collapsed" if collapsed(atoms) else None
