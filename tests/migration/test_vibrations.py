"""Vibrations and attempt frequencies against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from vitrion.errors import SimulationError
from vitrion.migration.ridges import off_ridge
from vitrion.migration.vibrations import (
    attempt_frequency,
    force_constants,
    stationary_point,
)


class DoubleWell(Calculator):
    """Two atoms joined by ``height (s^2 - 1)^2 + stiffness/2 (y^2 + z^2)``, s = x / half width."""

    implemented_properties = ("energy", "forces")
    height, half_width, stiffness = 0.5, 1.2, 3.0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x, y, z = self.atoms.positions[1] - self.atoms.positions[0]
        s = x / self.half_width
        slope = 4 * self.height * s * (s * s - 1) / self.half_width
        pull = np.array([slope, self.stiffness * y, self.stiffness * z])
        energy = self.height * (s * s - 1) ** 2 + 0.5 * self.stiffness * (y * y + z * z)
        self.results = {"energy": energy, "forces": np.array([pull, -pull])}


def pair(x: float) -> Atoms:
    atoms = Atoms("LiO", [[0, 0, 0], [x, 0.05, -0.03]], cell=np.eye(3) * 20, pbc=True)
    atoms.calc = DoubleWell()
    return atoms


def test_double_well_has_its_closed_attempt_frequency():
    minimum = stationary_point(pair(1.15), 0, fmax_eV_per_A=1e-4)
    saddle = stationary_point(pair(0.15), 1, fmax_eV_per_A=1e-4)
    assert saddle.energy_eV - minimum.energy_eV == pytest.approx(0.5, abs=1e-5)
    masses = pair(1.0).get_masses()
    reduced = masses.prod() / masses.sum()
    # Transverse modes cancel: nu = sqrt(U''(min) / mass) / 2 pi, U'' = 8 height / half width^2.
    curvature = 8 * 0.5 / 1.2**2 * units._e / (reduced * units._amu) * 1e20
    expected = np.sqrt(curvature) / (2 * np.pi)
    assert attempt_frequency(minimum, saddle) == pytest.approx(expected, rel=1e-3)


def test_force_constants_are_symmetric_and_translations_cost_nothing():
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    matrix = force_constants(atoms)
    assert matrix == pytest.approx(matrix.T)
    moved = np.tile([1.0, 0.0, 0.0], len(atoms))
    assert matrix @ moved == pytest.approx(np.zeros(len(moved)), abs=1e-10)


def test_hop_into_a_vacancy_of_copper_has_a_frequency_of_phonons():
    host = bulk("Cu", cubic=True) * (2, 2, 1)
    target = host.positions[0].copy()
    vacancy = host.copy()
    del vacancy[0]
    vacancy.calc = EMT()
    minimum = stationary_point(vacancy, 0)
    neighbor = int(np.argmin(np.linalg.norm(vacancy.positions - target, axis=1)))
    halfway = vacancy.copy()
    halfway.positions = minimum.positions_A
    halfway.positions[neighbor] = 0.5 * (halfway.positions[neighbor] + target)
    halfway.calc = EMT()
    saddle = stationary_point(halfway, 1)
    assert 0.3 < saddle.energy_eV - minimum.energy_eV < 1.2
    assert 1e12 < attempt_frequency(minimum, saddle) < 3e13


def test_the_wrong_order_is_refused():
    with pytest.raises(SimulationError, match="unstable modes"):
        stationary_point(pair(0.0), 0, fmax_eV_per_A=0.3)


class Ridge(DoubleWell):
    """The double well with ``3 (s^2 - 0.3) y^2 + 2 y^4`` in place of the spring along y."""

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        Calculator.calculate(self, atoms, properties, system_changes)
        x, y, z = self.atoms.positions[1] - self.atoms.positions[0]
        s = x / self.half_width
        slope = (4 * self.height * s * (s * s - 1) + 6 * s * y * y) / self.half_width
        pull = np.array([slope, 6 * (s * s - 0.3) * y + 8 * y**3, self.stiffness * z])
        energy = self.height * (s * s - 1) ** 2 + 0.5 * self.stiffness * z * z
        self.results = {
            "energy": energy + 3 * (s * s - 0.3) * y * y + 2 * y**4,
            "forces": np.array([pull, -pull]),
        }


def test_a_ridge_is_left_across_the_hop():
    """The mode across the hop, with the larger negative curvature, is not taken for the hop."""
    atoms = Atoms("LiO", [[0, 0, 0], [0.02, 0, 0]], cell=np.eye(3) * 20, pbc=True)
    atoms.calc = Ridge()
    hop = np.array([[-1.2, 0.0, 0.0], [1.2, 0.0, 0.0]])
    aside = off_ridge(atoms, hop)
    x, y, z = aside[1] - aside[0]
    assert abs(y) == pytest.approx(np.sqrt(0.225), abs=0.1)
    assert (x, z) == pytest.approx((0.0, 0.0), abs=1e-3)
    atoms.positions += aside
    assert off_ridge(atoms, hop) is None


@pytest.mark.parametrize("stiffness", [1e-4, -1e-4])
def test_soft_modes_cancel_in_the_attempt_frequency(stiffness):
    found = []
    for own in (3.0, stiffness):
        ends = pair(1.15), pair(0.15)
        for atoms in ends:
            atoms.calc.stiffness = own
        points = [stationary_point(a, order, fmax_eV_per_A=1e-4) for order, a in enumerate(ends)]
        found.append((attempt_frequency(*points), [point.n_soft for point in points]))
    (hard, none), (soft, two) = found
    assert none == [0, 0]
    assert two == [2, 2]
    assert soft == pytest.approx(hard, rel=1e-6)
