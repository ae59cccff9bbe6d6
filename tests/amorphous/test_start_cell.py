import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.glass_crystals import crystal
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.amorphous.start_cell import melt_start, start_cell
from vitrion.chemistry.geometry import face_distances
from vitrion.errors import InputError


@pytest.fixture
def lithium_fluoride():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.03), ["Li", "F"], [[0] * 3, [0.5] * 3]
    )


def test_a_crystal_becomes_a_near_cubic_supercell(lithium_fluoride):
    primitive = lithium_fluoride.get_primitive_structure()
    cell = melt_start(primitive, n_atoms=60, min_side_A=7.0)
    assert cell.unit == "crystal"
    assert len(cell.structure) >= 60
    sides = face_distances(cell.structure.lattice.matrix)
    assert min(sides) >= 7.0
    assert max(sides) < 1.7 * min(sides)
    assert cell.volume_per_atom_A3 == pytest.approx(4.03**3 / 8)
    assert cell.shortest_contact_A == pytest.approx(2.015)


def test_an_extended_network_is_not_an_ion():
    quartz = melt_start(crystal("quartz"), n_atoms=60)
    assert quartz.ion_counts() == {}
    assert quartz.shortest_contact_A == pytest.approx(1.61, abs=0.02)  # Si-O
    calcite = melt_start(crystal("calcite"), n_atoms=60)
    assert set(calcite.ion_counts()) == {"Ca", "CO3"}
    assert calcite.shortest_contact_A > 2.0


def test_a_crystal_can_be_loosened(lithium_fluoride):
    cell = melt_start(lithium_fluoride, n_atoms=60, volume_per_atom_A3=11.0)
    assert cell.structure.volume / len(cell.structure) == pytest.approx(11.0)
    calcite = melt_start(crystal("calcite"), n_atoms=60, volume_per_atom_A3=45.0)
    assert set(calcite.ion_counts()) == {"Ca", "CO3"}


def test_a_compressed_crystal_is_as_wide_as_the_cutoff(lithium_fluoride):
    cell = melt_start(lithium_fluoride, n_atoms=40, volume_per_atom_A3=6.8, min_side_A=8.0)
    assert cell.structure.volume / len(cell.structure) == pytest.approx(6.8)
    assert min(face_distances(cell.structure.lattice.matrix)) >= 8.0


def test_disordered_crystals_are_refused():
    disordered = Structure(Lattice.cubic(4), [{"Li": 0.5, "Na": 0.5}, "F"], [[0] * 3, [0.5] * 3])
    with pytest.raises(InputError, match="partial"):
        melt_start(disordered)


def test_settings_decide_the_start(lithium_fluoride):
    settings = MeltQuenchSettings(n_atoms=48, seed=4)
    packed = start_cell("LiPO2F2", settings, 6.0)
    assert (packed.unit, packed.seed, len(packed.structure)) == ("ions", 4, 48)
    assert start_cell(lithium_fluoride, settings, 6.0).unit == "crystal"


def test_face_distances_of_a_skew_cell():
    found = face_distances(Lattice.hexagonal(4.0, 7.0).matrix)
    np.testing.assert_allclose(found, [4 * np.sqrt(3) / 2, 4 * np.sqrt(3) / 2, 7.0])
