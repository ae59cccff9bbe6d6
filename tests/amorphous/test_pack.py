from itertools import product

import numpy as np
import pytest
from pymatgen.core import Composition

from vitrion.amorphous.contents import plan_composition
from vitrion.amorphous.pack import pack, pack_ions
from vitrion.amorphous.packmol import contact_radius
from vitrion.amorphous.start_cell import replica_seeds
from vitrion.amorphous.volume import default_volume_per_atom
from vitrion.chemistry.ions import known_ion
from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.errors import InputError

COMPOSITIONS = {
    "LiPO2F2": {"Li": 10, "PO2F2": 10},
    "Li3PO4": {"Li": 24, "PO4": 8},
    "Li2P2O5F2": {"Li": 12, "PO2F2": 6, "PO3": 6},  # 2 LiF + P2O5
    "Li4P2O7": {"Li": 20, "P2O7": 5},
    "LiBH4": {"Li": 10, "BH4": 10},
    "LiAsF6": {"Li": 8, "AsF6": 8},
    "Li4P2S6": {"Li": 20, "P2S6": 5},
    "Li2O2": {"Li": 30, "O2": 15},
    "SiO2": {},
    "LiF": {},
}

DENSITIES = {  # g/cm3 of the crystals at room temperature
    "LiF": 2.64, "Li2O": 2.01, "Li3PO4": 2.46, "Li2CO3": 2.11, "LiPF6": 2.84, "LiCl": 2.07,
    "LiBr": 3.46, "LiI": 4.06, "LiBH4": 0.666, "LiClO4": 2.43, "LiNO3": 2.38, "Li2SO4": 2.21,
    "Li2S": 1.64, "Li3PS4": 1.87, "NaF": 2.78, "NaCl": 2.17, "Na2CO3": 2.54, "Na3PO4": 2.54,
    "KF": 2.48, "KCl": 1.99, "MgO": 3.60, "MgF2": 3.15, "CaF2": 3.18, "CaO": 3.34, "SiO2": 2.65,
    "P2O5": 2.39, "LiPO3": 2.46, "Li4P2O7": 2.35, "Li2SiO3": 2.52, "AlF3": 3.10,
    "Li3OCl": 2.01, "Li3OBr": 2.98, "Ag3SI": 6.81, "LiNbOCl4": 2.78, "LaOCl": 5.4, "CuSO4": 3.60,
    "RbAg4I5": 5.39, "Li6PS5Cl": 1.86, "KClO3": 2.32, "Li2O2": 2.31, "LiOH": 1.46, "KH2PO4": 2.34,
    "Li2B12H12": 1.18, "Na2B12H12": 1.19,
}  # fmt: skip


def images_distances(structure):
    """All distances between atoms and images of atoms, by brute force: (27, n, n)."""
    shifts = np.array(list(product((-1, 0, 1), repeat=3))) @ structure.lattice.matrix
    positions = structure.cart_coords
    return np.linalg.norm(
        positions[None, None] + shifts[:, None, None] - positions[None, :, None], axis=-1
    )


@pytest.mark.parametrize("formula", COMPOSITIONS)
def test_contacts_density_and_ions_of_a_packed_cell(formula):
    cell = pack(formula, n_atoms=60, seed=3)
    structure = cell.structure
    composition = Composition(formula)
    assert structure.composition.reduced_composition == composition.reduced_composition
    assert 60 <= len(structure) < 60 + composition.num_atoms
    assert structure.volume / len(structure) == pytest.approx(default_volume_per_atom(composition))
    assert cell.volume_per_atom_A3 == pytest.approx(structure.volume / len(structure))
    assert cell.ion_counts() == COMPOSITIONS[formula]
    assert cell.unit == ("ions" if COMPOSITIONS[formula] else "atoms")

    groups = cell.ions or [(i,) for i in range(len(structure))]
    label = np.empty(len(structure), dtype=int)
    for k, sites in enumerate(groups):
        label[list(sites)] = k
    separation = images_distances(structure)
    separation[:, label[:, None] == label] = np.inf
    radii = np.array([contact_radius(site.specie.symbol) for site in structure])
    assert separation.min() == pytest.approx(cell.shortest_contact_A, abs=1e-6)
    # packmol was given these contacts, scaled by 0.75 at the very least
    assert np.all(separation.min(axis=0) > 0.74 * (radii[:, None] + radii))
    assert separation.min() > 1.5


@pytest.mark.parametrize("formula", ["Na2B12H12", "Na2B10H10"])
def test_cages_of_boron_are_packed_whole(formula):
    cell = pack(formula, n_atoms=80, seed=3)
    assert cell.ion_counts() == {"Na": 8, formula.removeprefix("Na2"): 4}


def test_packed_ions_keep_their_bond_lengths_and_angles():
    cell = pack("LiPO2F2", n_atoms=60, seed=8)
    ideal = known_ion("PO2F2").positions
    expected = np.linalg.norm(ideal[:, None] - ideal, axis=-1)
    nearest = images_distances(cell.structure).min(axis=0)
    polyanions = [list(sites) for sites in cell.ions if len(sites) > 1]
    assert len(polyanions) == 10
    for sites in polyanions:
        # all ten distances fix all bond lengths and angles
        np.testing.assert_allclose(nearest[np.ix_(sites, sites)], expected, atol=1e-4)


def test_the_seed_decides_the_cell():
    first, again, other = (pack("LiPO2F2", n_atoms=48, seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.structure.cart_coords, again.structure.cart_coords)
    assert np.abs(first.structure.cart_coords - other.structure.cart_coords).max() > 1.0


def test_replica_seeds_are_distinct_and_reproducible():
    seeds = replica_seeds(11, 5)
    assert len(set(seeds)) == 5
    assert seeds == replica_seeds(11, 5)
    assert replica_seeds(11, 2) == seeds[:2]
    assert not set(seeds) & set(replica_seeds(12, 5))


def test_ions_are_oriented_at_random():
    cell = pack("LiPO2F2", n_atoms=240, seed=1)
    lattice = cell.structure.lattice
    axes = []
    for sites in cell.ions:
        if len(sites) > 1:
            step = cell.structure.frac_coords[sites[1]] - cell.structure.frac_coords[sites[0]]
            axes.append((step - np.round(step)) @ lattice.matrix)
    unit = np.array(axes) / np.linalg.norm(axes, axis=1, keepdims=True)
    # the mean of n random unit vectors has a length of about 1 / sqrt(n); 3 sigma of it
    assert np.linalg.norm(unit.mean(axis=0)) < 3 / np.sqrt(len(unit))


@pytest.mark.parametrize("formula", DENSITIES)
def test_volume_increments_reproduce_measured_densities(formula):
    composition = Composition(formula)
    grams = float(composition.weight) / composition.num_atoms / 0.602214
    predicted = grams / crystal_volume_per_atom(composition)
    assert predicted == pytest.approx(DENSITIES[formula], rel=0.2)


def test_default_volumes_of_known_glasses_and_melts():
    assert default_volume_per_atom(Composition("LiPO2F2")) == pytest.approx(15.1, abs=0.1)
    # silica glass has 2.20 g/cm3, molten LiF 1.81 g/cm3: packed cells are near them
    assert default_volume_per_atom(Composition("SiO2")) == pytest.approx(15.1, rel=0.1)
    assert default_volume_per_atom(Composition("LiF")) == pytest.approx(11.9, rel=0.1)


def test_named_ions_are_packed_in_the_proportions_given():
    cell = pack_ions({"Li": 3, "PO2F2": 1, "CO3": 1}, n_atoms=48, seed=0)
    counts = cell.ion_counts()
    assert counts["Li"] == 3 * counts["PO2F2"] == 3 * counts["CO3"]


def test_atoms_on_request_have_no_molecules():
    cell = pack("LiPO2F2", n_atoms=48, unit="atoms", seed=2)
    assert cell.unit == "atoms"
    assert cell.ions == []
    assert cell.shortest_contact_A > 1.5


def test_what_is_packed_by_default():
    assert plan_composition("LiPO2F2").unit == "ions"
    assert plan_composition("LiF").unit == "atoms"
    assert plan_composition("SiO2").unit == "atoms"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"volume_per_atom_A3": 2.0}, "is outside"),
        ({"volume_per_atom_A3": 500.0}, "is outside"),
        ({"volume_per_atom_A3": 8.9}, "is outside"),
        ({"n_atoms": 6}, "at least .* atoms"),
        ({"n_atoms": 48, "min_side_A": 12.0}, "cutoff"),
        ({"n_atoms": 0}, "must be positive"),
    ],
)
def test_impossible_requests_are_refused(kwargs, message):
    with pytest.raises(InputError, match=message):
        pack("LiPO2F2", **kwargs)


def test_the_number_of_atoms_named_in_a_refusal_is_enough():
    with pytest.raises(InputError) as refusal:
        plan_composition("LiPO2F2", n_atoms=24, min_side_A=11.0)
    needed = int(str(refusal.value).split("at least ")[1].split()[0])
    plan_composition("LiPO2F2", n_atoms=needed, min_side_A=11.0)


def test_unknown_ions_and_charges_are_refused():
    with pytest.raises(InputError, match="known ions"):
        pack("SiO2", unit="ions")
    with pytest.raises(InputError, match="charge of \\+1"):
        pack_ions({"Li": 2, "PO2F2": 1})


@pytest.mark.parametrize(
    "named",
    [None, {"Li": 1, "TFSI": 1}, {"Li": 1, "C2S2NO4F6": 1}],
    ids=["known", "name", "formula"],
)
def test_molecular_ions_are_packed_whole(named):
    packed = pack("LiN(SO2CF3)2", n_atoms=80, seed=2, ions=named)
    assert packed.unit == "ions"
    assert sorted({len(ion) for ion in packed.ions}) == [1, 15]
    assert len(packed.structure) == 80


def test_named_ions_must_be_the_composition():
    with pytest.raises(InputError, match=r"The ions Li, TFSI make LiC2S2N.*, not LiF"):
        plan_composition("LiF", ions={"Li": 1, "TFSI": 1})
