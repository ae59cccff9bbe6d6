"""Making the crystals that ship."""

from __future__ import annotations

import json
from importlib.resources import files

from pymatgen.core import Lattice, Structure

from polymorph_references import compute_references, lower
from vitrion.polymorphs.hull import shipped_crystals, shipped_references
from vitrion.potentials import get_potential
from vitrion.potentials.batch import load_batch_potential


def test_a_short_search_does_not_replace_a_better_crystal():
    potential = load_batch_potential("vitrion-lipof", symbols=["Li", "F"])
    rock_salt = shipped_references()["LiF"]
    cesium_chloride = Structure(Lattice.cubic(2.5), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    best = lower([cesium_chloride, rock_salt], potential)
    assert best.get_space_group_info()[1] == 225
    assert abs(best.volume - rock_salt.volume) < 0.2


def test_what_ships_is_at_rest_with_the_potential_that_ships():
    potential = load_batch_potential("vitrion-lipof")
    cells = {name: shipped_crystals()[name] for name in ("LiF", "LiPO2F2 (found here)")}
    again = compute_references(cells, potential)
    for entry, (name, structure) in zip(again, cells.items(), strict=True):
        assert entry["name"] == name
        volume = abs(structure.volume)
        relaxed = Structure(entry["lattice"], entry["species"], entry["fractional"])
        assert abs(relaxed.volume / volume - 1) < 0.02


def test_the_energies_are_those_of_the_potential_that_ships():
    path = files("vitrion.polymorphs") / "data" / "references.json"
    named = json.loads(path.read_text())["potential"]
    assert named["sha256"] == get_potential("vitrion-lipof").sha256
