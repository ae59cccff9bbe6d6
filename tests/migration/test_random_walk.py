"""The exact random walk against closed forms, and against walkers that are simulated."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.walkers import trapped
from vitrion.errors import InputError
from vitrion.migration.random_walk import Jump, random_walk
from vitrion.transport.constants import KB_EV_PER_K

CUBE = 4.0 * np.eye(3)
ALONG = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def rate(frequency: float, barrier: float, temperature: float) -> float:
    return frequency * np.exp(-barrier / (KB_EV_PER_K * temperature))


def test_simple_cubic_walk_is_sixth_of_rate_times_length_squared():
    jumps = [Jump(0, 0, image, 0.4, 1e13) for image in ALONG]
    walk = random_walk([[0, 0, 0]], [0.0], jumps, CUBE, 500.0)
    expected = 6 * rate(1e13, 0.4, 500.0) * 16.0 / 6 * 1e-16
    assert walk.isotropic_cm2_s == pytest.approx(expected)
    assert walk.diffusivity_cm2_s == pytest.approx(expected * np.eye(3))


def test_alternating_barriers_in_a_row_are_resistors_in_series():
    # Fast and slow jumps in turn, two equal sites a cell: D = a^2 / (2 (1/w1 + 1/w2)).
    places = [[0.0, 0.5, 0.5], [0.4, 0.5, 0.5]]
    jumps = [Jump(0, 1, (0, 0, 0), 0.2, 1e12), Jump(1, 0, (1, 0, 0), 0.6, 1e12)]
    walk = random_walk(places, [0.0, 0.0], jumps, CUBE, 400.0)
    fast, slow = rate(1e12, 0.2, 400.0), rate(1e12, 0.6, 400.0)
    expected = 0.5 * 16.0 / (1 / fast + 1 / slow) * 1e-16
    assert walk.diffusivity_cm2_s[0, 0] == pytest.approx(expected, rel=1e-9)
    assert walk.diffusivity_cm2_s[1:, 1:] == pytest.approx(np.zeros((2, 2)))
    assert walk.uncorrelated_cm2_s[0, 0] > 1e3 * expected


@pytest.mark.parametrize("slow_eV", [1.0, 1.5, 2.0])
def test_rates_twenty_orders_apart_keep_their_precision(slow_eV: float):
    places = [[0.0, 0.5, 0.5], [0.4, 0.5, 0.5]]
    jumps = [Jump(0, 1, (0, 0, 0), 0.05, 1e13), Jump(1, 0, (1, 0, 0), slow_eV, 1e13)]
    walk = random_walk(places, [0.0, 0.0], jumps, CUBE, 300.0)
    slow, fast = rate(1e13, slow_eV, 300.0), rate(1e13, 0.05, 300.0)
    assert walk.diffusivity_cm2_s[0, 0] == pytest.approx(
        8.0 / (1 / fast + 1 / slow) * 1e-16, rel=1e-6
    )


def test_deep_site_traps_the_carrier():
    places = [[0.0, 0.5, 0.5], [0.5, 0.5, 0.5]]
    jumps = [Jump(0, 1, (0, 0, 0), 0.3, 1e13), Jump(1, 0, (1, 0, 0), 0.3, 1e13)]
    walk = random_walk(places, [0.0, -0.2], jumps, CUBE, 500.0)
    boltzmann = np.exp(np.array([0.0, 0.2]) / (KB_EV_PER_K * 500.0))
    assert walk.occupation == pytest.approx(boltzmann / boltzmann.sum())
    # Both fluxes are equal, 1e13 exp(-0.3/kT) / Z, and lie in series: D = flux a^2 / 2.
    flux = rate(1e13, 0.3, 500.0) / boltzmann.sum()
    assert walk.diffusivity_cm2_s[0, 0] == pytest.approx(0.5 * flux * 16.0 * 1e-16)


def test_sites_that_no_jump_joins_hold_carriers_at_rest():
    places = [[0, 0, 0], [0.5, 0.5, 0.5]]
    jumps = [Jump(0, 0, image, 0.4, 1e13) for image in ALONG]
    alone = random_walk(places[:1], [0.0], jumps, CUBE, 500.0)
    both = random_walk(places, [0.0, 0.0], jumps, CUBE, 500.0)
    assert both.isotropic_cm2_s == pytest.approx(0.5 * alone.isotropic_cm2_s)


def test_isolated_pair_of_sites_does_not_diffuse():
    places = [[0.4, 0.5, 0.5], [0.6, 0.5, 0.5]]
    walk = random_walk(places, [0.0, 0.0], [Jump(0, 1, (0, 0, 0), 0.1, 1e13)], CUBE, 500.0)
    assert walk.uncorrelated_cm2_s[0, 0] > 1e-6
    assert abs(walk.diffusivity_cm2_s).max() < 1e-12 * walk.uncorrelated_cm2_s[0, 0]


def random_network(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Jump]]:
    places = rng.random((5, 3))
    energies = rng.normal(0.0, 0.03, 5)
    pairs = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2), (1, 3)]
    jumps = []
    for start, end in [*pairs, (0, 0), (1, 1), (2, 4)]:
        image = tuple(rng.integers(-1, 2, 3).tolist()) if start != end else (1, 0, 0)
        top = max(energies[start], energies[end])
        jumps.append(Jump(start, end, image, top + rng.uniform(0.05, 0.2), 1e13))
    return places, energies, jumps


def test_simulated_walkers_agree_with_the_exact_tensor():
    rng = np.random.default_rng(5)
    places, energies, jumps = random_network(rng)
    matrix = np.array([[4.0, 0, 0], [1.0, 3.5, 0], [0.5, -0.7, 4.5]])
    walk = random_walk(places, energies, jumps, matrix, 600.0)
    beta = 1 / (KB_EV_PER_K * 600.0)
    table: list[list[tuple[int, np.ndarray, float]]] = [[] for _ in energies]
    for jump in jumps:
        vector = (places[jump.end] + np.array(jump.image) - places[jump.start]) @ matrix
        for a, b, d in ((jump.start, jump.end, vector), (jump.end, jump.start, -vector)):
            table[a].append((b, d, 1e13 * np.exp(-beta * (jump.saddle_eV - energies[a]))))
    # Kinetic Monte Carlo of many walkers in step: each draws its own waiting times.
    n, total = 4000, 2e-10
    site = rng.choice(len(energies), n, p=walk.occupation)
    clock, moved, live = np.zeros(n), np.zeros((n, 3)), np.arange(n)
    rates = [np.array([r for _, _, r in row]) for row in table]
    while len(live):
        for s in range(len(energies)):
            here = live[site[live] == s]
            if not len(here):
                continue
            wait = rng.exponential(1 / rates[s].sum(), len(here))
            inside = clock[here] + wait < total
            clock[here] += wait
            here = here[inside]
            choice = rng.choice(len(rates[s]), len(here), p=rates[s] / rates[s].sum())
            moved[here] += np.array([d for _, d, _ in table[s]])[choice]
            site[here] = np.array([b for b, _, _ in table[s]])[choice]
        live = live[clock[live] < total]
    simulated = np.einsum("ka,kb->ab", moved, moved) / n / (2 * total) * 1e-16
    error = 4 * np.trace(walk.diffusivity_cm2_s) * np.sqrt(2 / n)
    assert abs(simulated - walk.diffusivity_cm2_s).max() < error


def test_refuses_a_jump_to_nowhere_and_a_saddle_below_its_site():
    with pytest.raises(InputError, match="sites 0 to 0"):
        random_walk([[0, 0, 0]], [0.0], [Jump(0, 1, (0, 0, 0), 0.3, 1e13)], CUBE, 300.0)
    with pytest.raises(InputError, match="lies below"):
        random_walk([[0, 0, 0]], [0.5], [Jump(0, 0, (1, 0, 0), 0.3, 1e13)], CUBE, 300.0)
    with pytest.raises(InputError, match="above 0 K"):
        random_walk([[0, 0, 0]], [0.0], [], CUBE, 0.0)


def test_walkers_on_a_disordered_network_diffuse_as_computed():
    """Kinetic Monte Carlo of 200 ions; the mean square displacement at long lags gives D."""
    n_frames, n_ions = 1500, 200
    paths, diffusivity = trapped(n_frames, n_ions, 60, 1.0, 1.0, side=3)(np.random.default_rng(5))
    lag = 500
    squares = np.sum((paths[lag:] - paths[:-lag]) ** 2, axis=2).mean(axis=0)
    vibration = 6 * 0.3**2
    measured = (squares - vibration) / (6 * lag)
    assert diffusivity == pytest.approx(measured.mean(), abs=3 * measured.std() / np.sqrt(n_ions))
    assert measured.std() / np.sqrt(n_ions) < 0.07 * diffusivity
