"""Calculators that cost microseconds, so that tests can look at averages."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from ase.build import bulk
from ase.calculators import lj
from ase.calculators.calculator import Calculator, all_changes
from ase.cell import Cell
from ase.stress import full_3x3_to_voigt_6_stress
from matscipy.neighbours import neighbour_list

if TYPE_CHECKING:
    from ase import Atoms


class IdealGas(Calculator):
    """Atoms that do not feel each other: every average is known exactly."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        self.results = {
            "energy": 0.0,
            "forces": np.zeros((len(atoms), 3)),
            "stress": np.zeros(6),
        }


class CorrugatedGas(IdealGas):
    """Atoms in a periodic potential whose height depends on the width of the cell."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms)
        width = atoms.cell.lengths()
        height = 0.03 * (1.0 + np.sin(11.0 * width[0]))
        wave = 2.0 * np.pi * 6 / width
        self.results["energy"] = float(height * np.sum(np.cos(wave * atoms.positions)))
        self.results["forces"] = height * wave * np.sin(wave * atoms.positions)


@cache
def pairs_of(n_atoms):
    return np.triu_indices(n_atoms, 1)


class LennardJones(Calculator):
    """Argon by all pairs at their minimum images; potential and force go smoothly to zero."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]
    epsilon, sigma, r_cut = 0.0104, 3.4, 5.2

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        energy, forces, stress = self.evaluate(atoms.positions, atoms.cell.array)
        self.results = {
            "energy": energy,
            "forces": forces,
            "stress": full_3x3_to_voigt_6_stress(stress),
        }

    def evaluate(self, positions, cell):
        i, j = pairs_of(len(positions))
        d = positions[j] - positions[i]
        d -= np.round(d @ np.linalg.inv(cell)) @ cell
        near = np.sum(d * d, axis=1) < self.r_cut**2
        i, j, d = i[near], j[near], d[near]
        r2 = np.sum(d * d, axis=1)
        s6 = (self.sigma**2 / r2) ** 3
        window = (1 - r2 / self.r_cut**2) ** 2
        pair = 4 * self.epsilon * (s6**2 - s6)
        slope = 4 * self.epsilon * (6 * s6 - 12 * s6**2) / r2  # (dE/dr) / r
        slope = slope * window - pair * 4 * np.sqrt(window) / self.r_cut**2
        push = slope[:, None] * d
        atoms, pushes = np.concatenate([i, j]), np.concatenate([push, -push])
        forces = np.stack([np.bincount(atoms, k, len(positions)) for k in pushes.T], axis=1)
        virial = push.T @ d
        return float(np.sum(pair * window)), forces, virial / Cell(cell).volume


PARAMETERS = ("sigma", "epsilon", "rc", "ro", "smooth")


class VectorizedLennardJones(lj.LennardJones):
    """ASE's calculator with all atoms evaluated at once; smooth only."""

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "energies",
        "free_energy",
        "forces",
        "stress",
    ]

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        Calculator.calculate(self, atoms, properties, system_changes)
        sigma, epsilon, rc, ro, smooth = map(self.parameters.get, PARAMETERS)
        assert smooth
        i, d = neighbour_list("iD", self.atoms, rc)
        r2 = np.sum(d * d, axis=1)
        s6 = (sigma**2 / r2) ** 3
        window = lj.cutoff_function(r2, rc**2, ro**2)
        slope = lj.d_cutoff_function(r2, rc**2, ro**2)
        pair = 4 * epsilon * (s6**2 - s6)
        push = (2 * slope * pair - window * 24 * epsilon * (2 * s6**2 - s6) / r2)[:, None] * d
        count = len(self.atoms)
        energies = 0.5 * np.bincount(i, pair * window, count)
        forces = np.stack([np.bincount(i, part, count) for part in push.T], axis=1)
        energy = energies.sum()
        self.results = {"energy": energy, "free_energy": energy, "energies": energies}
        self.results["forces"] = forces
        if self.atoms.cell.rank == 3:
            stress = 0.5 * push.T @ d / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)


class DirectLennardJones(LennardJones):
    """The same, evaluated from arrays alone; its arrays are overwritten by the next call."""

    def force_provider(self, numbers, pbc):
        assert len(numbers)
        assert all(pbc)
        return DirectForces(len(numbers))

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        raise AssertionError("the engine should call the force provider")


class DirectForces:
    """A force provider that keeps nothing between calls but its buffers."""

    def __init__(self, n_atoms):
        self.forces, self.stress = np.zeros((n_atoms, 3)), np.zeros((3, 3))
        self.resets = 0

    def evaluate(self, positions, cell, stress):
        energy, self.forces[:], tensor = LennardJones().evaluate(positions, cell)
        self.stress[:] = (tensor + tensor.T) / 2
        positions[:], tensor[:] = np.nan, np.nan
        return energy, self.forces, self.stress if stress else None

    def reset(self):
        self.resets += 1


def lennard_jones() -> LennardJones:
    """Return a calculator; a function of a module, as worker processes need it."""
    return LennardJones()


def argon(size: int = 2, a: float = 5.26) -> Atoms:
    """Return a cubic fcc crystal of ``4 size**3`` atoms."""
    return bulk("Ar", cubic=True, a=a) * (size, size, size)
