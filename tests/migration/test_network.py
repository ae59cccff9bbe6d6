"""Percolation of constructed periodic graphs."""

import numpy as np
import pytest

from vitrion.errors import InputError
from vitrion.migration.network import Bond, PeriodicClusters, easiest_loop, percolation


def square_lattice(energies):
    """One site, a bond along each axis."""
    images = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    return [Bond(0, 0, image, e) for image, e in zip(images, energies, strict=True)]


def test_dimension_grows_with_each_axis():
    bonds = square_lattice([0.2, 0.5, 0.9])
    thresholds = [percolation([0.0], bonds, d).threshold_eV for d in (1, 2, 3)]
    assert thresholds == [0.2, 0.5, 0.9]
    assert percolation([0.0], bonds, 3).percentile == 100.0


def test_a_loop_without_winding_does_not_conduct():
    ring = [Bond(0, 1, (0, 0, 0), 0.1), Bond(1, 2, (0, 0, 0), 0.1), Bond(2, 0, (0, 0, 0), 0.1)]
    assert percolation([0.0] * 3, ring) is None


def test_a_loop_through_a_face_and_back_does_not_conduct():
    bonds = [Bond(0, 1, (1, 0, 0), 0.1), Bond(1, 0, (-1, 0, 0), 0.2)]
    assert percolation([0.0, 0.0], bonds) is None
    # But one that comes back through another face does, diagonally.
    assert percolation([0.0, 0.0], [bonds[0], Bond(1, 0, (0, 1, 0), 0.2)]).threshold_eV == 0.2


def test_barrier_counts_from_the_lowest_site_of_the_conducting_cluster():
    # Sites 0 and 1 conduct; site 2 is deeper but cut off by a higher saddle point.
    bonds = [
        Bond(0, 1, (0, 0, 0), 0.3),
        Bond(1, 0, (1, 0, 0), 0.6),
        Bond(2, 0, (0, 0, 0), 1.5),
    ]
    found = percolation([0.1, 0.0, -2.0], bonds)
    assert found.sites == (0, 1)
    assert found.barrier_eV == pytest.approx(0.6)
    assert found.percentile == pytest.approx(200 / 3)


def test_the_easy_detour_wins_over_the_short_way():
    bonds = [Bond(0, 0, (1, 0, 0), 1.0)]
    bonds += [Bond(k, k + 1, (0, 0, 0), 0.4) for k in range(4)]
    bonds += [Bond(4, 0, (1, 0, 0), 0.5)]
    assert percolation([0.0] * 5, bonds).threshold_eV == 0.5


def test_threshold_does_not_depend_on_the_choice_of_cell():
    """The same random network, with each site moved to another image of the cell."""
    rng = np.random.default_rng(3)
    n, m = 30, 120
    bonds = [
        Bond(int(i), int(j), tuple(int(x) for x in image), float(e))
        for i, j, image, e in zip(
            rng.integers(n, size=m),
            rng.integers(n, size=m),
            rng.integers(-1, 2, size=(m, 3)),
            rng.random(m),
            strict=True,
        )
    ]
    shift = rng.integers(-2, 3, size=(n, 3))
    moved = [
        Bond(
            b.start,
            b.end,
            tuple(int(x) for x in np.array(b.image) + shift[b.start] - shift[b.end]),
            b.energy_eV,
        )
        for b in bonds
    ]
    for dimension in (1, 2, 3):
        expected = percolation([0.0] * n, bonds, dimension)
        assert percolation([0.0] * n, moved, dimension) == expected


def test_threshold_agrees_with_counting_copies_in_a_big_supercell():
    """Brute force: repeat the network, and ask whether a site is joined to its far copy."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rng = np.random.default_rng(11)
    n, m, reach = 6, 14, 9

    def connects_copies(bonds):
        rows, columns = [], []
        for x in range(reach):
            for bond in bonds:
                if 0 <= x + bond.image[0] < reach:
                    rows.append(x * n + bond.start)
                    columns.append((x + bond.image[0]) * n + bond.end)
        graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(reach * n,) * 2)
        _, label = connected_components(graph, directed=False)
        label = label.reshape(reach, n)
        return any(len(set(label[:, k])) < reach for k in range(n))

    checked = 0
    for _ in range(30):
        bonds = [
            Bond(int(i), int(j), (int(x), 0, 0), float(e))
            for i, j, x, e in zip(
                rng.integers(n, size=m),
                rng.integers(n, size=m),
                rng.choice([-1, 0, 0, 1], size=m),
                rng.random(m),
                strict=True,
            )
        ]
        found = percolation([0.0] * n, bonds)
        if found is None:
            assert not connects_copies(bonds)
            continue
        checked += 1
        assert connects_copies([b for b in bonds if b.energy_eV <= found.threshold_eV])
        assert not connects_copies([b for b in bonds if b.energy_eV < found.threshold_eV])
    assert checked > 10


def test_clusters_keep_their_members():
    clusters = PeriodicClusters(5)
    clusters.add(0, 3, (0, 0, 0))
    clusters.add(3, 4, (0, 1, 0))
    assert clusters.members(4) == (0, 3, 4)
    assert clusters.dimension(0) == 0
    assert clusters.find(4)[0] == clusters.find(0)[0]


def test_easiest_loop_passes_its_bottleneck():
    bonds = [
        Bond(0, 1, (0, 0, 0), 0.3),
        Bond(1, 2, (0, 0, 0), 0.2),
        Bond(2, 0, (0, 0, 1), 0.6),
        Bond(0, 0, (0, 0, 1), 0.9),
    ]
    found = percolation([0.0] * 3, bonds)
    loop = easiest_loop(3, bonds, found.threshold_eV)
    assert [site for site, _ in loop] == [0, 1, 2]
    assert max(energy for _, energy in loop) == found.threshold_eV


def test_bad_networks_are_refused():
    with pytest.raises(InputError, match="not among"):
        percolation([0.0], [Bond(0, 1, (0, 0, 0), 0.1)])
    with pytest.raises(InputError, match="must be 1, 2 or 3"):
        percolation([0.0], [], dimension=4)
