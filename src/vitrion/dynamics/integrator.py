"""One time step for every ensemble.

Thermostat and cell thermostat for half a step, a kick, a drift, the forces, and the same backwards:
second order, time-reversible in its deterministic parts. Without thermostat and barostat it is
velocity Verlet; with Langevin it is OBABO; with a barostat the kicks and the drift follow Martyna,
Tobias and Klein, J. Chem. Phys. 101, 4177 (1994), and the cell is a piston with friction and noise
(Quigley, Probert, J. Chem. Phys. 120, 11432 (2004)), so that a cell far from its equilibrium
density returns without oscillations.

A step is a generator that yields a :class:`Request` and receives the forces, so that the caller
decides how to evaluate it: alone, or in one call with the requests of other runs.

At 72 atoms the overhead per numpy call dominates, so a step uses few calls and few copies.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import exprel

from vitrion.dynamics.state import State, System, Target, volume

if TYPE_CHECKING:
    from vitrion.dynamics.thermostats import ThermostatFunction

Evaluated = tuple[float, np.ndarray, np.ndarray | None]
"""Energy in eV, forces (n, 3) in eV/A, and stress (3, 3) in eV/A3 or None."""


class Request(NamedTuple):
    """What a step asks of the potential.

    Attributes
    ----------
    positions : (n, 3) array
        Unwrapped, in A.
    cell : (3, 3) array
        Lattice vectors as rows, in A.
    stress : bool
        Whether the stress is needed.
    """

    positions: np.ndarray
    cell: np.ndarray
    stress: bool


Steps = Generator[Request, Evaluated, None]
"""Yields requests and receives their results."""


class Integrator:
    """Advances a state.

    Parameters
    ----------
    state : State
        Its arrays are replaced, never changed in place: references to them stay valid.
    system : System
        See :mod:`vitrion.dynamics.state`.
    thermostat : function
        One of :data:`vitrion.dynamics.thermostats.THERMOSTATS`.
    rng : Generator
        Drawn from by the thermostats.
    """

    def __init__(
        self,
        state: State,
        system: System,
        thermostat: ThermostatFunction,
        rng: np.random.Generator,
    ) -> None:
        self.state, self.system = state, system
        self._thermostat, self._rng = thermostat, rng
        self._half = 0.5 * system.timestep
        self._half_over_mass = self._half / system.masses

    def fixed_cell_step(self, target: Target, stress: bool) -> Steps:
        """Advance by one step at a fixed cell: nve, or nvt with any thermostat.

        Parameters
        ----------
        target : Target
            Target of this step.
        stress : bool
            Whether to compute the stress of the new state.
        """
        state = self.state
        self._couple(target.kT)
        state.velocities = state.velocities + self._half_over_mass * state.forces
        state.positions = state.positions + self.system.timestep * state.velocities
        yield from self._evaluate(stress)
        state.velocities = state.velocities + self._half_over_mass * state.forces
        self._couple(target.kT)
        state.step += 1

    def moving_cell_step(self, target: Target, stress: bool) -> Steps:
        """Advance by one step at constant pressure; see :meth:`fixed_cell_step`."""
        state = self.state
        self._couple(target.kT)
        self._couple_cell(target.kT)
        self._kick_cell(target.pressure)
        slow, push, grow, move = self._propagators()
        self._kick_in_moving_cell(slow, push)
        before = volume(state.cell)
        state.positions = state.positions.dot(grow) + state.velocities.dot(move)
        state.cell = state.cell.dot(grow)
        state.reservoir += target.pressure * (volume(state.cell) - before)
        yield from self._evaluate(stress)
        self._kick_in_moving_cell(slow, push)
        self._kick_cell(target.pressure)
        self._couple(target.kT)  # commutes with the bath of the cell
        self._couple_cell(target.kT)
        state.step += 1

    def _evaluate(self, stress: bool) -> Steps:
        state = self.state
        state.energy, state.forces, state.stress = yield Request(
            state.positions, state.cell, stress
        )

    def _couple(self, kT: float) -> None:
        """Apply the thermostat for half a step."""
        self.state.reservoir += self._thermostat(self.state, self._half, self.system, kT, self._rng)

    def _couple_cell(self, kT: float) -> None:
        """Solve friction and noise of the cell momentum exactly, for half a step."""
        state, system = self.state, self.system
        keep = math.exp(-system.cell_friction * self._half)
        draw = self._rng.standard_normal((3, 3))
        noise = draw + draw.T  # tr(noise^2) / 4 is then a sum of six unit normals squared
        width = 0.5 * math.sqrt((1 - keep**2) * kT * system.cell_mass)
        momentum = self._allowed(keep * state.cell_momentum + width * noise)
        lost = _square(state.cell_momentum) - _square(momentum)
        state.cell_momentum = momentum
        state.reservoir += lost / (2 * system.cell_mass)

    def _allowed(self, tensor: np.ndarray) -> np.ndarray:
        """Return the component of a symmetric tensor along the degrees of freedom of the cell."""
        return _trace(tensor) / 3 * _UNIT if self.system.isotropic else tensor

    def _kick_cell(self, pressure: float) -> None:
        """Apply the pressure difference and the kinetic energy to the cell for half a step."""
        state, system = self.state, self.system
        kinetic = (system.masses * state.velocities).T.dot(state.velocities)
        v = volume(state.cell)
        assert state.stress is not None  # constant pressure always computes it
        inner = 0.5 * (kinetic - v * state.stress)
        outer = _trace(kinetic) / system.n_dof - pressure * v
        force = inner + inner.T + outer * _UNIT
        state.cell_momentum = state.cell_momentum + self._half * self._allowed(force)

    def _propagators(self) -> np.ndarray:
        """Return four (3, 3) matrices that solve the motion at constant cell momentum.

        With the rates r = momentum / mass of the cell: exp(-x) and exprel(-x), which turn
        velocities and their changes by the forces into new velocities, for
        x = (r + tr(r) / n_dof) h / 2; exp(y) and h exprel(y), which turn positions and velocities
        into new positions, for y = r h.
        """
        h, momentum = self.system.timestep, self.state.cell_momentum
        if self.system.isotropic:
            rates, axes = np.diagonal(momentum) / self.system.cell_mass, _UNIT
        else:
            rates, axes = np.linalg.eigh(momentum / self.system.cell_mass)
        x = (rates + np.add.reduce(rates) / self.system.n_dof) * self._half
        y = rates * h
        factors = np.array([np.exp(-x), exprel(-x), np.exp(y), h * exprel(y)])
        return (axes * factors[:, None, :]) @ axes.T

    def _kick_in_moving_cell(self, slow: np.ndarray, push: np.ndarray) -> None:
        """Apply the forces and the cell motion to the velocities for half a step."""
        state = self.state
        change = self._half_over_mass * state.forces
        state.velocities = state.velocities.dot(slow) + change.dot(push)


_UNIT = np.eye(3)


def _trace(tensor: np.ndarray) -> float:
    return float(tensor[0, 0] + tensor[1, 1] + tensor[2, 2])


def _square(tensor: np.ndarray) -> float:
    flat = tensor.ravel()
    return float(flat.dot(flat))
