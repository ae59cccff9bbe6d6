"""Diffusivities of disordered systems are corrected for the finite time of their runs."""

import math

import numpy as np
import pytest

from helpers import disordered_glasses
from helpers.disordered_glasses import CASES, OTHERS, count, glass
from helpers.walkers import in_crystal, subdiffusive
from vitrion.errors import InputError
from vitrion.report.figures.ion_transport import msd_panel
from vitrion.transport import analyze, combine, combine_temperatures
from vitrion.transport.arrhenius_fit import arrhenius
from vitrion.transport.arrhenius_points import COMMON_CORRELATION, cells
from vitrion.transport.constants import MSD_A2_PER_PS
from vitrion.transport.finite_time import correction
from vitrion.transport.result import ESTIMATES
from vitrion.transport.rows import table
from vitrion.transport.slowing import Slowing, slowing

RATE = 0.02
"""Hops of an ion per ps."""


def known(rate, amplitude, error, fading=4.0):
    """Return a slowing whose h0 is certain."""
    return Slowing(rate, *(np.array([one]) for one in (fading, 1.0, amplitude, error)))


def with_law(run, amplitude, fading=4.0, error=0.03):
    """Return a run whose D decreases to its own as ``(1 + fading/h)^amplitude``, without noise."""
    lags = np.array(run.msd.lag_ps)
    times = np.geomspace(1e-3, lags[-1], 4000)
    at_infinity = MSD_A2_PER_PS * run.self_diffusivity.value
    late = at_infinity * (1.0 + fading / (RATE * times)) ** amplitude
    msd = np.concatenate([[0.0], np.cumsum(np.diff(times) * (late[1:] + late[:-1]) / 2)])
    hops = RATE * np.array(run.regime.lags_ps)
    slopes = {
        "exponents": (1.0 - amplitude / (1.0 + hops / fading)).tolist(),
        "exponent_errors": [error] * len(hops),
    }
    n_hops = round(RATE * run.n_mobile * run.duration_ps)
    return run.model_copy(
        update={
            "msd": run.msd.model_copy(update={"msd_A2": np.interp(lags, times, msd).tolist()}),
            "regime": run.regime.model_copy(update=slopes),
            "hops": run.hops.model_copy(update={"n_hops": n_hops}),
        }
    )


@pytest.mark.parametrize("amplitude", [0.0, 0.15, 0.4])
def test_the_law_of_slowing_is_found_and_extrapolated(runs, amplitude):
    run = with_law(runs[0], amplitude)
    (found,) = slowing([[run] * 4])
    assert found.hops_per_ps == pytest.approx(RATE, rel=0.01)
    assert found.amplitude == pytest.approx(amplitude, abs=0.03)
    assert correction(run, found).log_factor == pytest.approx(0.0, abs=0.08)
    exact = correction(run, known(RATE, amplitude, 0.0))
    assert exact.log_factor == pytest.approx(0.0, abs=0.04)


def test_what_remains_is_the_integral_of_the_slope():
    """From 0.02 * 50 ps = 1 hop on: A ln(1 + h0/1)."""
    remaining, error = known(0.02, 0.2, 0.05).remaining(50.0)
    assert remaining == pytest.approx(0.2 * math.log(5.0))
    assert error == pytest.approx(
        math.hypot(0.05 * math.log(5.0), 0.03 * math.log(5.0), 0.15 * remaining)
    )


def test_an_unknown_law_is_part_of_the_error():
    apart = known(0.02, 0.2, 0.0)._replace(
        fading_hops=np.array([2.0, 8.0]),
        weights=np.array([0.5, 0.5]),
        amplitudes=np.array([0.2, 0.2]),
        errors=np.zeros(2),
    )
    remaining, error = apart.remaining(50.0)
    low, high = 0.2 * math.log(3.0), 0.2 * math.log(9.0)
    assert remaining == pytest.approx((low + high) / 2)
    assert error > (high - low) / 2


def test_long_runs_show_after_how_many_hops_the_slowing_ends(runs):
    """Their evidence weights the values of h0; short runs leave the prior."""
    lags = {"lags_ps": (np.array(runs[0].regime.lags_ps) * 20.0).tolist()}
    long = runs[0].model_copy(update={"regime": runs[0].regime.model_copy(update=lags)})
    for fading in (1.5, 10.0):
        run = with_law(long, 0.3, fading, error=0.01)
        (found,) = slowing([[run] * 6])
        assert abs(math.log(found.weights @ found.fading_hops / fading)) < 0.5
    assert slowing([[with_law(runs[0], 0.3, error=0.2)]])[0].weights.max() < 0.15


def test_motion_that_seems_to_become_faster_is_not_extrapolated_upwards(runs):
    steady, faster = (correction(runs[0], known(0.02, amplitude, 0.05)) for amplitude in (0, -1))
    assert faster == steady


def test_a_temperature_of_few_hops_learns_the_slowing_from_others(runs):
    moving = with_law(runs[0], 0.2).model_copy(update={"temperature_K": 480.0})
    still = with_law(runs[0], 0.2, error=9.0).model_copy(update={"temperature_K": 400.0})
    cold, warm = slowing([[still] * 4, [moving] * 4])
    np.testing.assert_allclose(cold.amplitudes, warm.amplitudes * (480 / 400) ** 2, rtol=0.1)
    assert (warm.errors < cold.errors).all()
    (alone,) = slowing([[still] * 4])
    assert alone.amplitude == 0.0
    assert (alone.errors > 0.3).all()
    weak = with_law(runs[0], 0.5, error=0.2).model_copy(update={"temperature_K": 400.0})
    between = slowing([[weak] * 2, [moving] * 4])[0]
    assert cold.amplitude < between.amplitude < slowing([[weak] * 2])[0].amplitude
    assert (between.errors < cold.errors).all()


def test_all_temperatures_are_combined_with_one_law(runs):
    hot = at_520_K(runs, 0.4, error=0.02)
    alone = combine(runs, disordered=True)
    (found, _) = combine_temperatures([runs, hot], disordered=True)
    assert found.finite_time.amplitude > alone.finite_time.amplitude + 0.05
    assert found.finite_time.fading_hops != alone.finite_time.fading_hops


def test_systems_are_named_by_temperature_and_materials_agree(runs):
    for systems in ([0, 1, 2, 3], [[0, 1, 2, 3]] * 2):
        with pytest.raises(InputError, match="one list for each temperature"):
            combine_temperatures([runs], systems=systems)
    other = runs[0].model_copy(update={"mobile": {"Na": 1.0}, "temperature_K": 520.0})
    with pytest.raises(InputError):
        combine_temperatures([runs, [other]])


def test_errors_that_temperatures_share_are_correlated(runs):
    """More so at one temperature than at two."""
    hot = at_520_K(runs, 0.2)
    points = combine_temperatures([runs, hot], hierarchical=True, disordered=True)
    found = cells(arrhenius(points, quantity="self").points)
    covariance = found.covariance
    n, (cold, warm) = len(found.systems) // 2, (point.finite_time.error for point in points)
    assert covariance[0, 1] == pytest.approx(cold**2)
    assert covariance[0, n] == pytest.approx(COMMON_CORRELATION * cold * warm)


def test_liquid_runs_show_nothing_of_the_solid(runs):
    """Neither runs whose framework diffuses, nor those above a given temperature."""
    hot = at_520_K(runs, 0.0, error=0.01)
    liquid = [
        run.model_copy(update={"framework": run.framework.model_copy(update={"diffuses": True})})
        for run in hot
    ]
    (alone,) = slowing([runs])
    assert slowing([runs, hot])[0].amplitude < 0.9 * alone.amplitude
    for groups, limit in (([runs, liquid], math.inf), ([runs, hot], 500.0)):
        cold = slowing(groups, limit)[0]
        np.testing.assert_allclose(cold.amplitudes, alone.amplitudes)
    found, _ = combine_temperatures([runs, hot], disordered=True, glass_transition_K=500.0)
    expected = combine(runs, disordered=True).finite_time.log_factor
    assert found.finite_time.log_factor == pytest.approx(expected)


def test_amplitudes_that_scatter_have_a_larger_error(runs):
    """The errors of the slopes of single runs are too small if few ions move."""
    alike = [with_law(runs[0], 0.2) for _ in range(4)]
    apart = [with_law(runs[0], amplitude) for amplitude in (-0.4, 0.0, 0.4, 0.8)]
    assert (slowing([apart])[0].errors > 2.0 * slowing([alike])[0].errors).all()


def test_a_run_whose_msd_does_not_grow_has_no_value(runs):
    still, also = (
        run.model_copy(
            update={"msd": run.msd.model_copy(update={"msd_A2": [level] * len(run.msd.lag_ps)})}
        )
        for run, level in zip(runs, (1.0, 1.1), strict=False)
    )
    assert correction(still, known(0.02, 0.2, 0.05)) is None
    found = combine([still, *runs[1:]], hierarchical=True, disordered=True)
    assert any("1 of 4 replicas" in warning for warning in found.warnings)
    assert list(found.self_of_systems) == ["1", "2", "3"]
    for none in ([still], [still, also], [still, also, runs[2]]):
        refused = combine(none, disordered=True)
        assert not refused.diffusive
        assert refused.self_diffusivity is None
        assert refused.diffusivity_bound_cm2_s > 0.0


def valued(run):
    """Return a run with its values, also if they are provisional."""
    return run if run.diffusive else run.model_copy(update=dict(run.provisional))


def at_520_K(runs, amplitude, **options):
    """Return runs that follow the law at another temperature."""
    hot = {"temperature_K": 520.0}
    return [with_law(valued(run), amplitude, **options).model_copy(update=hot) for run in runs]


@pytest.fixture(scope="module")
def runs():
    return [glass(CASES["1.5 kT, 15 hops an ion"], seed)[0][1] for seed in range(4)]


def test_glasses_are_corrected_and_crystals_are_not(runs):
    """Neither runs of one crystal, nor crystals that differ."""
    for hierarchical in (False, True):
        assert combine(runs, hierarchical=hierarchical).finite_time is None
        glasses = combine(runs, hierarchical=hierarchical, disordered=True)
        found = glasses.finite_time
        (slow,) = slowing([runs])
        expected = [correction(valued(run), slow) for run in runs]
        assert found.log_factor == pytest.approx(-np.mean([one.remaining for one in expected]))
        assert found.error == pytest.approx(np.mean([one.error for one in expected]))
        assert found.log_factor < 0.0
        assert found.amplitude == slow.amplitude


def test_every_value_but_the_haven_ratio_has_the_correction_and_its_error(runs):
    alone = runs[0]
    assert alone.diffusive
    found = combine([alone], hierarchical=True, disordered=True)
    growth = correction(alone, slowing([[alone]])[0])
    factor = math.exp(growth.log_factor)
    for name in ESTIMATES:
        before, after = getattr(alone, name), getattr(found, name)
        if name == "haven_ratio":
            assert after == before
            continue
        assert after.value == pytest.approx(factor * before.value)
        own_error = max(before.relative_error, growth.own_error)
        assert after.relative_error == pytest.approx(math.hypot(own_error, growth.error))
    np.testing.assert_allclose(found.tensor_cm2_s, factor * np.array(alone.tensor_cm2_s))
    # The error of the correction is common to all glasses, so each one has its own alone.
    (own,) = found.self_of_systems.values()
    least = max(alone.self_diffusivity.relative_error, growth.own_error)
    assert own.relative_error == pytest.approx(least)
    assert own.value == pytest.approx(factor * alone.self_diffusivity.value)
    # It belongs to both formulas, so it does not choose one.
    assert found.headline == alone.headline


def test_tables_and_figures_state_the_correction(runs):
    found = combine(runs, disordered=True)
    (row,) = [row for row in table(found) if row.label.startswith("finite time")]
    factor = math.exp(found.finite_time.log_factor)
    assert (row.value, row.interval) == (
        f"x {factor:.2f}",
        f"standard error {found.finite_time.error:.0%}",
    )
    (line,) = [mark for mark in msd_panel([found]).marks if "D* = " in getattr(mark, "label", "")]
    assert line.label.endswith(", corrected")
    assert line.x[0] >= found.regime.end_ps / 16
    assert not any(row.label.startswith("finite time") for row in table(runs[0]))


def test_means_of_replicas_are_corrected_by_the_lags_of_one(runs):
    pairs = [combine(runs[:2]), combine(runs[2:])]
    assert all(pair.diffusive for pair in pairs)
    means, single = combine(pairs, disordered=True), combine(runs, disordered=True)
    assert means.finite_time.log_factor == pytest.approx(single.finite_time.log_factor, abs=0.1)
    ratio = means.self_diffusivity.value / single.self_diffusivity.value
    assert abs(math.log(ratio)) < 0.3


def test_a_result_is_corrected_once(runs):
    found = combine(runs, disordered=True)
    for again in ([found], [found, runs[0]]):
        with pytest.raises(InputError, match="corrected already"):
            combine(again, disordered=True)


def test_short_runs_are_corrected_by_their_own_lags(runs, monkeypatch):
    """A long run has less need of the correction than short ones beside it."""
    monkeypatch.setattr(disordered_glasses, "N_FRAMES", 8000)
    monkeypatch.setattr(disordered_glasses, "TEMPERATURES_K", (440.0,))
    (long,), _ = glass(CASES["1.5 kT, 15 hops an ion"]._replace(hops_per_ion=120), 9)
    (slow,) = slowing([[*runs, long]])
    of_long, of_short = correction(long, slow), [correction(valued(run), slow) for run in runs]
    assert of_long.error < 0.5 * min(one.error for one in of_short)


def with_exponent(exponent):
    """Five runs whose MSD grows as a power of time."""
    runs, cell = [], 12.0 * np.eye(3)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        paths = subdiffusive(600, 30, exponent).draw(rng)
        positions, symbols = in_crystal(paths, cell, rng)
        runs.append(analyze(positions, cell, symbols, 100.0, 500.0, wrapped=False))
    return runs


def test_weak_slowing_of_glasses_is_no_reason_for_a_bound():
    """The exponent 0.8 of several runs is certain; those of a crystal have a bound then."""
    runs = with_exponent(0.8)
    assert not combine(runs).diffusive
    assert not combine(runs, hierarchical=True).diffusive
    found = combine(runs, hierarchical=True, disordered=True)
    assert found.diffusive
    assert found.finite_time.amplitude == pytest.approx(0.2, abs=0.1)
    assert found.finite_time.log_factor < 0.0


def test_intervals_of_glasses_cover():
    """A few groups of the benchmark; without the correction half of the lines hold the truth."""
    found = count(CASES["1.5 kT, 5 hops an ion"], 8, n_glasses=3)
    assert np.mean(found.line_covered) >= 0.75
    assert np.mean(found.covered) >= 0.85
    assert all(found.valued)


def test_motion_that_becomes_faster_is_not_taken_for_a_glass():
    assert not combine(with_exponent(1.3), disordered=True).diffusive


@pytest.mark.parametrize(("seed", "valued"), [(24, False), (37, True)])
def test_a_value_that_is_unknown_by_factors_of_ten_is_none(seed, valued, monkeypatch):
    """Trapped ions whose D, or whose collective D, had an error of ln D of 250, or of 14."""
    monkeypatch.setattr(disordered_glasses, "TEMPERATURES_K", (400.0,))
    (run,), _ = glass(CASES["sites 4 kT, 15 hops an ion"], seed)
    assert not run.diffusive
    assert (run.provisional is not None) == valued
    if valued:
        assert run.provisional.collective_diffusivity is None
    assert run.diffusivity_bound_cm2_s > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES | OTHERS)
def test_intervals_of_five_glasses_cover(name):
    found = count((CASES | OTHERS)[name], 20)
    print(found)
    assert np.mean(found.line_covered) >= 0.8
    assert np.mean(found.covered) >= 0.8
