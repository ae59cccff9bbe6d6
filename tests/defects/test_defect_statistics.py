"""Averages in closed form."""

import numpy as np
import pytest

from vitrion.defects.statistics import (
    boltzmann_energy,
    ion_potential,
    log_interstitial_fraction,
    overlap_probability,
    weighted_quantiles,
)
from vitrion.errors import InputError
from vitrion.transport.constants import KB_EV_PER_K
from vitrion.uncertainty import ReplicaMean


def interstitial_fraction(*distributions):
    return np.exp(log_interstitial_fraction(*distributions))


def test_boltzmann_energy_of_one_value_is_that_value():
    assert boltzmann_energy([0.7], 300) == pytest.approx(0.7)


def test_boltzmann_energy_of_a_normal_distribution():
    """For a normal distribution it is mean - var / 2kT."""
    rng = np.random.default_rng(1)
    temperature, sigma = 1000.0, 0.1
    energies = 0.5 + sigma * rng.standard_normal(400_000)
    expected = 0.5 - sigma**2 / (2 * KB_EV_PER_K * temperature)
    assert boltzmann_energy(energies, temperature) == pytest.approx(expected, abs=2e-3)


def test_boltzmann_energy_goes_to_the_lowest_in_the_cold_and_to_the_mean_in_the_heat():
    energies = [0.2, 0.9, 3.0]
    cold = boltzmann_energy(energies, 20)
    assert cold == pytest.approx(0.2 + 20 * KB_EV_PER_K * np.log(3), abs=1e-9)
    assert boltzmann_energy(energies, 1e7) == pytest.approx(np.mean(energies), rel=1e-2)


def test_boltzmann_weights_are_multiplicities():
    repeated = boltzmann_energy([0.3, 0.3, 0.3, 0.5], 700)
    assert boltzmann_energy([0.3, 0.5], 700, [3, 1]) == pytest.approx(repeated)


def test_quantiles_with_weights_are_those_of_repeated_values():
    values, weights = [1.0, 2.0, 5.0], [2, 1, 1]
    expected = np.quantile([1, 1, 2, 5], [0.25, 0.5, 0.75], method="hazen")
    got = weighted_quantiles([1.0, 1.0, 2.0, 5.0], [0.25, 0.5, 0.75])
    assert np.allclose(got, expected)
    assert weighted_quantiles(values, [0.625], weights)[0] == pytest.approx(2.0)


def test_one_kind_of_site_each_is_the_law_of_mass_action():
    for energy in (-0.3, 0.0, 0.2, 1.5):
        for ratio in (0.5, 1.0, 8.0):
            x = interstitial_fraction([0.1], [0.1 + energy], 500, [1], [ratio])
            constant = np.exp(-energy / (KB_EV_PER_K * 500))
            assert x**2 == pytest.approx((1 - x) * (ratio - x) * constant, rel=1e-8)


def test_the_chemical_potential_of_the_ion_balances_vacancies_and_interstitials():
    rng = np.random.default_rng(3)
    occupied, empty, kt = rng.normal(-1, 0.2, 20), rng.normal(0, 0.2, 30), KB_EV_PER_K * 600
    level = ion_potential(occupied, empty, 600)
    vacancies = (1 / (1 + np.exp((level - occupied) / kt))).sum()
    interstitials = (1 / (1 + np.exp((empty - level) / kt))).sum()
    assert vacancies == pytest.approx(interstitials, rel=1e-8)


def test_few_interstitials_in_the_dilute_limit_and_an_even_spread_for_no_cost():
    energy, temperature, ratio = 2.2, 300.0, 2.0
    dilute = np.sqrt(ratio) * np.exp(-energy / (2 * KB_EV_PER_K * temperature))
    x = interstitial_fraction([0.0], [energy], temperature, [1], [ratio])
    assert x == pytest.approx(dilute, rel=1e-8)
    assert interstitial_fraction([0.0], [0.0], 300, [1], [3]) == pytest.approx(3 / 4)


def test_a_glass_of_few_sites_against_counting_all_arrangements():
    """The grand canonical average, with the chemical potential that keeps the mean number."""
    rng = np.random.default_rng(6)
    occupied, empty, temperature = rng.normal(0, 0.1, 60), rng.normal(0.3, 0.15, 80), 900.0
    kt = KB_EV_PER_K * temperature
    x = interstitial_fraction(occupied, empty, temperature)
    # Metropolis moves of ions between sites, each holding one.
    energies = np.concatenate([occupied, empty])
    filled, vacant = list(range(60)), list(range(60, 140))
    mean, n_steps = 0.0, 200_000
    choices = rng.integers(60, size=n_steps), rng.integers(80, size=n_steps), rng.random(n_steps)
    for step, (a, b, chance) in enumerate(zip(*choices, strict=True)):
        i, s = filled[a], vacant[b]
        if chance < np.exp(-(energies[s] - energies[i]) / kt):
            filled[a], vacant[b] = s, i
        if step >= 20_000 and step % 50 == 0:
            mean += sum(k >= 60 for k in filled) / 60
    assert x == pytest.approx(mean / 3600, abs=0.01)


def test_overlap_is_none_for_a_gap_and_half_for_equals():
    assert overlap_probability([0, 1, 2], [3, 4]) == 0
    assert overlap_probability([0, 1, 2], [0, 1, 2]) == pytest.approx(0.5)
    assert overlap_probability([3, 4], [0, 1]) == 1
    rng = np.random.default_rng(0)
    lower, upper = rng.normal(0, 1, 300), rng.normal(1, 1, 300)
    direct = np.mean(upper[:, None] < lower[None])
    assert overlap_probability(lower, upper) == pytest.approx(direct)


def test_error_between_replicas():
    several, one = ReplicaMean.of([1.0, 2.0, 3.0]), ReplicaMean.of([1.0])
    assert (several.mean, several.error) == (2.0, pytest.approx(1 / np.sqrt(3)))
    assert (one.mean, one.error) == (1.0, None)


def test_nothing_to_average_is_refused():
    with pytest.raises(InputError, match="at least one"):
        boltzmann_energy([], 300)
    with pytest.raises(InputError, match="above 0 K"):
        boltzmann_energy([0.1], 0)
    with pytest.raises(InputError):
        overlap_probability([], [1.0])
