"""One time step, built from pure pieces for every ensemble.

Thermostat and cell thermostat for half a step, a kick, a drift, the forces, and the same backwards:
second order, time-reversible in its deterministic parts. Without thermostat and barostat it is
velocity Verlet; with Langevin it is OBABO; with a barostat the kicks and the drift are those of
Martyna, Tobias and Klein, J. Chem. Phys. 101, 4177 (1994), and the cell is a piston with friction
and noise (Quigley, Probert, J. Chem. Phys. 120, 11432 (2004)), so that a cell far from its
equilibrium density returns without ringing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import exprel

from vitrion.dynamics.state import (
    State,
    System,
    Target,
    kinetic_energy,
    pressure_tensor,
    volume,
)

if TYPE_CHECKING:
    from vitrion.dynamics.thermostats import ThermostatFunction

Forces = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray, np.ndarray | None]]


def fixed_cell_step(
    state: State,
    system: System,
    target: Target,
    thermostat: ThermostatFunction,
    forces: Forces,
    rng: np.random.Generator,
) -> State:
    """Advance by one step at a fixed cell: nve, or nvt with any thermostat.

    Parameters
    ----------
    state, system, target
        See :mod:`vitrion.dynamics.state`.
    thermostat : function
        One of :data:`vitrion.dynamics.thermostats.THERMOSTATS`.
    forces : function
        (positions, cell) -> (energy, forces, stress or None).
    rng : Generator
        Drawn from by the thermostat.

    Returns
    -------
    State
        One step later; the given one is left as it was.
    """
    h, half = system.timestep, 0.5 * system.timestep
    v, chain, heat = thermostat(state.velocities, state.chain, half, system, target.kT, rng)
    v = v + half * state.forces / system.masses
    positions = state.positions + h * v
    energy, force, stress = forces(positions, state.cell)
    v = v + half * force / system.masses
    v, chain, more_heat = thermostat(v, chain, half, system, target.kT, rng)
    return replace(
        state,
        positions=positions,
        velocities=v,
        energy=energy,
        forces=force,
        stress=stress,
        chain=chain,
        reservoir=state.reservoir + heat + more_heat,
        step=state.step + 1,
    )


def moving_cell_step(
    state: State,
    system: System,
    target: Target,
    thermostat: ThermostatFunction,
    forces: Forces,
    rng: np.random.Generator,
) -> State:
    """Advance by one step at constant pressure; see :func:`fixed_cell_step`."""
    h, half = system.timestep, 0.5 * system.timestep
    state = _thermostats(state, system, target, thermostat, rng)
    state = _kick_cell(state, system, target, half)
    v = _kick(state, system, half)
    positions, cell = _drift(state, v, system, h)
    work = target.pressure * (volume(cell) - volume(state.cell))
    energy, force, stress = forces(positions, cell)
    state = replace(
        state,
        positions=positions,
        velocities=v,
        cell=cell,
        energy=energy,
        forces=force,
        stress=stress,
        reservoir=state.reservoir + work,
    )
    state = replace(state, velocities=_kick(state, system, half))
    state = _kick_cell(state, system, target, half)
    state = _thermostats(state, system, target, thermostat, rng)
    return replace(state, step=state.step + 1)


def _thermostats(
    state: State,
    system: System,
    target: Target,
    thermostat: ThermostatFunction,
    rng: np.random.Generator,
) -> State:
    half = 0.5 * system.timestep
    v, chain, heat = thermostat(state.velocities, state.chain, half, system, target.kT, rng)
    momentum, cell_heat = _cell_bath(state.cell_momentum, half, system, target.kT, rng)
    return replace(
        state,
        velocities=v,
        chain=chain,
        cell_momentum=momentum,
        reservoir=state.reservoir + heat + cell_heat,
    )


def _cell_bath(
    momentum: np.ndarray,
    time: float,
    system: System,
    kT: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """Solve friction and noise of the cell momentum exactly; return it and the heat handed over."""
    keep = math.exp(-system.cell_friction * time)
    draw = rng.standard_normal((3, 3))
    noise = (draw + draw.T) / 2  # tr(noise^2) is then a sum of six unit normals squared
    fresh = keep * momentum + math.sqrt((1 - keep**2) * kT * system.cell_mass) * noise
    fresh = _allowed(fresh, system)
    heat = (np.sum(momentum**2) - np.sum(fresh**2)) / (2 * system.cell_mass)
    return fresh, float(heat)


def _allowed(tensor: np.ndarray, system: System) -> np.ndarray:
    """Return the part of a symmetric tensor that the cell can follow."""
    return np.eye(3) * (np.trace(tensor) / 3) if system.isotropic else tensor


def _kick_cell(state: State, system: System, target: Target, time: float) -> State:
    surplus = pressure_tensor(state, system) - target.pressure * np.eye(3)
    thermal = 2 * kinetic_energy(state.velocities, system.masses) / system.n_dof
    force = volume(state.cell) * (surplus + surplus.T) / 2 + thermal * np.eye(3)
    momentum = state.cell_momentum + time * _allowed(force, system)
    return replace(state, cell_momentum=momentum)


def _kick(state: State, system: System, time: float) -> np.ndarray:
    """Return the velocities after the forces and the expanding cell acted on them."""
    rates, axes = np.linalg.eigh(state.cell_momentum / system.cell_mass)
    x = (rates + rates.sum() / system.n_dof) * time
    push = time * (state.forces / system.masses) @ axes
    return (state.velocities @ axes * np.exp(-x) + push * exprel(-x)) @ axes.T


def _drift(
    state: State, velocities: np.ndarray, system: System, time: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and cell after moving with the velocities and the cell."""
    rates, axes = np.linalg.eigh(state.cell_momentum / system.cell_mass)
    x = rates * time
    moved = state.positions @ axes * np.exp(x) + time * velocities @ axes * exprel(x)
    return moved @ axes.T, (state.cell @ axes * np.exp(x)) @ axes.T
