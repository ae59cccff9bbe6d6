"""A potential against its teacher: cells, endurance, energy drift, and the command."""

import json
from typing import ClassVar

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.io import write
from typer.testing import CliRunner

from helpers.pair_potentials import IdealGas, LennardJones, argon
from vitrion.chemistry.crystals import known_crystals
from vitrion.cli import app
from vitrion.distill.data.frames import ENERGY, FORCES, STRESS, write_frames
from vitrion.distill.distill_settings import DistillSettings
from vitrion.distill.label.labelling import Teacher
from vitrion.distill.validate import teacher_comparison
from vitrion.distill.validate.endurance import energy_drift, hot_run
from vitrion.distill.validate.properties import cell_differences, crystal_frames
from vitrion.distill.validate.regime_errors import (
    COLUMNS,
    regime_errors,
    row,
    table,
    with_regimes,
)
from vitrion.distill.validate.teacher_comparison import (
    ComparisonSettings,
    compare_with_teacher,
    hottest_K,
    lacking_dispersion,
    matching_labels,
)
from vitrion.errors import InputError
from vitrion.potentials import get_potential, load_calculator

LARGER = 1.01


class Argon(Calculator):
    """Argon with all lengths multiplied by a factor: so are the lengths of each relaxed cell."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, factor=1.0):
        super().__init__()
        self.pairs = LennardJones()
        self.pairs.sigma, self.pairs.r_cut = factor * self.pairs.sigma, factor * self.pairs.r_cut

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.pairs.calculate(atoms)
        self.results = self.pairs.results


def labelled(frames, calculator):
    for atoms in frames:
        stress = calculator.get_stress(atoms)[[0, 5, 4, 5, 1, 3, 4, 3, 2]]
        atoms.info |= {ENERGY: calculator.get_potential_energy(atoms), STRESS: stress}
        atoms.arrays[FORCES] = calculator.get_forces(atoms)
    return frames


def test_the_cell_of_the_teacher_follows_from_its_stresses():
    """The teacher is the student with another length, so all its answers are known."""
    student = Argon()
    frames = labelled(crystal_frames({"Ar": argon(3)}, student), Argon(LARGER))
    [found] = cell_differences(frames, student, report=pytest.fail)
    assert found.converged
    assert found.n_atoms == 108
    assert found.lattice_difference == pytest.approx(1 - 1 / LARGER, abs=3e-4)
    assert found.density_difference == pytest.approx(LARGER**3 - 1, abs=1e-3)
    mass_g = 108 * 39.948 / 6.02214076e23
    assert found.density_g_per_cm3 == pytest.approx(mass_g / frames[0].get_volume() * 1e24)
    ratio = found.bulk_modulus_GPa / found.teacher_bulk_modulus_GPa
    assert ratio == pytest.approx(LARGER**3, rel=0.05)  # of a parabola through three sizes
    # Argon has 2.7 GPa; this shortened potential binds it less.
    assert 0.5 < found.bulk_modulus_GPa < 4


def test_a_hot_run_states_how_the_potential_failed():
    crystal = hot_run(argon(), Argon(), 0.4, seed=1, temperature_K=40)
    assert crystal.failure is None
    assert crystal.picoseconds == pytest.approx(0.4)
    gas = hot_run(argon(), IdealGas(), 50, seed=1, temperature_K=1500)
    assert gas.failure == "two atoms collapsed"
    assert gas.picoseconds < 50


def test_energy_is_conserved_without_a_thermostat():
    gas = energy_drift(argon(), IdealGas(), 0.2, seed=1)
    assert gas.drift_meV_per_atom_ns == pytest.approx(0, abs=1e-6)
    crystal = energy_drift(argon(), Argon(), 1.0, seed=1, temperature_K=40)
    assert abs(crystal.drift_meV_per_atom_ns) < max(5 * crystal.standard_error, 1)
    assert 0 < crystal.fluctuation_meV_per_atom < 0.1


def test_labels_match_what_the_student_learned():
    """Dispersion beside the labels counts only for a student that includes it."""
    atoms = argon(1)
    atoms.info = {ENERGY: 1.0, "D3_energy": 0.5, "config_type": "glass"}
    atoms.arrays |= {FORCES: np.ones((4, 3)), "D3_forces": np.ones((4, 3))}
    student = get_potential("vitrion-lipof-pbe")
    for functional, energy in (("PBE with D3(BJ)", 1.5), ("PBE", 1.0)):
        spec = student.model_copy(update={"functional": functional})
        [found] = matching_labels([atoms], spec)
        assert found.info[ENERGY] == energy
        assert found.info["regime"] == "glass"


def test_faults_of_a_comparison_are_found_before_it_starts():
    with pytest.raises(InputError, match="Name a teacher"):
        compare_with_teacher("vitrion-lipof", None)
    with pytest.raises(InputError, match="no potential 'chgnt'; did you mean 'chgnet'"):
        compare_with_teacher("vitrion-lipof", Teacher(name="chgnt"))
    with pytest.raises(InputError, match="does not know Ar"):
        compare_with_teacher("chgnet", Teacher(name="vitrion-lipof"), crystals={"Ar": argon(1)})
    with pytest.raises(InputError, match="no parameters for the functional 'pbee'"):
        compare_with_teacher("vitrion-lipof", Teacher(name="vitrion:chgnet", dispersion="pbee"))


@pytest.mark.parametrize(
    ("student", "teacher", "lacking"),
    [
        ("vitrion-lipof", Teacher(name="chgnet"), "pbe"),
        ("vitrion-lipof", Teacher(name="vitrion-lipof"), None),
        ("vitrion-lipof", Teacher(name="sevennet:7net-l3i5"), "pbe"),
        ("vitrion-lipof", Teacher(name="sevennet:7net-l3i5", dispersion="pbe"), None),
        ("vitrion-lipof-pbe", Teacher(name="chgnet"), None),
    ],
)
def test_dispersion_is_added_where_only_the_student_has_it(student, teacher, lacking):
    assert lacking_dispersion(teacher, get_potential(student)) == lacking


def test_the_functional_of_the_dispersion_is_the_students(monkeypatch):
    card = {"settings": {"dispersion": "r2scan"}}
    monkeypatch.setattr(teacher_comparison, "is_student", lambda name: True)
    monkeypatch.setattr(teacher_comparison, "student_card", lambda name: card)
    own = get_potential("chgnet-r2scan")
    student = own.model_copy(update={"functional": f"{own.functional}, with D3(BJ)"})
    assert lacking_dispersion(Teacher(name="chgnet-r2scan"), student) == "r2scan"


def test_a_student_is_tested_at_the_temperature_it_was_made_for(monkeypatch):
    own = get_potential("vitrion-lipof")
    assert hottest_K(own) == hottest_K(get_potential("chgnet")) == 1500
    card = {"settings": DistillSettings(formulas=["LiF"], sampling={"hottest_K": 900}).model_dump()}
    monkeypatch.setattr(teacher_comparison, "student_card", lambda name: card)
    assert hottest_K(own) == 900


def test_a_crystal_whose_pressure_does_not_vanish_is_reported_and_left_out():
    student, lines = Argon(), []
    frames = labelled(crystal_frames({"soft": argon(3), "hard": argon(3)}, student), student)
    for atoms in frames:
        if atoms.info["property"] == "soft":
            atoms.info[STRESS] = np.eye(3).ravel()
    found = cell_differences(frames, student, report=lines.append)
    assert [cell.name for cell in found] == ["hard"]
    assert lines[0].startswith("soft is not compared: The pressure does not vanish")
    assert len(lines) == 1


def test_frames_are_drawn_at_each_temperature():
    settings = ComparisonSettings(temperatures_K=(60, 20), frames=2)
    found = teacher_comparison._draw_frames({"Ar": argon(2)}, Argon(), settings)
    assert [atoms.info["temperature_K"] for atoms in found] == [20, 20, 60, 60]
    assert {atoms.info["regime"] for atoms in found} == {"Ar, 20-60 K"}
    assert {len(atoms) for atoms in found} == {64}


def test_a_softer_student_has_a_slope_below_one():
    atoms = argon(2)
    atoms.rattle(0.1, seed=1)
    [frame] = with_regimes(labelled([atoms], Argon()))
    frame.arrays[FORCES] *= 1.25
    [error] = regime_errors([frame], Argon())
    assert error.force_slope == pytest.approx(0.8)
    assert row(error)[COLUMNS.index("F slope")] == "0.800"
    assert table([error.model_copy(update={"force_slope": None})]).endswith("|  | 0.00 |")


@pytest.mark.slow
def test_a_student_is_its_own_perfect_teacher(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher_comparison, "FEWEST_ATOMS", 8)
    crystal = known_crystals()["LiF"]
    write(tmp_path / "LiF.cif", crystal)
    crystal.rattle(0.1, seed=1)
    [frame] = labelled([crystal], load_calculator("vitrion-lipof"))
    write_frames(tmp_path / "frames.xyz", [frame])
    command = ["potential", "validate", "vitrion-lipof", "--teacher", "vitrion-lipof", "--json"]
    files = ["--structure", str(tmp_path / "LiF.cif"), "--frames", str(tmp_path / "frames.xyz")]
    lengths = ["--hot-runs", "1", "--hot-ps", "0.1", "--drift-ps", "0.2"]
    result = CliRunner().invoke(app, [*command, *files, *lengths])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    [regime], [cell] = found["errors"], found["cells"]
    assert regime["regime"] == "F4Li4"
    assert regime["force_rms_meV_per_A"] > 100
    assert regime["force_slope"] == pytest.approx(1, abs=1e-4)
    for name in ("energy_rmse_meV_per_atom", "force_rmse_meV_per_A", "pressure_rmse_GPa"):
        assert regime[name] < 0.05
    assert abs(cell["density_difference"]) < 1e-4
    assert cell["density_g_per_cm3"] == pytest.approx(2.64, rel=0.05)
    assert cell["bulk_modulus_GPa"] == pytest.approx(cell["teacher_bulk_modulus_GPa"], rel=1e-3)
    assert cell["bulk_modulus_GPa"] == pytest.approx(70, rel=0.35)
    assert found["hot_runs"][0]["failure"] is None
    assert found["drift"]["picoseconds"] == 0.2
