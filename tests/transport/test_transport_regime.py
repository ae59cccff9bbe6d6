"""The verdict "diffusive": how often it errs, and replicas that are judged together."""

import numpy as np
import pytest

from helpers.regime_table import called_diffusive, diffusive, not_diffusive
from helpers.walkers import brownian, hopping, in_crystal, subdiffusive
from vitrion.transport import analyze, combine

CELL = 12.0 * np.eye(3)
CHANCE = 77
"""Seed of a run of `HOPS` in which chance makes diffusion look otherwise."""
HOPS = hopping(300, 30, 5.0)


def result_of(scenario, seed):
    rng = np.random.default_rng(seed)
    positions, symbols = in_crystal(scenario.draw(rng), CELL, rng)
    return analyze(positions, CELL, symbols, 100.0, 600.0, wrapped=False)


@pytest.fixture(scope="module")
def refused():
    result = result_of(HOPS, CHANCE)
    assert not result.diffusive
    return result


def test_diffusion_is_refused_as_seldom_as_stated():
    """At most 2 %: 6 of 280 runs, and two counting errors more; it was 5 %."""
    missed = {name: 40 - called_diffusive(case, 40, seed=3) for name, case in diffusive().items()}
    print(missed)
    assert sum(missed.values()) <= 10
    assert max(missed.values()) <= 3


@pytest.mark.parametrize("name", not_diffusive())
def test_other_motion_does_not_pass(name):
    assert called_diffusive(not_diffusive()[name], 20, seed=4) <= 1


def test_a_run_that_chance_refuses_gives_a_bound_and_keeps_what_it_measured(refused):
    assert refused.self_diffusivity is None
    assert refused.conductivity is None
    assert refused.diffusivity_bound_cm2_s > HOPS.diffusivity * 1e-3
    kept = refused.provisional.self_diffusivity
    assert kept.value == pytest.approx(refused.apparent_diffusivity_cm2_s)


@pytest.mark.parametrize("n_others", [1, 2])
def test_replicas_outvote_chance_and_the_refused_one_takes_part(refused, n_others):
    """Leaving it out would bias the mean: it is refused because it looks slow."""
    others = [result_of(HOPS, seed) for seed in range(n_others)]
    together = combine([refused, *others])
    assert together.diffusive, together.regime.reason
    assert {f"Run 1: {warning}" for warning in refused.warnings} <= set(together.warnings)
    assert not any("left out" in warning for warning in together.warnings)
    parts = [refused.provisional, *others]
    weights = np.array([part.self_diffusivity.relative_error**-2 for part in parts])
    logs = np.log([part.self_diffusivity.value for part in parts])
    expected = np.exp(weights @ logs / weights.sum())
    assert together.self_diffusivity.value == pytest.approx(expected, rel=1e-6)
    assert together.self_diffusivity.interval()[0] < HOPS.diffusivity * 1e-3
    assert together.self_diffusivity.interval()[1] > HOPS.diffusivity * 1e-3
    assert together.diffusivity_bound_cm2_s is None
    assert together.provisional is None


def test_subdiffusion_that_single_replicas_hide_is_seen_in_all_of_them():
    runs = [result_of(subdiffusive(600, 20, 0.85), seed) for seed in range(10)]
    assert sum(run.diffusive for run in runs) > 5
    together = combine(runs)
    assert not together.diffusive
    assert together.conductivity is None
    assert together.regime.exponent + 3.0 * together.regime.exponent_error < 0.95
    # The bound is no looser than those of the single runs.
    single = [run.diffusivity_bound_cm2_s or run.self_diffusivity.upper_bound() for run in runs]
    assert 0.0 < together.diffusivity_bound_cm2_s <= np.mean(single) * (1 + 1e-12)
    # The provisional value is the mean of the runs, and is less certain than it says.
    parts = [run.provisional or run for run in runs]
    kept = together.provisional.self_diffusivity
    weights = np.array([part.self_diffusivity.relative_error**-2 for part in parts])
    logs = np.log([part.self_diffusivity.value for part in parts])
    assert kept.value == pytest.approx(np.exp(weights @ logs / weights.sum()), rel=1e-6)


def test_the_bound_of_replicas_holds_for_motion_without_hops():
    creep = brownian(300, 20, diffusivity=3e-4, vibration=0.3)
    held = []
    for pool in range(10):
        together = combine([result_of(creep, 10 * pool + seed) for seed in range(5)])
        if not together.diffusive:
            held.append(together.diffusivity_bound_cm2_s > creep.diffusivity * 1e-3)
    assert len(held) >= 5
    assert np.mean(held) >= 0.9


def test_a_replica_at_rest_is_left_out_with_a_warning_and_two_at_rest_give_a_bound():
    moving, still = result_of(HOPS, 0), [result_of(hopping(300, 30, 0.0), k) for k in range(2)]
    one = combine([moving, still[0]])
    assert one.diffusive
    assert "1 of 2 replicas hopped too seldom" in one.warnings[-1]
    both = combine([moving, *still])
    assert not both.diffusive
    assert both.regime.reason == "Not diffusive: only 1 of 3 replicas gave a value."
    assert both.diffusivity_bound_cm2_s > 0.0
    assert both.provisional is None


def test_replicas_of_different_lengths_are_judged_at_the_lags_that_each_has():
    long, short = result_of(hopping(600, 30, 10.0), 1), result_of(HOPS, 2)
    together = combine([long, short])
    assert together.diffusive
    assert together.regime.lags_ps == pytest.approx(long.regime.lags_ps)
    assert together.regime.exponent_errors[0] < long.regime.exponent_errors[0]
    assert together.regime.exponent_errors[-1] == pytest.approx(long.regime.exponent_errors[-1])
