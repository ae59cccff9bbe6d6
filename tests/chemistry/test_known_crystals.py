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


def test_the_argyrodite_has_its_symmetry_density_and_tetrahedra():
    atoms = CRYSTALS["Li6PS5Cl"]
    structure = AseAtomsAdaptor.get_structure(atoms)
    assert SpacegroupAnalyzer(structure).get_space_group_symbol() == "F-43m"
    assert structure.density == pytest.approx(1.86, abs=0.01)
    first, distances = neighbor_list("id", atoms, 2.3)
    of_phosphorus = distances[atoms.symbols[first] == "P"] if len(first) else np.empty(0)
    assert of_phosphorus == pytest.approx([2.05] * 4, abs=0.01)
