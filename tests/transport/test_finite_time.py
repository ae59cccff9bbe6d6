"""Diffusivities of disordered systems are corrected for the finite time of their runs."""

import math

import numpy as np
import pytest

from helpers import disordered_glasses
from helpers.disordered_glasses import CASES, count, glass
from helpers.walkers import in_crystal, subdiffusive
from vitrion.errors import InputError
from vitrion.report.figures.ion_transport import msd_panel
from vitrion.transport import analyze, combine
from vitrion.transport.finite_time import finite_time
from vitrion.transport.result import ESTIMATES
from vitrion.transport.rows import table


def test_a_run_that_no_longer_slows_down_is_not_corrected():
    found = finite_time(1.0, 0.0, 25.0)
    assert found.log_factor == 0.0
    assert found.error == pytest.approx(0.2 / 5)


def test_a_certain_exponent_is_extrapolated():
    """-(1 + 2.5 / sqrt(25)) per unit of the exponent's deviation, with half of it as error."""
    found = finite_time(0.8, 0.0, 25.0)
    assert found.log_factor == pytest.approx(-0.3)
    assert found.error == pytest.approx(math.hypot(0.15, 0.04))


def test_a_deviation_within_its_error_is_mostly_chance():
    certain, uncertain = (finite_time(0.8, error, 25.0) for error in (0.01, 0.3))
    assert uncertain.log_factor == pytest.approx(certain.log_factor / 5, rel=0.02)
    assert uncertain.error > certain.error


def test_motion_that_seems_to_become_faster_is_not_corrected_upwards():
    found = finite_time(1.2, 0.0, 25.0)
    assert found.log_factor == 0.0
    assert found.error == finite_time(0.8, 0.0, 25.0).error


def test_fewer_hops_are_further_from_the_end():
    many, few = (finite_time(0.8, 0.05, hops) for hops in (100.0, 4.0))
    assert few.log_factor < many.log_factor < 0.0
    assert few.error > many.error


@pytest.fixture(scope="module")
def runs():
    return [glass(CASES["1.5 kT, 15 hops an ion"], seed)[0][1] for seed in range(4)]


def test_glasses_are_corrected_and_crystals_are_not(runs):
    """Neither runs of one crystal, nor crystals that differ."""
    for hierarchical in (False, True):
        assert combine(runs, hierarchical=hierarchical).finite_time is None
        glasses = combine(runs, hierarchical=hierarchical, disordered=True)
        regime = glasses.regime
        found = glasses.finite_time
        expected = finite_time(regime.exponent, regime.exponent_error, glasses.hops.hops_per_ion)
        assert found.log_factor == pytest.approx(expected.log_factor)
        assert found.error == pytest.approx(expected.error)
        assert found.log_factor < 0.0


def test_every_value_but_the_haven_ratio_has_the_correction_and_its_error(runs):
    alone = runs[0]
    assert alone.diffusive
    found = combine([alone], hierarchical=True, disordered=True)
    factor = math.exp(found.finite_time.log_factor)
    for name in ESTIMATES:
        before, after = getattr(alone, name), getattr(found, name)
        if name == "haven_ratio":
            assert after == before
            continue
        assert after.value == pytest.approx(factor * before.value)
        assert after.relative_error == pytest.approx(
            math.hypot(before.relative_error, found.finite_time.error)
        )
    np.testing.assert_allclose(found.tensor_cm2_s, factor * np.array(alone.tensor_cm2_s))
    # The error of the correction is common to all glasses, so each one has its own alone.
    (own,) = found.self_of_systems.values()
    assert own.relative_error == pytest.approx(alone.self_diffusivity.relative_error)
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


def test_a_result_is_corrected_once(runs):
    found = combine(runs, disordered=True)
    for again in ([found], [found, runs[0]]):
        with pytest.raises(InputError, match="corrected already"):
            combine(again, disordered=True)


def test_short_runs_are_corrected_by_their_own_lags(runs, monkeypatch):
    """A long run has no need of the correction, and short runs beside it keep theirs."""
    monkeypatch.setattr(disordered_glasses, "N_FRAMES", 8000)
    monkeypatch.setattr(disordered_glasses, "TEMPERATURES_K", (440.0,))
    (long,), _ = glass(CASES["1.5 kT, 15 hops an ion"]._replace(hops_per_ion=120), 9)
    found = combine([*runs, long], disordered=True)
    regime = found.regime
    as_if_long = finite_time(regime.exponent, regime.exponent_error, found.hops.hops_per_ion)
    assert found.finite_time.log_factor < as_if_long.log_factor - 0.05


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
    assert found.finite_time.log_factor < -0.2
    assert found.self_diffusivity.relative_error > 0.15


def test_intervals_of_glasses_cover():
    """A few groups of the benchmark; without the correction half of the lines hold the truth."""
    found = count(CASES["1.5 kT, 5 hops an ion"], 8, n_glasses=3)
    assert np.mean(found.line_covered) >= 0.75
    assert np.mean(found.covered) >= 0.75
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
@pytest.mark.parametrize("name", CASES)
def test_intervals_of_five_glasses_cover(name):
    found = count(CASES[name], 20)
    print(found)
    assert np.mean(found.line_covered) >= 0.75
    assert np.mean(found.covered) >= 0.8
