"""State and constants of a simulation, and quantities derived from them.

Arrays are in ASE's units: eV, A, u, and the time unit A sqrt(u/eV) (10.18 fs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase import units

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitrion.dynamics.md_settings import MDSettings


@dataclass
class State:
    """Dynamic variables of a simulation; the integrator replaces their values.

    Attributes
    ----------
    positions, velocities, forces : (n, 3) arrays
        Positions are unwrapped.
    cell : (3, 3) array
        Lattice vectors as rows.
    energy : float
        Potential energy.
    stress : (3, 3) array or None
        Potential part, positive in tension (ASE's sign); None if not computed.
    chain : (n_chain,) array
        Momenta of the Nose-Hoover chain; empty without one.
    cell_momentum : (3, 3) array
        Symmetric; zero at fixed cell.
    reservoir : float
        Energy transferred to the heat baths and the pressure so far.
    step : int
        Number of steps done.
    """

    positions: np.ndarray
    velocities: np.ndarray
    cell: np.ndarray
    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    chain: np.ndarray = field(default_factory=lambda: np.zeros(0))
    cell_momentum: np.ndarray = field(default_factory=lambda: np.zeros((3, 3)))
    reservoir: float = 0.0
    step: int = 0


@dataclass(frozen=True)
class Target:
    """Targets of thermostat and barostat in one step: ``kT`` in eV, ``pressure`` in eV/A3."""

    kT: float
    pressure: float


def targets(settings: MDSettings) -> Callable[[int], Target]:
    """Return a function from step number (1 ... n_steps) to target."""

    def at(step: int) -> Target:
        kT = units.kB * settings.temperature_at(step)
        return Target(kT, units.GPa * settings.pressure_at(step))

    if settings.has_ramp:
        return at
    constant = at(1)
    return lambda step: constant


@dataclass(frozen=True)
class System:
    """Constants of a run.

    Attributes
    ----------
    masses : (n, 3) array
        Mass of each atom, repeated three times: numpy is twice as fast with arrays of equal shape.
    n_dof : int
        Degrees of freedom: 3n - 3 with a fixed center of mass, else 3n.
    fix_center_of_mass : bool
    timestep : float
    coupling_time : float
        Coupling time of the thermostat.
    chain_masses : (n_chain,) array
        Nose-Hoover masses: n_dof kT t^2 for the first and kT t^2 for the others, with the coupling
        time t and the kT of the start (Martyna, Klein, Tuckerman, J. Chem. Phys. 97, 2635 (1992)).
    cell_mass : float
        W = 3 B V (t / 2 pi)^2: a solid of bulk modulus B and volume V then breathes with period
        t.
    cell_friction : float
        4 pi / t: critical damping at that stiffness.
    isotropic : bool
        Whether the cell keeps its shape.
    """

    masses: np.ndarray
    n_dof: int
    fix_center_of_mass: bool
    timestep: float
    coupling_time: float
    chain_masses: np.ndarray
    cell_mass: float
    cell_friction: float
    isotropic: bool

    @classmethod
    def from_settings(cls, settings: MDSettings, masses: np.ndarray, cell: np.ndarray) -> System:
        """Compute the constants of a run.

        Parameters
        ----------
        settings : MDSettings
        masses : (n,) array
            In u.
        cell : (3, 3) array
            Lattice vectors at the start as rows, in A.
        """
        fixed = settings.fix_center_of_mass
        n_dof = 3 * len(masses) - 3 * fixed
        coupling = settings.thermostat_time_fs * units.fs
        n_chain = settings.chain_length if settings.resolved_thermostat == "nose-hoover" else 0
        chain_masses = np.full(n_chain, units.kB * settings.temperature_at(0) * coupling**2)
        chain_masses[:1] *= n_dof
        period = settings.barostat_time_fs * units.fs
        stiffness = 3 * settings.bulk_modulus_GPa * units.GPa * abs(np.linalg.det(cell))
        return cls(
            masses=np.repeat(np.asarray(masses, dtype=float)[:, None], 3, axis=1),
            n_dof=n_dof,
            fix_center_of_mass=fixed,
            timestep=settings.timestep_fs * units.fs,
            coupling_time=coupling,
            chain_masses=chain_masses,
            cell_mass=stiffness * (period / (2 * np.pi)) ** 2,
            cell_friction=4 * np.pi / period,
            isotropic=settings.resolved_barostat != "full",
        )


def kinetic_energy(velocities: np.ndarray, masses: np.ndarray) -> float:
    """Return the kinetic energy in eV of (n, 3) velocities and (n, 3) masses.

    It uses numpy's sum: the bits of a BLAS product may depend on the number of threads.
    """
    return 0.5 * float(np.add.reduce((masses * velocities * velocities).ravel()))


def temperature(state: State, system: System) -> float:
    """Return the kinetic temperature 2 K / (n_dof kB) in K."""
    return 2 * kinetic_energy(state.velocities, system.masses) / (system.n_dof * units.kB)


def volume(cell: np.ndarray) -> float:
    """Return the volume of a cell: the triple product of its rows, without numpy's overhead."""
    (a, b, c), (d, e, f), (g, h, i) = cell.tolist()
    return abs(a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g))


def pressure_tensor(state: State, system: System) -> np.ndarray:
    """Return the (3, 3) internal pressure in eV/A3, kinetic and potential part."""
    if state.stress is None:
        return np.full((3, 3), np.nan)
    kinetic = (system.masses * state.velocities).T.dot(state.velocities)
    return kinetic / volume(state.cell) - state.stress


def conserved_energy(state: State, system: System) -> float:
    """Return the conserved energy in eV: system, cell, chain and reservoir."""
    return (
        state.energy
        + kinetic_energy(state.velocities, system.masses)
        + float(np.sum(state.cell_momentum**2)) / (2 * system.cell_mass or 1.0)
        + float(np.sum(state.chain**2 / (2 * system.chain_masses)))
        + state.reservoir
    )


def remove_drift(vectors: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Return velocities (n, 3) without their center-of-mass part; masses are (n, 3) or (n, 1)."""
    momentum = np.add.reduce(masses * vectors, axis=0)
    return vectors - momentum / np.add.reduce(masses, axis=0)


def thermal_velocities(
    system: System, temperature_K: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw Maxwell-Boltzmann velocities (n, 3), scaled to exactly that temperature."""
    shape = (len(system.masses), 3)
    velocities = rng.standard_normal(shape) / np.sqrt(system.masses)
    if system.fix_center_of_mass:
        velocities = remove_drift(velocities, system.masses)
    wanted = 0.5 * system.n_dof * units.kB * temperature_K
    return velocities * np.sqrt(wanted / kinetic_energy(velocities, system.masses))
