"""The optimizers against ASE's, on the same landscapes."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from ase.units import GPa

from vitrion.relaxation.optimizers import LONGEST_MOVE_A, OPTIMIZERS, Lbfgs
from vitrion.relaxation.relax import RelaxSettings, relax_atoms


def rattled():
    atoms = bulk("Cu", cubic=True).repeat((2, 2, 1))
    atoms.rattle(0.1, seed=3)
    return atoms


def test_lbfgs_takes_the_steps_of_ase():
    ours, theirs = rattled(), rattled()
    settings = RelaxSettings(fmax_eV_per_A=0.01, relax_cell=False, optimizer="lbfgs")
    moved, found = relax_atoms(ours, EMT(), settings)
    theirs.calc = EMT()
    reference = LBFGS(theirs, logfile=None)
    assert reference.run(fmax=0.01, steps=200)
    assert found.n_steps == reference.nsteps
    np.testing.assert_allclose(moved.positions, theirs.positions, atol=1e-6)
    assert found.energy_eV == pytest.approx(theirs.get_potential_energy(), abs=1e-8)


@pytest.fixture(scope="module")
def compressed_by_ase():
    atoms = rattled()
    atoms.calc = EMT()
    cell = FrechetCellFilter(atoms, scalar_pressure=5.0 * GPa)
    assert LBFGS(cell, logfile=None).run(fmax=0.001, steps=1000)
    return atoms


@pytest.mark.parametrize("optimizer", ["fire", "lbfgs"])
def test_a_cell_under_pressure_ends_where_that_of_ase_ends(optimizer, compressed_by_ase):
    settings = RelaxSettings(
        fmax_eV_per_A=0.002, max_steps=500, pressure_GPa=5.0, optimizer=optimizer
    )
    moved, found = relax_atoms(rattled(), EMT(), settings)
    assert found.converged
    assert found.pressure_GPa == pytest.approx(5.0, abs=0.02)
    assert found.max_stress_GPa < 0.02
    assert moved.get_volume() == pytest.approx(compressed_by_ase.get_volume(), rel=5e-4)
    energy = compressed_by_ase.get_potential_energy()
    assert found.energy_eV == pytest.approx(energy, abs=2e-3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_atom_moves_too_far(optimizer):
    forces = np.array([[500.0, 0, 0], [1.0, 1.0, 0], [0, 0, -2.0]])
    stepper = OPTIMIZERS[optimizer]()
    for _ in range(3):
        move = stepper.move(forces)
        assert np.linalg.norm(move, axis=1).max() <= LONGEST_MOVE_A * (1 + 1e-12)
        assert np.vdot(move, forces) > 0


def test_lbfgs_goes_downhill_from_a_maximum():
    """On E = -x^2 / 2 the curvature is negative: a plain quasi-Newton step would climb back."""
    x, stepper = np.array([[0.01, 0.0, 0.0]]), Lbfgs()
    for _ in range(10):
        move = stepper.move(x.copy())
        assert move[0, 0] > 0
        x = x + move
