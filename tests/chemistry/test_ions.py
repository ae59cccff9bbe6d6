import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Molecule, Structure

from vitrion.chemistry.charges import KNOWN_POLYANIONS
from vitrion.chemistry.ions import (
    CENTRAL_BOND_LENGTHS,
    ion_from_molecule,
    ion_from_smiles,
    ions_from_crystal,
    known_ion,
)
from vitrion.errors import InputError


def distances(positions):
    return np.linalg.norm(positions[:, None] - positions, axis=-1)


def angle(a, b, c):
    u, v = a - b, c - b
    return np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))


@pytest.mark.parametrize("formula", KNOWN_POLYANIONS)
def test_every_polyanion_of_the_chemistry_has_a_geometry(formula):
    ion = known_ion(formula)
    assert Composition("".join(ion.symbols)) == Composition(formula)
    assert ion.charge == KNOWN_POLYANIONS[formula]
    np.testing.assert_allclose(ion.positions.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("formula", "ideal"),
    [("PO2F2", 109.47), ("PO4", 109.47), ("BH4", 109.47), ("CO3", 120.0), ("NO3", 120.0)],
)
def test_ligands_point_to_the_corners_of_a_regular_polyhedron(formula, ideal):
    ion = known_ion(formula)
    for i in range(1, len(ion)):
        length = np.linalg.norm(ion.positions[i] - ion.positions[0])
        assert length == pytest.approx(CENTRAL_BOND_LENGTHS[formula][ion.symbols[i]])
        for j in range(1, i):
            found = angle(ion.positions[i], ion.positions[0], ion.positions[j])
            assert found == pytest.approx(ideal, abs=0.01)


def test_hexafluorophosphate_is_an_octahedron():
    ion = known_ion("PF6")
    ligands = distances(ion.positions)[1:, 1:]
    assert np.sum(np.isclose(ligands, 1.60 * np.sqrt(2))) == 24
    assert np.sum(np.isclose(ligands, 3.20)) == 6


@pytest.mark.parametrize(
    ("formula", "bridge", "bond", "bridge_angle"),
    [("P2O7", "O", 1.61, 130), ("P2S7", "S", 2.12, 109.5)],
)
def test_a_corner_sharing_pair_has_one_bridge_and_tetrahedral_centers(
    formula, bridge, bond, bridge_angle
):
    ion = known_ion(formula)
    centers = [i for i, s in enumerate(ion.symbols) if s == "P"]
    assert ion.symbols[0] == bridge
    for center in centers:
        assert distances(ion.positions)[0, center] == pytest.approx(bond)
    found = angle(ion.positions[centers[0]], ion.positions[0], ion.positions[centers[1]])
    assert found == pytest.approx(bridge_angle)
    for center in centers:
        bound = [i for i in range(len(ion)) if 0 < distances(ion.positions)[center, i] < 2.2]
        assert len(bound) == 4
        for i in bound:
            for j in bound[: bound.index(i)]:
                corner = angle(ion.positions[i], ion.positions[center], ion.positions[j])
                assert corner == pytest.approx(109.47, abs=0.01)


def test_hypothiodiphosphate_is_ethane_like_and_staggered():
    ion = known_ion("P2S6")
    upper, lower = ion.positions[2:5], ion.positions[5:8]
    assert distances(ion.positions)[0, 1] == pytest.approx(2.22)
    azimuths = [np.degrees(np.arctan2(p[:, 1], p[:, 0])) for p in (upper, lower)]
    gaps = np.abs((azimuths[0][:, None] - azimuths[1] + 180) % 360 - 180)
    np.testing.assert_allclose(gaps.min(axis=1), 60, atol=1e-6)


@pytest.mark.parametrize(
    ("formula", "n_bonds", "width"),
    [("B12H12", 30, 2 * 1.693), ("B10H10", 24, 3.73)],  # deltahedra: 3 n - 6 edges
)
def test_cages_of_boron_are_closed_and_their_hydrogen_is_outside(formula, n_bonds, width):
    ion = known_ion(formula)
    half = len(ion) // 2
    boron = distances(ion.positions[:half])
    assert np.sum(np.triu((boron > 1.65) & (boron < 1.9))) == n_bonds
    assert boron.max() == pytest.approx(width, abs=0.01)
    assert boron[boron > 0].min() > 1.65
    to_boron = distances(ion.positions)[half:, :half]
    np.testing.assert_allclose(to_boron.min(axis=1), 1.20, atol=1e-9)
    assert np.sum(to_boron < 2.0) == half
    hydrogen = distances(ion.positions[half:])
    assert hydrogen[hydrogen > 0].min() > 2.3


def test_ions_of_a_crystal_are_taken_whole_across_the_faces_of_its_cell():
    anion = known_ion("PO2F2")
    lattice = Lattice.from_parameters(6.0, 6.4, 7.1, 85, 98, 103)
    at_corner = anion.positions + np.array([0.1, 0.2, 0.0])
    positions = np.vstack([at_corner, lattice.get_cartesian_coords([[0.5, 0.5, 0.5]])])
    crystal = Structure(
        lattice,
        [*anion.symbols, "Li"],
        positions,
        coords_are_cartesian=True,
        to_unit_cell=True,
    )
    found = {ion.formula: (ion, n) for ion, n in ions_from_crystal(crystal)}
    assert {formula: n for formula, (_, n) in found.items()} == {"PO2F2": 1, "Li": 1}
    taken = found["PO2F2"][0]
    assert taken.charge == -1
    np.testing.assert_allclose(
        np.sort(distances(taken.positions), axis=None),
        np.sort(distances(anion.positions), axis=None),
    )


def test_an_extended_framework_is_not_an_ion():
    quartz = Structure.from_spacegroup(
        "P3_221",
        Lattice.hexagonal(4.916, 5.405),
        ["Si", "O"],
        [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]],
    )
    with pytest.raises(InputError, match="framework"):
        ions_from_crystal(quartz)


def test_a_molecule_keeps_geometry_and_charge():
    molecule = Molecule(["N", "O"], [[0, 0, 0], [0, 0, 1.15]], charge=1)
    ion = ion_from_molecule(molecule)
    assert (ion.formula, ion.charge) == ("NO", 1)
    assert ion.diameter_A == pytest.approx(1.15)


def test_smiles_gives_a_triflate_or_says_what_is_missing():
    smiles = "[O-]S(=O)(=O)C(F)(F)F"
    try:
        import rdkit  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match="RDKit"):
            ion_from_smiles(smiles)
        return
    ion = ion_from_smiles(smiles)
    assert ion.charge == -1
    assert sorted(ion.symbols) == sorted(["S", "C"] + ["O"] * 3 + ["F"] * 3)


def test_an_unknown_ion_is_refused():
    with pytest.raises(InputError, match="is unknown"):
        known_ion("PO9")
