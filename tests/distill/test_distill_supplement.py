"""Defects and other packings: what is sampled, and the errors computed from it."""

from collections import Counter

import numpy as np
import pytest
from ase.build import bulk

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.data.frames import ENERGY
from vitrion.distill.sample.off_stoichiometry import changed, crystal_family
from vitrion.distill.sample.packings import packing_errors
from vitrion.distill.sample.repackings import MOST_ATOMS, candidates, polymorph_family
from vitrion.distill.sample.supplement import SupplementSettings, supplement
from vitrion.distill.validate.change_errors import change_errors
from vitrion.errors import InputError
from vitrion.potentials.student import student_calculator

SETTINGS = SupplementSettings(
    glasses=({"Li": 2, "PO2F2": 2},), glass_families=1, crystal_families=1, polymorphs={"LiF": 1}
)


@pytest.fixture(scope="module")
def calculator():
    return student_calculator()


@pytest.fixture(scope="module")
def round_(calculator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    crystals = {"LiF": known_crystals()["LiF"]}
    return crystals, folder, supplement(calculator, crystals, SETTINGS, folder, 3)


def test_atoms_are_added_and_removed():
    rng = np.random.default_rng(0)
    host = known_crystals()["Li2O"]
    lithium = host.symbols.count("Li")
    for count in (-3, -1, 2):
        assert changed(host, "Li", count, rng).symbols.count("Li") == lithium + count
    assert host.symbols.count("Li") == lithium


def test_family_shares_cell_and_framework(calculator):
    host, defect, rest, warm = crystal_family(
        calculator, known_crystals()["LiF"], 300.0, np.random.default_rng(2)
    )
    change = host.info["change"]
    assert abs(change) == 1
    for frame in (defect, rest, warm):
        assert frame.symbols.count("Li") == host.symbols.count("Li") + change
        assert frame.symbols.count("F") == host.symbols.count("F")
        np.testing.assert_array_equal(frame.cell.array, host.cell.array)
    lower = calculator.get_potential_energy(rest) < calculator.get_potential_energy(defect)
    assert lower
    assert not np.allclose(warm.positions, rest.positions)


def test_candidates_have_the_formula_and_differ():
    found = candidates("LiF", 2, 11)
    assert len(found) == 2
    for atoms in found:
        counts = Counter(atoms.get_chemical_symbols())
        assert counts["Li"] == counts["F"]
        assert len(atoms) <= MOST_ATOMS
        assert atoms.pbc.all()
    volumes = [atoms.get_volume() / len(atoms) for atoms in found]
    assert len({round(volume, 6) for volume in volumes}) > 1


def test_polymorphs_rest_and_fallen_ones_are_dropped(calculator):
    wurtzite = bulk("LiF", "wurtzite", a=3.1, c=5.0)
    rng = np.random.default_rng(4)
    minimum, shaken = polymorph_family(calculator, wurtzite, rng, steps=150)
    assert np.abs(calculator.get_forces(minimum)).max() < 0.05
    assert np.abs(calculator.get_stress(minimum)).max() < 0.01
    assert np.abs(calculator.get_forces(shaken)).max() > 0.2
    far_apart = bulk("LiF", "rocksalt", a=14.0)
    assert polymorph_family(calculator, far_apart, rng, steps=1) == []


def test_supplement_keeps_what_it_has_done(calculator, round_):
    crystals, folder, frames = round_
    kinds = Counter(str(a.info["config_type"]).split(":")[0] for a in frames)
    assert kinds["glass"] == 4
    assert kinds["crystal"] == 4
    assert kinds["polymorph"] in (0, 2)

    def never(line):
        raise AssertionError(line)

    again = supplement(calculator, crystals, SETTINGS, folder, 3, progress=never)
    assert [a.info["family"] for a in again] == [a.info["family"] for a in frames]
    np.testing.assert_array_equal(again[-1].positions, frames[-1].positions)


def test_change_errors_see_an_offset_per_atom(calculator, round_):
    frames = [a.copy() for a in round_[2] if "change" in a.info]
    for atoms in frames:
        is_host = str(atoms.info["config_type"]).endswith(":host")
        offset = 0.0 if is_host else 0.25 * abs(atoms.info["change"])
        atoms.info[ENERGY] = calculator.get_potential_energy(atoms) + 1.0 + offset
    found = change_errors(frames, calculator)
    assert len(found) == 6  # three changed cells in each of two families
    np.testing.assert_allclose([entry["error_eV"] for entry in found], -0.25, atol=1e-3)
    with pytest.raises(InputError, match="needs one host"):
        change_errors(frames[1:], calculator)


def test_a_hole_below_the_known_crystal_is_found(calculator):
    frames = []
    for formula in ("LiF", "Li2O", "Li2CO3", "Li3PO4"):
        known = known_crystals()[formula]
        other = known.copy()
        other.set_cell(known.cell.array * 1.01, scale_atoms=True)
        for atoms in (known, other):
            atoms.info = {"packing": formula, "known": atoms is known}
            atoms.info[ENERGY] = calculator.get_potential_energy(atoms)
            frames.append(atoms)
    frames[1].info[ENERGY] += 0.02 * len(frames[1])
    errors = {entry["formula"]: entry for entry in packing_errors(frames, calculator)}
    assert errors["LiF"]["lowest_difference"] == pytest.approx(-20.0, abs=0.1)
    assert errors["Li2O"]["lowest_difference"] == pytest.approx(0.0, abs=0.1)
    difference = errors["LiF"]["lowest_teacher"] - errors["LiF"]["lowest_student"]
    assert difference == pytest.approx(20.0, abs=0.1)
