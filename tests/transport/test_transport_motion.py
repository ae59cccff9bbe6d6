"""MSD, regime, hops, van Hove, jump network, percolation: against what is known exactly."""

import tracemalloc

import numpy as np
import pytest
from scipy.fft import dst

from helpers.walkers import HOP_A, brownian, hopping, in_crystal, rattling, subdiffusive
from vitrion.transport import analyze, combine, table
from vitrion.transport.constants import KB_EV_PER_K
from vitrion.transport.density import density_map, percolation_barriers
from vitrion.transport.diffusivity import SineModes
from vitrion.transport.framework import mean_framework
from vitrion.transport.jumps import jump_network
from vitrion.transport.msd import mean_squares, non_gaussian_parameter
from vitrion.transport.path_transform import transforms
from vitrion.transport.result import Framework
from vitrion.transport.stays import find_stays
from vitrion.transport.vanhove import van_hove
from vitrion.uncertainty import event_bound

CELL = 12.0 * np.eye(3)


def result_of(scenario, seed=0, temperature=600.0, **kwargs):
    rng = np.random.default_rng(seed)
    positions, symbols = in_crystal(scenario.draw(rng), CELL, rng)
    # One frame every 100 fs: an A2 a frame is 1e-3 cm2/s.
    return analyze(positions, CELL, symbols, 100.0, temperature, wrapped=False, **kwargs)


def test_fourier_msd_is_the_direct_average():
    rng = np.random.default_rng(0)
    paths = np.cumsum(rng.normal(size=(60, 5, 3)), axis=0) + 1000.0
    charges = np.array([1.0, 1.0, 2.0, 2.0, -1.0])
    found = mean_squares(paths, charges, np.array([1, 7, 30]))
    for row, lag in enumerate(found.lags):
        steps = paths[lag:] - paths[:-lag]
        np.testing.assert_allclose(found.ions[row], (steps**2).sum(-1).mean(0), rtol=1e-9)
        np.testing.assert_allclose(found.axes[row], (steps**2).mean((0, 1)), rtol=1e-9)
        total = np.einsum("kia,i->ka", steps, charges) / np.sqrt(np.sum(charges**2))
        assert found.collective[row] == pytest.approx((total**2).sum(-1).mean(), rel=1e-9)


@pytest.mark.parametrize("max_modes", [30, 4096])
def test_sine_modes_are_the_sine_transform_of_the_increments(max_modes):
    paths = 50.0 + brownian(301, 5).draw(np.random.default_rng(6))
    modes = SineModes(*paths.shape[:2], 20.0, max_modes)
    for transform in transforms(paths):
        modes.add(*transform)
    increments = np.diff(paths.transpose(2, 1, 0), axis=-1)
    exact = dst(increments, type=1, norm="ortho") / np.sqrt(2.0 * 20.0)
    np.testing.assert_allclose(modes.amplitudes, exact[..., :max_modes], atol=1e-12)


def test_non_gaussian_parameter_of_gauss_and_of_rare_hops():
    rng = np.random.default_rng(1)
    gauss = non_gaussian_parameter(brownian(3000, 50).draw(rng), np.array([1, 10]))
    np.testing.assert_allclose(gauss, 0.0, atol=0.02)
    # n hops on average: <r^4> = a^4 (5/3 n^2 + n), so alpha2 = 3/(5n).
    hops = non_gaussian_parameter(hopping(3000, 400, 60.0, vibration=0.0).draw(rng), np.array([10]))
    assert hops[0] == pytest.approx(0.6 / 0.2, rel=0.06)


def test_units_of_diffusivity_and_conductivity():
    """D in cm2/s, and sigma = n e^2 D / kT in mS/cm, by numbers worked out by hand."""
    result = result_of(brownian(3000, 30, 0.01))
    assert result.self_diffusivity.value == pytest.approx(1e-5, rel=0.05)
    # 30 ions in 1728 A3, 600 K, 1e-5 cm2/s: 1.736e28 * 2.567e-38 * 1e-9 / 8.284e-21 = 53.8 S/m.
    expected = 538.0 * result.self_diffusivity.value / 1e-5
    assert result.conductivity_nernst_einstein.value == pytest.approx(expected, rel=2e-3)
    assert result.haven_ratio.interval(0.99)[0] < 1.0 < result.haven_ratio.interval(0.99)[1]


def test_the_charge_enters_squared_and_the_haven_ratio_not_at_all():
    one, two = (result_of(brownian(500, 10, 0.01), charge=z) for z in (1.0, 2.0))
    ratio = two.conductivity_einstein.value / one.conductivity_einstein.value
    assert ratio == pytest.approx(4.0)
    assert two.haven_ratio.value == pytest.approx(one.haven_ratio.value)


@pytest.mark.parametrize("shift", [0.0, 1e-7])
def test_ions_that_never_move_halve_the_diffusivity(shift):
    """As in kinetic Monte Carlo, or if ions are held fixed."""
    rng = np.random.default_rng(3)
    moving = hopping(2000, 20, 40.0, vibration=0.0).draw(rng)
    fixed = shift * rng.normal(size=moving.shape) + moving[:1] + 1.0
    symbols = ["Li"] * 40 + ["O"] * 20
    framework = np.broadcast_to(12.0 * rng.random((20, 3)), moving.shape)
    both = np.concatenate([moving, fixed, framework], axis=1)
    alone = analyze(
        np.delete(both, range(20, 40), axis=1), CELL, symbols[20:], 100.0, 600.0, wrapped=False
    )
    result = analyze(both, CELL, symbols, 100.0, 600.0, wrapped=False)
    assert result.diffusive
    assert result.self_diffusivity.value == pytest.approx(
        alone.self_diffusivity.value / 2, rel=0.02
    )
    assert result.self_diffusivity.relative_error == pytest.approx(0.2, abs=0.08)
    assert result.collective_diffusivity.relative_error < 1.0


def test_several_mobile_species():
    """Cations and anions that move together carry no charge: the Haven ratio is large."""
    rng = np.random.default_rng(2)
    pairs = brownian(1000, 20, 0.01).draw(rng)
    jitter = brownian(1000, 20, 0.001).draw(rng)
    positions, _ = in_crystal(np.concatenate([pairs, pairs + jitter], axis=1), CELL, rng)
    symbols = ["Li"] * 20 + ["F"] * 20 + ["O"] * 20
    result = analyze(
        positions, CELL, symbols, 100.0, 600.0, mobile={"Li": 1.0, "F": -1.0}, wrapped=False
    )
    assert set(result.species_diffusivity) == {"Li", "F"}
    assert result.species_diffusivity["Li"].value == pytest.approx(1e-5, rel=0.15)
    assert result.haven_ratio.interval_95[0] > 5.0


def test_tensor_of_motion_in_a_plane():
    rng = np.random.default_rng(3)
    paths = brownian(2000, 40, 0.01).draw(rng)
    paths[..., 2] = 0.0
    positions, symbols = in_crystal(paths, CELL, rng)
    result = analyze(positions, CELL, symbols, 100.0, 600.0, wrapped=False)
    expected = np.diag([1e-5, 1e-5, 0.0])
    np.testing.assert_allclose(result.tensor_cm2_s, expected, atol=0.15e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "scenario",
    [
        brownian(600, 30, 0.05, vibration=0.3),
        hopping(600, 100, 1.0),
        hopping(1000, 50, 10.0, undone=0.5),
    ],
    ids=["Brownian", "one hop an ion", "half undone"],
)
def test_diffusion_is_recognized(scenario, seed):
    result = result_of(scenario, seed)
    assert result.diffusive, result.regime.reason
    assert result.regime.start_ps < result.duration_ps / 10
    low, high = result.self_diffusivity.interval(0.999)
    assert low < scenario.diffusivity * 1e-3 < high


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "scenario",
    [
        hopping(600, 30, 0.0),
        rattling(600, 30),
        subdiffusive(600, 60, 0.5),
        subdiffusive(600, 300, 0.8),
        hopping(600, 20, 0.1),
    ],
    ids=["vibration", "rattling", "exponent 0.5", "exponent 0.8", "two hops"],
)
def test_what_is_not_diffusion_gets_a_bound(scenario, seed):
    result = result_of(scenario, seed)
    assert not result.diffusive
    assert result.self_diffusivity is None
    assert result.conductivity is None
    assert result.diffusivity_bound_cm2_s >= scenario.diffusivity * 1e-3
    assert result.regime.reason.startswith("Not diffusive: ")
    assert any("bound" in row.label for row in table(result))


def test_bound_without_hops_is_three_events():
    result = result_of(hopping(600, 30, 0.0))
    assert event_bound(0) == pytest.approx(2.9957, abs=1e-4)
    expected = 2.9957 * 9.0 / (6.0 * 30 * 59900.0) * 0.1
    assert result.hops.n_hops == 0
    assert result.diffusivity_bound_cm2_s == pytest.approx(expected, rel=1e-3)


def test_bound_holds_for_rare_hops():
    """Whatever was seen, the 95 % bound is above the truth in about 95 % of runs or more."""
    scenario = hopping(200, 20, 0.2)
    held = []
    for rng in np.random.default_rng(5).spawn(100):
        positions, symbols = in_crystal(scenario.draw(rng), CELL, rng, n_framework=2)
        result = analyze(positions, CELL, symbols, 100.0, 600.0, wrapped=False)
        if not result.diffusive:
            held.append(result.diffusivity_bound_cm2_s >= scenario.diffusivity * 1e-3)
    assert len(held) > 80
    assert np.mean(held) >= 0.92


def test_ligands_that_rotate_about_resting_centers_do_not_melt_the_framework():
    rng = np.random.default_rng(7)
    n_frames, n_anions = 600, 20
    centers = rng.random((n_anions, 3)) @ CELL
    vibration = rng.normal(scale=0.1, size=(n_frames, n_anions, 3))
    # A bond of 1.5 A whose direction performs a random walk on the sphere.
    directions = np.cumsum(rng.normal(scale=0.05, size=(n_frames, n_anions, 3)), axis=0)
    directions += rng.normal(size=(1, n_anions, 3))
    directions *= 1.5 / np.linalg.norm(directions, axis=-1, keepdims=True)
    ions = brownian(n_frames, 20, 0.02).draw(rng) + rng.random((1, 20, 3)) @ CELL
    positions = np.concatenate([ions, centers + vibration, centers + directions], axis=1)
    symbols = ["Li"] * 20 + ["P"] * n_anions + ["O"] * n_anions
    result = analyze(positions, CELL, symbols, 100.0, 600.0, wrapped=False)
    assert not result.framework.diffuses
    assert result.framework.msd_A2 < 0.5


def test_a_framework_that_melts_is_noticed():
    rng = np.random.default_rng(6)
    paths = brownian(600, 50, 0.02).draw(rng)
    result = analyze(
        paths + rng.random((1, 50, 3)) @ CELL,
        CELL,
        ["Li"] * 20 + ["O"] * 30,
        100.0,
        600.0,
        wrapped=False,
    )
    assert result.framework.diffuses
    assert any("framework diffuses" in warning for warning in result.warnings)
    assert not result_of(brownian(600, 20, 0.02)).framework.diffuses


def test_one_anion_that_hops_does_not_melt_the_framework_of_a_small_cell():
    """One of nine that moves 8 A raises the mean to 6 A2; eight keep their sites."""
    rng = np.random.default_rng(11)
    n_frames, n_anions = 600, 9
    anions = rng.random((n_anions, 3)) @ CELL + rng.normal(scale=0.1, size=(n_frames, n_anions, 3))
    anions[n_frames // 2 :, 0, 0] += 8.0
    ions = brownian(n_frames, 20, 0.02).draw(rng) + rng.random((1, 20, 3)) @ CELL
    symbols = ["Li"] * 20 + ["P"] * n_anions
    positions = np.concatenate([ions, anions], axis=1)
    framework = analyze(positions, CELL, symbols, 100.0, 600.0, wrapped=False).framework
    assert framework.msd_A2 > 3.0
    assert framework.exponent > 0.5
    assert framework.moved_fraction == pytest.approx(1 / 9)
    assert not framework.diffuses


def test_the_framework_of_replicas_is_that_of_most():
    rests = Framework(
        diffuses=False, diffusivity_cm2_s=0.0, msd_A2=0.5, exponent=0.1, moved_fraction=0.0
    )
    moves = Framework(
        diffuses=True, diffusivity_cm2_s=3e-6, msd_A2=9.0, exponent=1.0, moved_fraction=0.8
    )
    assert mean_framework([]) is None
    assert mean_framework([moves, moves]).diffuses
    mean = mean_framework([rests, rests, moves])
    assert not mean.diffuses
    assert mean.msd_A2 == pytest.approx(10.0 / 3.0)
    assert mean_framework([rests, moves, moves]).diffuses


def test_warnings_of_replicas_are_about_all_of_them_together():
    """Few hops in each run are enough together."""
    runs = [result_of(hopping(2000, 20, 1.0), seed=seed) for seed in range(3)]
    assert all(any("hops: the relative error" in w for w in run.warnings) for run in runs)
    assert combine(runs).warnings == []


@pytest.mark.parametrize("n_melted", [1, 2, 3])
def test_replicas_that_melted_are_left_out_unless_they_are_most(n_melted):
    runs = [result_of(brownian(600, 20, 0.02), seed=seed) for seed in range(4)]
    for k in range(n_melted):
        moving = runs[k].framework.model_copy(
            update={"diffuses": True, "moved_fraction": 0.9, "exponent": 1.0}
        )
        runs[k] = runs[k].model_copy(update={"framework": moving})
    found = combine(runs, hierarchical=True, systems=[0, 1, 2, 3])
    if n_melted == 3:
        assert found.n_replicas == 4
        assert found.framework.diffuses
        return
    rest = combine(runs[n_melted:], hierarchical=True, systems=list(range(n_melted, 4)))
    assert found.self_diffusivity == rest.self_diffusivity
    assert not found.framework.diffuses
    assert found.warnings == [
        f"The framework diffuses in {n_melted} of 4 replicas, which are left out."
    ]


def test_hops_and_network_of_a_lattice():
    """Every hop is one lattice constant long and joins neighbors; occupancies add up."""
    rng = np.random.default_rng(7)
    sites = np.stack(np.meshgrid(*3 * [np.arange(4)]), -1).reshape(-1, 3) * HOP_A + 1.5
    paths = hopping(2000, 20, 10.0, vibration=0.15).draw(rng) + sites[:20]
    stays = find_stays(paths, 100.0)
    assert stays.n_hops == pytest.approx(200, abs=45)
    assert np.median(stays.hop_lengths) == pytest.approx(HOP_A, abs=0.1)
    network = jump_network(stays, CELL, 2000, 100.0)
    assert len(network.sites_A) <= 64
    assert sum(network.occupancy) == pytest.approx(20.0)
    moved = sum(edge.forward + edge.backward for edge in network.edges)
    assert moved + network.n_unresolved == stays.n_hops
    lengths = np.array([edge.length_A for edge in network.edges])
    assert np.mean(np.abs(lengths - HOP_A) < 0.5) > 0.9
    # Mean residence: all ions' time over all hops, 20 * 200 ps / 200 hops.
    result = result_of(hopping(2000, 20, 10.0, vibration=0.15))
    assert result.hops.mean_residence_time_ps == pytest.approx(20.0, rel=0.25)


def test_the_rate_of_hops_does_not_depend_on_the_length_of_a_run():
    """Short returns count as hops, whatever follows."""
    rng = np.random.default_rng(3)
    away = np.zeros((20000, 1, 3))
    for begin in rng.choice(2000, 200, replace=False):
        away[10 * begin : 10 * begin + 4, :, 0] = HOP_A  # 0.2 ps, at frames of 50 fs
    long, short = find_stays(away, 50.0), find_stays(away[:2000], 50.0)
    assert long.n_hops == pytest.approx(400, rel=0.05)
    assert short.n_hops == pytest.approx(40, rel=0.5)


def test_a_run_shorter_than_an_average_has_no_hops():
    positions = np.random.default_rng(5).normal(scale=0.1, size=(100, 4, 3))
    assert find_stays(positions, 0.5).n_hops == 0  # 0.05 ps
    assert find_stays(positions, 1000.0).n_hops == 0


def test_the_memory_does_not_grow_with_the_pairs_of_ions():
    rng = np.random.default_rng(4)
    sites = 3.0 * np.stack(np.meshgrid(*[np.arange(15)] * 3), axis=-1).reshape(-1, 3)
    positions = sites + 0.3 * rng.normal(size=(20, len(sites), 3))
    symbols = ["O"] * 375 + ["Li"] * 3000
    cell = 45.0 * np.eye(3)
    tracemalloc.start()
    result = analyze(positions, cell, symbols, 500.0, 600.0)
    found = van_hove(positions[:, 375:], cell, 500.0, [5.0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.n_mobile == 3000
    assert np.mean(found.distinct) == pytest.approx(1.0, abs=0.1)
    assert peak < 100e6  # one number for each pair of ions and axis: 216 MB


@pytest.mark.parametrize("pairs", [400_000, 600])
def test_van_hove_functions(monkeypatch, pairs):
    """Self: a Gaussian of the variance that was put in. Distinct: 1 for ions at random places."""
    monkeypatch.setattr("vitrion.transport.vanhove.PAIRS_AT_ONCE", pairs)
    rng = np.random.default_rng(8)
    paths = brownian(400, 40, 0.05).draw(rng) + rng.random((1, 40, 3)) @ CELL
    found = van_hove(paths, CELL, 100.0, [1.0], bin_A=0.2)
    r, variance = np.array(found.r_A), 2 * 0.05 * 10
    gauss = 4 * np.pi * r**2 * np.exp(-(r**2) / (2 * variance)) / (2 * np.pi * variance) ** 1.5
    np.testing.assert_allclose(found.self_per_A[0], gauss, atol=0.05)
    beyond = np.array(found.distinct[0])[r > 2.0]
    assert beyond.mean() == pytest.approx(1.0, abs=0.05)


def test_replicas_of_different_cells_have_a_mean_van_hove_function():
    """Its self part still holds every ion once; the distinct part goes to 1 in each."""
    runs = []
    for seed, edge in enumerate((12.0, 13.0)):
        rng = np.random.default_rng(seed)
        cell = edge * np.eye(3)
        walk = brownian(600, 30, 0.002).draw(rng) + rng.random((1, 30, 3)) @ cell
        positions, symbols = in_crystal(walk, cell, rng)
        runs.append(analyze(positions, cell, symbols, 100.0, 600.0, wrapped=False, spatial=True))
    both = combine(runs, hierarchical=True)
    found, bin_A = both.van_hove, 0.1
    assert max(found.r_A) < 6.0 < max(runs[1].van_hove.r_A)
    np.testing.assert_allclose(np.sum(found.self_per_A, axis=1)[:2] * bin_A, 1.0, atol=0.01)
    n_bins = len(found.r_A)
    parts = [np.array(run.van_hove.distinct)[:, :n_bins] for run in runs]
    np.testing.assert_allclose(found.distinct, (parts[0] + parts[1]) / 2)
    # Only ions that sat still on both sides of a pair would keep it from 1 at 0.4 of the run.
    assert np.array(found.distinct)[2][np.array(found.r_A) > 2.0].mean() == pytest.approx(
        1, abs=0.1
    )
    longer = runs[0].van_hove.model_copy(update={"lag_ps": [1.0, 2.0, 3.0]})
    assert combine([runs[0].model_copy(update={"van_hove": longer}), runs[1]]).van_hove is None


@pytest.mark.parametrize("cell", [CELL, CELL + np.array([[0, 0, 0], [3.0, 0, 0], [-2.0, 1.0, 0]])])
def test_percolation_barriers_of_a_known_landscape(cell):
    """Cosine channels along the lattice vectors, sampled by Boltzmann's law at 600 K."""
    heights, kt = np.array([0.05, 0.10, 0.15]), KB_EV_PER_K * 600.0
    rng = np.random.default_rng(9)
    s = rng.random((1_500_000, 3))
    energy = (heights / 2 * (1.0 - np.cos(2 * np.pi * 3 * s))).sum(axis=1)
    kept = s[rng.random(len(s)) < np.exp(-energy / kt)]
    positions = (kept[: len(kept) // 100 * 100] @ cell).reshape(-1, 100, 3)
    density = density_map(positions, cell)
    volume = abs(np.linalg.det(cell)) / density.density.size
    assert density.density.sum() * volume == pytest.approx(100.0)
    found = percolation_barriers(density, 600.0)
    # Smoothing and noise of the counts lower a barrier by up to a sixth.
    np.testing.assert_allclose([found.a_eV, found.b_eV, found.c_eV], heights, rtol=0.17)


def test_percolation_stops_at_a_wall():
    """Free motion in the planes z < L/2: no way along c, and winding paths count."""
    rng = np.random.default_rng(10)
    positions = rng.random((4000, 50, 3)) * [12.0, 12.0, 6.0]
    found = percolation_barriers(density_map(positions, CELL, 0.6), 600.0)
    assert found.c_eV is None
    assert found.a_eV < 0.1
    assert found.b_eV < 0.1
    assert found.unseen_eV > 0.03
