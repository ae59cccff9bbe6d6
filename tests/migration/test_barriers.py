"""Hops, bands and barriers of toy landscapes with known answers."""

from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Lattice, Structure

from vitrion.defects.document import BarrierNetwork
from vitrion.defects.energies import EnergySettings, defect_energies
from vitrion.defects.enumeration import vacancies
from vitrion.defects.host import prepare_host
from vitrion.defects.operations import DefectOperation
from vitrion.defects.sites import Site, density_peaks
from vitrion.defects.symmetry import SpaceGroup
from vitrion.errors import InputError
from vitrion.landscape.ion_density import density_barrier
from vitrion.migration.attempt_frequencies import AttemptFrequencies
from vitrion.migration.bands import interpolate
from vitrion.migration.barriers import (
    Carriers,
    barrier_network,
    interstitial_carriers,
    vacancy_carriers,
)
from vitrion.migration.elastic_band import ElasticBand
from vitrion.migration.hops import direct_hops, distinct_hops
from vitrion.relaxation.relaxers import FixedCellRelaxer
from vitrion.runtime.cache import ResultCache
from vitrion.transport.constants import KB_EV_PER_K

A = 4.0
HEIGHT = (0.30, 0.50, 0.80)
"""Barrier of the periodic field along x, y and z, eV."""


class Field(Calculator):
    """Ions in an outer field ``sum_k h_k sin^2(pi x_k / A)``, bound to nothing else.

    Minima on the lattice of constant A; the saddle between neighbors along axis k is h_k high.
    Framework atoms are held where they are, at the body centers.
    """

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        h = np.array(HEIGHT)
        x = self.atoms.positions
        free = np.array([s == "Li" for s in self.atoms.get_chemical_symbols()])
        spring = np.where(free[:, None], 0.0, x - np.round(x / A - 0.5) * A - A / 2)
        phase = np.pi * x / A
        energy = (h * np.sin(phase) ** 2)[free].sum() + 0.5 * (spring**2).sum()
        forces = np.where(free[:, None], -h * np.pi / A * np.sin(2 * phase), 0) - spring
        self.results = {"energy": energy, "forces": forces}


class Bands:
    """Relaxes bands and counts them."""

    def __init__(self, calculator):
        self.relax = ElasticBand(calculator, fmax_eV_per_A=0.01)
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        return self.relax(images)


@pytest.fixture
def cubic():
    """Return simple cubic Li in a body-centered framework."""
    return Structure(Lattice.cubic(A), ["Li", "Xe"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def relax_field():
    return FixedCellRelaxer(Field(), fmax_eV_per_A=0.005)


def test_direct_hops_of_simple_cubic_fcc_and_bcc():
    cubic = direct_hops(np.zeros((1, 3)), np.eye(3) * A, max_length_A=8.0)
    assert [h.length_A for h in cubic] == pytest.approx([A] * 3)
    fcc = Lattice.from_parameters(A, A, A, 60, 60, 60)
    assert len(direct_hops(np.zeros((1, 3)), fcc.matrix, max_length_A=8.0)) == 6
    bcc = direct_hops(np.array([[0, 0, 0], [0.5] * 3]), np.eye(3) * A, max_length_A=8.0)
    assert [h.length_A for h in bcc] == pytest.approx([A * 3**0.5 / 2] * 8)


def test_hops_in_a_crystal_fall_into_orbits(cubic):
    cell = cubic.copy()
    cell.make_supercell([2, 1, 1])
    sites = np.array([s.frac_coords for s in cell if s.specie.symbol == "Li"])
    matrix = cell.lattice.matrix
    hops = direct_hops(sites, matrix)
    assert len(hops) == 6
    groups = distinct_hops(
        direct_hops(np.zeros((1, 3)), cubic.lattice.matrix),
        np.zeros((1, 3)),
        SpaceGroup.of(cubic),
        cubic.lattice.matrix,
    )
    assert [len(g) for g in groups] == [3]


def test_images_take_the_short_way_and_keep_the_ends(cubic):
    cell = cubic.copy()
    cell.make_supercell(2)
    end = cell.copy()
    end.translate_sites([0], [-0.1, 0, 0], to_unit_cell=True)
    images = interpolate(cell, end, 3)
    x = [image[0].frac_coords[0] - cell[0].frac_coords[0] for image in images]
    assert x == pytest.approx([0, -0.025, -0.05, -0.075, -0.1])


def test_images_of_a_kick_out_are_two_short_moves(cubic):
    """An ion comes from the left, its neighbor leaves to the right: no ion has to pass another."""
    cell = cubic.copy()
    cell.make_supercell([3, 2, 2])
    start = cell.copy()
    start.append("Li", [0.08, 0.1, 0.1])
    end = cell.copy()
    end.append("Li", [0.25, 0.1, 0.1])
    traded = interpolate(start, end, 1, mobile="Li")
    moved = [np.linalg.norm(traded[-1][k].coords - traded[0][k].coords) for k in range(len(start))]
    assert sum(m**2 for m in moved) <= (0.17 * 3 * A) ** 2 + 1e-9


def test_atoms_that_would_collide_are_spread_out():
    cell = Structure(Lattice.cubic(9.0), ["Li", "Xe"], [[0.2, 0.5, 0.5], [0.5, 0.5, 0.505]])
    end = cell.copy()
    end[1].frac_coords = [0.5, 0.52, 0.505]
    end[0].frac_coords = [0.69, 0.5, 0.5]
    images = interpolate(cell, end, 3)
    assert min(image.distance_matrix[0, 1] for image in images) > 1.0


def test_ends_that_do_not_match_are_refused(cubic):
    other = cubic.copy()
    other.replace(0, "Na")
    with pytest.raises(InputError, match="same atoms"):
        interpolate(cubic, other, 3)
    with pytest.raises(InputError, match="at least one image"):
        interpolate(cubic, cubic, 0)


def test_vacancy_barriers_of_a_known_field_percolate_in_order(cubic, relax_field, tmp_path):
    """The field is not cubic, so the three axes conduct one after the other."""
    host = field_host(cubic, relax_field)
    settings = EnergySettings(rattle_A=0.0)
    defects = defect_energies(host, vacancies(host)[:1], relax_field, settings)
    carriers = vacancy_carriers(host, defects)
    bands = Bands(Field())
    path = tmp_path / "bands.jsonl"
    network = barrier_network(
        host, carriers, relax_field, bands, settings, n_between=3, cache=ResultCache(path)
    )
    assert sorted(h.forward_barrier_eV for h in network.hops) == pytest.approx(HEIGHT, abs=5e-3)
    assert [p.barrier_eV for p in network.percolation] == pytest.approx(HEIGHT, abs=5e-3)
    assert [p.percentile for p in network.percolation] == pytest.approx([100 / 3, 200 / 3, 100])
    assert len(network.path) == 1
    assert all(h.converged for h in network.hops)
    again = barrier_network(
        host, carriers, relax_field, bands, settings, n_between=3, cache=ResultCache(path)
    )
    assert again == network
    assert bands.calls == 3
    barrier_network(
        host,
        carriers,
        relax_field,
        bands,
        settings,
        n_between=3,
        cache=ResultCache(path),
        band_context="more steps",
    )
    assert bands.calls == 6


def test_symmetry_saves_bands_and_keeps_their_number(cubic):
    field = Field()
    relax = FixedCellRelaxer(field, fmax_eV_per_A=0.005)
    host = prepare_host(cubic, "Li", relax, supercell_side_A=8.0)
    settings = EnergySettings(rattle_A=0.0)
    carriers = vacancy_carriers(host, defect_energies(host, vacancies(host), relax, settings))
    bands = Bands(field)
    network = barrier_network(host, carriers, relax, bands, settings, n_between=3)
    assert bands.calls == 1
    assert [h.multiplicity for h in network.hops] == [3]
    assert network.percolation[-1].dimension == 3


def field_host(cubic, relax):
    """Return a host whose symmetry is off, since the field is not cubic."""
    host = prepare_host(cubic, "Li", relax, phase="crystalline", supercell_side_A=8.0)
    return replace(host, group=SpaceGroup(np.eye(3)[None], np.zeros((1, 3))))


class Row(Calculator):
    """Li in rows along x, period 8 A, over barriers of 0.3 eV (3.5 A long) and 0.6 eV (4.5 A)."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        period, short = 8.0, 3.5
        position = self.atoms.positions
        free = np.array([s == "Li" for s in self.atoms.get_chemical_symbols()])
        x = position[:, 0] % period
        first = x < short
        height = np.where(first, 0.3, 0.6)
        width = np.where(first, short, period - short)
        phase = np.pi * np.where(first, x, x - short) / width
        center = np.where(free, 0.0, period / 2)[:, None]
        spring = position - center - np.round((position - center) / period) * period
        spring[free, 0] = 0.0
        field = np.where(free, height, 0.0)
        forces = -spring
        forces[:, 0] -= field * np.pi / width * np.sin(2 * phase)
        energy = (field * np.sin(phase) ** 2).sum() + 0.5 * (spring**2).sum()
        self.results = {"energy": float(energy), "forces": forces}


@pytest.mark.parametrize(("side", "barriers"), [(8.0, [0.3]), (10.0, [0.3, 0.6])])
def test_a_hop_with_a_shorter_image_is_excluded(side, barriers):
    """In a cell of one period the long hop would get the barrier of the short one."""
    cell = Structure(
        Lattice.cubic(8.0), ["Li", "Li", "Xe"], [[0, 0, 0], [3.5 / 8, 0, 0], [0.5, 0.5, 0.5]]
    )
    relax, settings = FixedCellRelaxer(Row(), fmax_eV_per_A=0.005), EnergySettings(rattle_A=0.0)
    host = prepare_host(cell, "Li", relax, supercell_side_A=side)
    defects = defect_energies(host, vacancies(host), relax, settings)
    network = barrier_network(
        host, vacancy_carriers(host, defects), relax, Bands(Row()), settings, max_length_A=5.0
    )
    assert [h.forward_barrier_eV for h in network.hops] == pytest.approx(barriers, abs=5e-3)
    assert [p.barrier_eV for p in network.percolation] == pytest.approx(barriers[1:], abs=5e-3)
    assert network.n_skipped == 2 - len(barriers)


class Ridge(Calculator):
    """Li along x over ``0.4 sin^2 + (cos^2 - 0.5) y^2 + y^4``, with straight paths on a ridge.

    The field moves with the Xe atoms.
    """

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        free = np.array([s == "Li" for s in self.atoms.get_chemical_symbols()])
        period = np.array([4.0, 8.0, 8.0])
        moved = self.atoms.positions - np.where(free[:, None], 0.0, period / 2)
        moved -= np.round(moved / period) * period
        moved -= moved[~free].mean(axis=0)
        (x, y, z), spring = moved[free].T, moved[~free]
        sine, cosine = np.sin(np.pi * x / 4), np.cos(np.pi * x / 4)
        energy = 0.4 * sine**2 + (cosine**2 - 0.5) * y**2 + y**4 + 0.5 * z**2
        forces = np.zeros_like(moved)
        forces[free, 0] = -np.pi / 2 * sine * cosine * (0.4 - y**2)
        forces[free, 1] = -2 * (cosine**2 - 0.5) * y - 4 * y**3
        forces[free, 2] = -z
        forces[~free] = -spring - forces[free].sum(axis=0) / len(spring)
        self.results = {"energy": float(energy.sum() + 0.5 * np.sum(spring**2)), "forces": forces}


@pytest.mark.parametrize("vibrate", [None, Ridge()])
def test_a_band_on_a_ridge_is_moved_over_the_saddle_point_beside_it(vibrate):
    places = [[0, 0, 0], [0.5, 0.5, 0.5]]
    cell = Structure(Lattice.orthorhombic(4.0, 8.0, 8.0), ["Li", "Xe"], places)
    relax, settings = FixedCellRelaxer(Ridge(), fmax_eV_per_A=0.005), EnergySettings(rattle_A=0.0)
    host = prepare_host(cell, "Li", relax, supercell_side_A=8.0)
    network = barrier_network(
        host,
        vacancy_carriers(host, defect_energies(host, vacancies(host), relax, settings)),
        relax,
        ElasticBand(Ridge(), fmax_eV_per_A=0.01),
        settings,
        n_between=3,
        max_length_A=4.5,
        vibrate=vibrate,
    )
    (hop,) = network.hops
    assert hop.converged
    assert hop.attempt_frequency_failure is None
    assert hop.forward_barrier_eV == pytest.approx(0.4 - 1 / 16, abs=5e-3)
    assert max(hop.profile_eV) == hop.forward_barrier_eV


def ridge_images():
    """Return the images of a hop over a ridge."""
    places = [[0, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]
    start = Structure(Lattice.cubic(8.0), ["Li", "Xe", "Xe"], places)
    end = start.copy()
    end[0].frac_coords = [0.5, 0, 0]
    return interpolate(start, end, 3)


def test_both_paths_beside_a_ridge_count():
    images = ridge_images()
    band = ElasticBand(Ridge(), fmax_eV_per_A=0.01)(images)
    assert band.n_paths == 2
    frequencies = AttemptFrequencies(Ridge())
    both, one = (
        frequencies.of_hop((0, 0), images[0], images[-1], found)
        for found in (band, replace(band, n_paths=1))
    )
    assert both["forward_Hz"] == 2 * one["forward_Hz"]


def test_a_band_whose_sides_do_not_relax_is_not_converged():
    """The straight band has no force across it; the bands beside the ridge need steps."""
    band = ElasticBand(Ridge(), fmax_eV_per_A=0.01, max_steps=1)(ridge_images())
    assert band.height_eV == pytest.approx(0.4)
    assert not band.converged


def test_sites_without_hops_do_not_percolate(cubic, relax_field):
    host = prepare_host(cubic, "Li", relax_field, supercell_side_A=8.0)
    carriers = Carriers("vacancy", np.zeros((1, 3)), np.zeros(1))
    settings = EnergySettings(rattle_A=0.0)
    network = barrier_network(
        host, carriers, relax_field, Bands(Field()), settings, max_length_A=3.0
    )
    assert (network.hops, network.percolation, network.barriers) == ([], [], None)


def test_a_band_that_did_not_relax_leaves_an_upper_bound(cubic, relax_field):
    """Without the easiest axis the other two are left, at their own barriers."""
    host = field_host(cubic, relax_field)
    settings = EnergySettings(rattle_A=0.0)
    vacant = defect_energies(host, vacancies(host)[:1], relax_field, settings)
    bands = Bands(Field())

    def unlucky(images):
        band = bands(images)
        height = max(band.energies_eV) - band.energies_eV[0]
        return replace(band, converged=height > 0.4)

    carriers = vacancy_carriers(host, vacant)
    network = barrier_network(host, carriers, relax_field, unlucky, settings, n_between=3)
    assert sorted(hop.converged for hop in network.hops) == [False, True, True]
    assert (network.n_unconverged, network.n_merged) == (1, 0)
    assert network.barriers.n == 4
    assert network.barriers.minimum_eV == pytest.approx(HEIGHT[1], abs=5e-3)
    assert [p.barrier_eV for p in network.percolation] == pytest.approx(HEIGHT[1:], abs=5e-3)
    assert [p.percentile for p in network.percolation] == [50, 100]
    old = network.model_dump(exclude={"n_unconverged": True, "n_merged": True})
    for hop in old["hops"]:
        del hop["merged"]
    assert BarrierNetwork.model_validate(old).n_unconverged == 0


def test_hops_whose_ends_did_not_relax_do_not_count(cubic, relax_field):
    host = field_host(cubic, relax_field)
    vacant = defect_energies(host, vacancies(host)[:1], relax_field, EnergySettings(rattle_A=0.0))
    frozen = FixedCellRelaxer(Field(), fmax_eV_per_A=0.005, max_steps=0)
    network = barrier_network(
        host,
        vacancy_carriers(host, vacant),
        frozen,
        Bands(Field()),
        EnergySettings(rattle_A=0.05),
        n_between=1,
    )
    assert network.n_unconverged == len(network.hops) == 3
    assert network.barriers is None
    assert network.percolation == []


def test_ends_that_relax_into_one_state_conduct_and_have_no_barrier(cubic, relax_field):
    """Two places beside one minimum of the field: between them there is nothing to cross."""
    host = field_host(cubic, relax_field)
    places = np.array([[0.15, 0, 0], [0.85, 0, 0]])
    bands = Bands(Field())
    network = barrier_network(
        host,
        Carriers("interstitial", places, np.zeros(2)),
        relax_field,
        bands,
        EnergySettings(rattle_A=0.0),
        n_between=3,
        max_length_A=1.02 * A,
    )
    (merged,) = (hop for hop in network.hops if hop.merged)
    assert merged.length_A == pytest.approx(0.3 * A)
    assert merged.forward_barrier_eV == pytest.approx(0, abs=1e-3)
    assert bands.calls == len(network.hops) - 1
    assert (network.n_unconverged, network.n_merged) == (0, 1)
    assert network.barriers.minimum_eV == pytest.approx(HEIGHT[0], abs=5e-3)
    assert [p.barrier_eV for p in network.percolation] == pytest.approx(HEIGHT, abs=5e-3)


def test_interstitial_sites_are_those_that_kept_their_ion(cubic, relax_field):
    host = prepare_host(cubic, "Li", relax_field, supercell_side_A=8.0)
    site = Site(np.array([[0.5, 0.5, 0.02]]), 1.0, "given")
    operation = DefectOperation(
        "interstitial", "i", add=(tuple(host.to_supercell(site.frac)),), site=0
    )
    defects = defect_energies(host, [operation], relax_field, EnergySettings(rattle_A=0.0))
    carriers = interstitial_carriers([site], defects)
    assert carriers.places.shape == (1, 3)
    assert carriers.energies_eV[0] == pytest.approx(defects[0].record.energy_eV)
    with pytest.raises(InputError, match="missing"):
        vacancy_carriers(host, defects)


def walkers_in_field(n_frames, temperature, seed=0):
    """Sample the Boltzmann distribution of the field by rejection: the density is exact."""
    rng = np.random.default_rng(seed)
    points = np.empty((0, 3))
    while len(points) < n_frames:
        x = rng.random((4 * n_frames, 3)) * A
        energy = (np.array(HEIGHT) * np.sin(np.pi * x / A) ** 2).sum(axis=1)
        keep = rng.random(len(x)) < np.exp(-energy / (KB_EV_PER_K * temperature))
        points = np.vstack([points, x[keep]])
    return points[:n_frames, None]


def test_density_barrier_of_a_known_field():
    positions = walkers_in_field(400_000, 2500.0)
    found = density_barrier(positions, np.eye(3) * A, 2500.0)
    assert found.axes_eV == pytest.approx(HEIGHT, abs=0.06)
    assert found.barrier_eV == min(found.axes_eV)
    assert 0 < found.error_eV < 0.03


def test_no_barrier_where_nothing_crossed():
    rng = np.random.default_rng(0)
    positions = 2.0 + 0.2 * rng.standard_normal((500, 1, 3))
    assert density_barrier(positions, np.eye(3) * 8.0, 300.0) is None
    with pytest.raises(InputError, match="too few"):
        density_barrier(positions[:4], np.eye(3) * 8.0, 300.0)


def test_density_peaks_are_the_sites_with_their_occupancy(cubic):
    rng = np.random.default_rng(2)
    cell = Structure(Lattice.from_parameters(7, 8, 9, 80, 95, 100), ["Xe"], [[0.9, 0.9, 0.9]])
    centers = np.array([[0.02, 0.5, 0.25], [0.6, 0.2, 0.7], [0.4, 0.8, 0.98]])
    shares = np.array([0.6, 0.3, 0.1])
    which = rng.choice(3, 60_000, p=shares)
    cartesian = centers[which] @ cell.lattice.matrix + 0.3 * rng.standard_normal((60_000, 3))
    frac = cartesian @ np.linalg.inv(cell.lattice.matrix) % 1.0
    counts, _ = np.histogramdd(frac, bins=(24, 27, 30), range=[(0, 1)] * 3)
    peaks, occupancy = density_peaks(counts, cell, n_ions=2.0)
    assert occupancy == pytest.approx(2 * shares, rel=0.05)
    gaps = cell.lattice.get_all_distances(peaks, centers)
    assert np.diag(gaps).max() < 0.05
