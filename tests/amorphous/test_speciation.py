import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.glass_crystals import crystal
from vitrion.amorphous.pack import pack, pack_ions
from vitrion.amorphous.speciation import default_formers, intact_ions, speciate
from vitrion.chemistry.bonds import find_bonds, unwrap_molecule
from vitrion.chemistry.ions import known_ion

BOX = Lattice.cubic(20.0)


def place(*molecules):
    """Put molecules, given as (symbols, positions, center), into a large box."""
    symbols = [s for names, _, _ in molecules for s in names]
    positions = np.vstack([np.array(p) + np.array(c) for _, p, c in molecules])
    return Structure(BOX, symbols, positions, coords_are_cartesian=True, to_unit_cell=True)


def at(formula, center):
    ion = known_ion(formula)
    return ion.symbols, ion.positions, center


def without(molecule, index):
    symbols, positions, center = molecule
    keep = [i for i in range(len(symbols)) if i != index]
    return tuple(symbols[i] for i in keep), positions[keep], center


def test_each_phosphorus_is_named_by_its_ligands():
    structure = place(
        at("PO2F2", (0, 0, 0)),
        at("PO2F2", (10, 0, 0)),
        at("PO3F", (0, 10, 0)),
        at("PO4", (0, 0, 10)),
        without(at("PO2F2", (10, 10, 0)), 4),
        (("F",), np.zeros((1, 3)), (10, 10, 10)),
        (("Li",), np.zeros((1, 3)), (11.9, 10, 10)),
    )
    found = speciate(structure)
    assert found.centers == {"P": {"PO2F2": 2, "PO2F": 1, "PO3F": 1, "PO4": 1}}
    assert found.loose == {"F": 1}
    assert found.bridges == {}
    assert found.bridging_per_center == {"P": {"Q0": 5}}
    assert found.fraction("PO2F2") == pytest.approx(0.4)
    assert found.fraction("PF6") == 0
    assert found.molecules["PO2F2"] == 2
    assert "Li" not in found.molecules


def test_bridges_join_tetrahedra():
    structure = place(at("P2O7", (0, 0, 0)), at("PO4", (10, 10, 10)))
    found = speciate(structure)
    assert found.centers == {"P": {"PO4": 3}}
    assert found.bridges == {"P-O-P": 1}
    assert found.bridging_per_center == {"P": {"Q0": 1, "Q1": 2}}
    assert found.molecules == {"P2O7": 1, "PO4": 1}


def test_a_fluorinated_dimer_is_two_po3f_and_a_bridge():
    symbols, positions, center = at("P2O7", (0, 0, 0))
    symbols = list(symbols)
    terminal = [i for i, s in enumerate(symbols) if s == "O"][1:]
    symbols[terminal[0]] = symbols[terminal[-1]] = "F"
    found = speciate(place((tuple(symbols), positions, center)))
    assert found.centers == {"P": {"PO3F": 2}}
    assert found.bridges == {"P-O-P": 1}
    assert found.molecules == {"P2O5F2": 1}


def test_a_bond_between_formers_is_named():
    found = speciate(place(at("P2S6", (0, 0, 0))))
    assert found.direct == {"P-P": 1}
    assert found.centers == {"P": {"PS3": 2}}


def test_quartz_is_a_network_of_q4():
    quartz = crystal("quartz").make_supercell(2)
    found = speciate(quartz)
    assert found.centers == {"Si": {"SiO4": 24}}
    assert found.bridges == {"Si-O-Si": 48}
    assert found.bridging_per_center == {"Si": {"Q4": 24}}
    assert found.loose == {}


def test_calcite_holds_carbonate():
    found = speciate(crystal("calcite"))
    assert found.centers == {"C": {"CO3": 6}}
    assert found.molecules == {"CO3": 6}


@pytest.mark.parametrize(
    ("formula", "formers"),
    [
        ("LiPO2F2", ("P",)),
        ("Li2SO4", ("S",)),
        ("Li3PS4", ("P",)),
        ("LiBH4", ("B",)),
        ("LiNO3", ("N",)),
        ("LiF", ()),
        ("LiOH", ()),
        ("LiAlCl4", ("Al",)),
    ],
)
def test_formers_follow_from_the_elements(formula, formers):
    cell = pack(formula, n_atoms=30, min_side_A=4.0).structure
    assert default_formers(cell.symbol_set) == formers


def test_sulfur_is_a_center_in_sulfate_and_a_ligand_in_thiophosphate():
    found = speciate(place(at("SO4", (0, 0, 0)), at("PS4", (10, 10, 10))))
    assert found.centers == {"P": {"PS4": 1}, "S": {"SO4": 1}}


def test_a_mixed_bridge_names_both_formers():
    phosphate, silicon = known_ion("PO4"), known_ion("SiO4")
    shared = phosphate.positions[1]
    beyond = shared * (1 + 1.63 / 1.54)
    structure = place(
        (phosphate.symbols, phosphate.positions, (5, 5, 5)),
        (("Si",), np.zeros((1, 3)), np.array([5, 5, 5]) + beyond),
    )
    assert speciate(structure).bridges == {"P-O-Si": 1}
    assert len(silicon) == 5


def test_ions_are_intact_until_a_bond_breaks_or_one_too_many_forms():
    cell = pack("LiPO2F2", n_atoms=60, seed=1)
    assert intact_ions(cell.structure, cell.ions) == 1
    phosphorus, oxygen = cell.ions[-1][:2]
    broken = cell.structure.copy()
    step = broken[oxygen].coords - broken[phosphorus].coords
    bonds = find_bonds(broken)
    bond = next(
        vector
        for a, b, vector in zip(bonds.first, bonds.second, bonds.vectors, strict=True)
        if (a, b) == (phosphorus, oxygen)
    )
    assert np.linalg.norm(bond) == pytest.approx(1.48)
    assert step.shape == (3,)
    broken.translate_sites([oxygen], 0.6 * bond, frac_coords=False)
    assert intact_ions(broken, cell.ions) == pytest.approx(0.9)


def test_cells_without_polyanions_have_none_to_break():
    cell = pack("LiF", n_atoms=40)
    assert intact_ions(cell.structure, cell.ions) is None


def test_molecules_unwrap_through_every_face():
    rng = np.random.default_rng(5)
    ion = known_ion("P2O7")
    lattice = Lattice.from_parameters(8, 9, 8.5, 80, 95, 110)
    for _ in range(5):
        shift = rng.random(3) @ lattice.matrix
        structure = Structure(
            lattice,
            ion.symbols,
            ion.positions + shift,
            coords_are_cartesian=True,
            to_unit_cell=True,
        )
        bonds = find_bonds(structure)
        (sites,) = bonds.molecules()
        positions = unwrap_molecule(bonds, sites)
        np.testing.assert_allclose(positions - positions.mean(axis=0), ion.positions, atol=1e-9)


def test_mixed_ions_are_distinguished():
    cell = pack_ions({"Li": 4, "PO2F2": 1, "PO4": 1}, n_atoms=56, seed=2)
    found = speciate(cell.structure)
    assert found.centers == {"P": {"PO2F2": 4, "PO4": 4}}
