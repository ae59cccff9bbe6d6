"""Voids and symmetry of lattices whose answer is known."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.chemistry.geometry import merge_points, minimum_image, nearest_atom_distances
from vitrion.defects.sites import candidate_sites
from vitrion.defects.symmetry import SpaceGroup, hop_orbits, orbit, site_orbits
from vitrion.defects.voids import grid_voids, voronoi_voids

A = 4.0


@pytest.fixture
def fcc() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(A), ["Ar"], [[0, 0, 0]])


@pytest.fixture
def rocksalt() -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.03), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def test_vacuum_has_no_sites(rocksalt):
    layer = Structure(
        Lattice.orthorhombic(4.03, 4.03, 30.0),
        rocksalt.species,
        rocksalt.cart_coords,
        coords_are_cartesian=True,
    )
    assert max(site.radius_A for site in candidate_sites(layer)) < 5.5


@pytest.mark.parametrize("primitive", [True, False])
def test_voids_of_fcc_are_octahedral_and_tetrahedral(fcc, primitive):
    structure = fcc.get_primitive_structure() if primitive else fcc
    frac, radii = voronoi_voids(structure, min_radius_A=1.0)
    n_cells = len(structure)
    octahedral = np.isclose(radii, A / 2)
    tetrahedral = np.isclose(radii, A * np.sqrt(3) / 4)
    assert octahedral.sum() == n_cells
    assert tetrahedral.sum() == 2 * n_cells
    assert len(frac) == 3 * n_cells
    cartesian = frac @ structure.lattice.matrix
    conventional = cartesian / A
    # Octahedral: an odd number of half lattice constants; tetrahedral: odd quarters.
    assert np.allclose((conventional[octahedral].sum(axis=1) * 2) % 2, 1)
    assert np.allclose((conventional[tetrahedral] * 4) % 2, 1)


def test_voids_survive_a_skewed_cell(fcc):
    skewed = fcc.get_primitive_structure()
    skewed.make_supercell([[1, 0, 0], [2, 1, 0], [3, -2, 1]])
    _, radii = voronoi_voids(skewed, min_radius_A=1.0)
    assert sorted(np.round(radii, 6)) == sorted(np.round([A / 2, *[A * 3**0.5 / 4] * 2], 6))


def test_a_void_wider_than_the_first_padding_is_measured_right():
    lonely = Structure(Lattice.cubic(16.0), ["Ar"], [[0, 0, 0]])
    frac, radii = voronoi_voids(lonely)
    assert radii[0] == pytest.approx(8 * np.sqrt(3))
    assert np.allclose(frac[0], 0.5)


def test_grid_points_keep_their_distance(rocksalt):
    frac, radii = grid_voids(rocksalt, min_radius_A=1.4, merge_A=1.0)
    assert np.all(radii >= 1.4)
    assert np.allclose(radii, nearest_atom_distances(frac, rocksalt))
    gaps = rocksalt.lattice.get_all_distances(frac, frac)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() > 1.0
    # The widest point of the grid is near the tetrahedral void.
    assert radii[0] == pytest.approx(4.03 * np.sqrt(3) / 4, abs=0.2)


def test_merging_does_not_collapse_a_chain_and_sees_the_cell_boundary():
    matrix = np.diag([10.0, 10.0, 10.0])
    chain = np.array([[x, 0.0, 0.0] for x in (0.0, 0.06, 0.12, 0.99)])
    assert merge_points(chain, matrix, 1.0).tolist() == [0, 2]


def test_minimum_image_in_a_skewed_cell_is_the_shortest():
    lattice = Lattice.from_parameters(4, 5, 6, 62, 75, 110)
    rng = np.random.default_rng(0)
    start, end = rng.random((2, 40, 3))
    vectors = minimum_image(start, end, lattice.matrix)
    expected = [lattice.get_all_distances(s, e)[0, 0] for s, e in zip(start, end, strict=True)]
    assert np.allclose(np.linalg.norm(vectors, axis=1), expected)


def test_multiplicities_are_those_of_the_wyckoff_positions(rocksalt):
    group = SpaceGroup.of(rocksalt)
    matrix = rocksalt.lattice.matrix
    assert len(orbit(np.array([0.25, 0.25, 0.25]), group, matrix)) == 8
    assert len(orbit(np.array([0.0, 0.25, 0.25]), group, matrix)) == 24
    # A point a little off the position is moved onto it.
    near = orbit(np.array([0.255, 0.248, 0.251]), group, matrix)
    assert len(near) == 8
    assert np.allclose((near * 4) % 2, 1)


def test_voids_of_rocksalt_are_one_orbit(rocksalt):
    frac, _ = voronoi_voids(rocksalt)
    orbits = site_orbits(frac, SpaceGroup.of(rocksalt), rocksalt.lattice.matrix)
    assert [len(o) for o in orbits] == [8]


def test_hops_of_fcc_ions_are_one_orbit_and_those_to_second_neighbors_another(rocksalt):
    lithium = np.array([s.frac_coords for s in rocksalt if s.specie.symbol == "Li"])
    hops = []
    for i in range(len(lithium)):
        for j in range(i, len(lithium)):
            for image in np.ndindex(3, 3, 3):
                shift = np.array(image) - 1
                distance = np.linalg.norm((lithium[j] + shift - lithium[i]) * 4.03)
                if 0.1 < distance < 4.1 and (i < j or tuple(shift) > (0, 0, 0)):
                    hops.append((i, j, tuple(shift.tolist())))
    groups = hop_orbits(lithium, hops, SpaceGroup.of(rocksalt), rocksalt.lattice.matrix)
    # 4 ions, each with 12 first and 6 second neighbors, every pair counted once.
    assert sorted(len(g) for g in groups) == [12, 24]


def test_inpainted_ions_become_candidate_sites(rocksalt):
    from vitrion.defects.inpainted import inpainted_sites
    from vitrion.defects.sites import candidate_sites

    points = inpainted_sites(rocksalt, "Li", n=2, seed=1)
    assert points.shape == (2, 3)
    assert np.array_equal(points, inpainted_sites(rocksalt, "Li", n=2, seed=1))
    void = np.array([[0.26, 0.25, 0.25]])
    sites = candidate_sites(
        rocksalt, SpaceGroup.of(rocksalt), sources=(), given={"inpainted": void}
    )
    assert [(site.source, site.multiplicity) for site in sites] == [("inpainted", 8)]
