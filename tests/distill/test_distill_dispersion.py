"""The D3(BJ) correction of labels: known values, derivatives, and what carries it."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.units import Bohr, Hartree

from helpers.programs_here import label_here
from vitrion.distill.label import labelling
from vitrion.distill.label.dispersion import (
    add_dispersion,
    d3_dispersion,
    with_dispersion,
    without_dispersion,
)
from vitrion.distill.label.labelling import Teacher, label
from vitrion.errors import InputError


@pytest.fixture(scope="module")
def rattled():
    atoms = bulk("LiF", "rocksalt", a=4.03, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_two_argon_atoms_have_the_energy_of_the_formula():
    # C6 of two free argon atoms, and the ratio <r4>/<r2> of argon, as D3 tabulates them.
    c6, r4r2, distance = 64.6462, 3.44677275, 3.8 / Bohr
    c8 = 3 * c6 * r4r2**2
    damping = 0.4289 * np.sqrt(c8 / c6) + 4.4407
    energy = -c6 / (distance**6 + damping**6) - 0.7875 * c8 / (distance**8 + damping**8)
    found = d3_dispersion(Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]]))
    assert found.energy_eV == pytest.approx(energy * Hartree, rel=1e-5)
    assert found.forces_eV_per_A[0, 2] > 0  # attraction
    assert not found.stress_eV_per_A3.any()


def test_water_has_the_energy_that_the_program_documents():
    assert d3_dispersion(molecule("H2O")).energy_eV == pytest.approx(-0.00978192, abs=1e-8)


@pytest.mark.parametrize("without", [(), ("Li",)])
def test_forces_and_stress_are_derivatives_of_the_energy(rattled, without):
    step = 2e-3

    def energy(positions, strain):
        atoms = rattled.copy()
        atoms.positions = positions
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return d3_dispersion(atoms, without=without).energy_eV

    found = d3_dispersion(rattled, without=without)
    fluorine = rattled.symbols.search("F")[0]
    move, zero = np.zeros((len(rattled), 3)), np.zeros((3, 3))
    move[fluorine, 1] = step
    start = rattled.positions
    slope = (energy(start + move, zero) - energy(start - move, zero)) / (2 * step)
    assert found.forces_eV_per_A[fluorine, 1] == pytest.approx(-slope, abs=3e-5)
    strain = step * np.diag([1.0, 0.0, 0.0])
    slope = (energy(start, strain) - energy(start, -strain)) / (2 * step)
    assert found.stress_eV_per_A3[0, 0] == pytest.approx(slope / rattled.get_volume(), rel=0.01)
    assert found.stress_eV_per_A3[0, 0] > 0  # dispersion contracts


def test_most_of_the_dispersion_of_lithium_fluoride_is_that_of_lithium(rattled):
    whole, fluorine = d3_dispersion(rattled), d3_dispersion(rattled, without=["Li"])
    assert whole.energy_eV < 5 * fluorine.energy_eV < 0
    assert d3_dispersion(rattled, without=["Li", "F"]).energy_eV == 0


def test_a_slab_is_refused(rattled):
    slab = rattled.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="periodic in 2 directions"):
        d3_dispersion(slab)


def test_a_teacher_with_dispersion_labels_with_the_sum(rattled, tmp_path, monkeypatch):
    monkeypatch.setattr(labelling, "run_checked", label_here)
    plain = Teacher(name="ase.calculators.lj:LennardJones")
    without = label([rattled], plain, tmp_path / "plain")
    total = label([rattled], plain.model_copy(update={"dispersion": "pbe"}), tmp_path / "d3")
    found = d3_dispersion(rattled)
    change = total[0].info["REF_energy"] - without[0].info["REF_energy"]
    assert change == pytest.approx(found.energy_eV, abs=1e-5)
    np.testing.assert_allclose(
        total[0].arrays["REF_forces"] - without[0].arrays["REF_forces"],
        found.forces_eV_per_A,
        atol=1e-5,
    )
    with pytest.raises(InputError, match="lacks D3_energy"):
        with_dispersion(without)
    both = add_dispersion(without[0])
    assert both.info["REF_energy"] == without[0].info["REF_energy"]
    back = without_dispersion([both])[0]
    assert set(back.info) == set(without[0].info)
    assert set(back.arrays) == set(without[0].arrays)
