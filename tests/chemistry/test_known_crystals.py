"""The cells of known crystals are those of their sources."""

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from pymatgen.core import Composition
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from vitrion.chemistry.crystals import known_crystals

CRYSTALS = known_crystals()
ELEMENTS = {"graphite": "C"}


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_cell_has_the_formula_of_its_name_and_no_close_atoms(name):
    atoms = CRYSTALS[name]
    found = Composition(str(atoms.symbols)).reduced_formula
    assert found == Composition(ELEMENTS.get(name, name)).reduced_formula
    assert neighbor_list("d", atoms, 4.0).min() > 1.1


@pytest.mark.parametrize(
    ("name", "group", "density_g_per_cm3"),
    [("Li6PS5Cl", "F-43m", 1.86), ("Na3PS4", "I-43m", 2.21)],
)
def test_thiophosphates_have_their_symmetry_density_and_tetrahedra(name, group, density_g_per_cm3):
    atoms = CRYSTALS[name]
    structure = AseAtomsAdaptor.get_structure(atoms)
    assert SpacegroupAnalyzer(structure).get_space_group_symbol() == group
    assert structure.density == pytest.approx(density_g_per_cm3, abs=0.01)
    first, distances = neighbor_list("id", atoms, 2.3)
    of_phosphorus = distances[atoms.symbols[first] == "P"]
    n_phosphorus = int(np.sum(atoms.symbols == "P"))
    assert of_phosphorus == pytest.approx([2.05] * 4 * n_phosphorus, abs=0.01)
