"""Langevin dynamics of a cell at fixed volume, for sampling: no files, no overhead of ASE.

For a student and cells of 60 atoms, ASE's own integrator takes a third of the time of a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase import units

from vitrion.dynamics.engine import evaluate
from vitrion.dynamics.forces import Forces
from vitrion.dynamics.integrator import Integrator
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.state import State, System, Target
from vitrion.dynamics.thermostats import THERMOSTATS

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms


class LangevinRun:
    """Dynamics that moves atoms in place.

    Parameters
    ----------
    atoms
        Cell with a calculator and velocities; positions and velocities are replaced.
    temperature_K
        Temperature of the thermostat.
    timestep_fs
        Time step.
    friction_per_fs
        Friction.
    rng
        Draws the noise.
    """

    def __init__(
        self,
        atoms: Atoms,
        temperature_K: float,
        *,
        timestep_fs: float,
        friction_per_fs: float,
        rng: np.random.Generator,
    ) -> None:
        settings = MDSettings(
            temperature_K=temperature_K,
            timestep_fs=timestep_fs,
            thermostat="langevin",
            thermostat_time_fs=1 / friction_per_fs,
        )
        self.atoms, self._target = atoms, Target(units.kB * temperature_K, 0.0)
        masses, cell = atoms.get_masses(), atoms.cell.array.copy()
        forces = Forces(atoms.calc, atoms.numbers, masses, atoms.pbc)
        energy, first, _ = forces(atoms.positions, cell)
        self._integrator = Integrator(
            State(atoms.positions.copy(), atoms.get_velocities(), cell, energy, first, None),
            System.from_settings(settings, masses, cell),
            THERMOSTATS["langevin"],
            rng,
        )
        self._forces = forces

    def run(self, steps: int) -> None:
        """Advance by a number of steps.

        Raises
        ------
        InputError
            If the potential refuses atoms that are too close; the atoms then stand there.
        """
        state = self._integrator.state
        try:
            for _ in range(steps):
                step = self._integrator.fixed_cell_step(self._target, stress=False)
                evaluate(step, self._forces)
        finally:
            self.atoms.positions[:] = state.positions
            self.atoms.set_velocities(state.velocities)
