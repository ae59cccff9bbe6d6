"""Estimates, bounds, differences and ratios: what they state, and that they hold it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from vitrion.errors import InputError
from vitrion.transport.combined_estimates import combine_estimates
from vitrion.uncertainty import (
    Bound,
    Estimate,
    LinearEstimate,
    ReplicaMean,
    difference,
    event_bound,
    interval_text,
    p_value,
    ratio,
    student_quantile,
    student_tail,
    verdict,
    welch_satterthwaite,
)

values = st.floats(-1e3, 1e3)
positive = st.floats(1e-9, 1e9)
errors = st.floats(1e-3, 10.0)
freedoms = st.one_of(st.floats(1.0, 1e4), st.just(math.inf))
estimates = st.builds(
    Estimate, value=positive, relative_error=st.floats(1e-3, 2.0), degrees_of_freedom=freedoms
)
linear = st.builds(LinearEstimate, value=values, error=errors, degrees_of_freedom=freedoms)


@given(linear, st.floats(0.5, 0.9), st.floats(0.91, 0.999))
def test_a_surer_interval_holds_a_less_sure_one(found, inner, outer):
    low, high = found.interval(inner)
    wide_low, wide_high = found.interval(outer)
    assert wide_low < low <= found.value <= high < wide_high
    assert high - found.value == pytest.approx(found.value - low, abs=1e-9)


@given(estimates)
def test_an_interval_of_a_logarithm_stays_positive_and_is_symmetric_in_it(found):
    low, high = found.interval_95
    assert 0.0 < low < found.value < high
    assert high / found.value == pytest.approx(found.value / low)
    assert found.low < found.interval_68[0]
    assert found.upper_bound(0.975) == pytest.approx(high)
    assert found.lower_bound(0.975) == pytest.approx(low)


@given(st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(1.0, 1e3)), min_size=1, max_size=6))
def test_effective_degrees_of_freedom_lie_between_the_least_and_the_sum(parts):
    """The Cauchy-Schwarz inequality gives both limits of the rule of Welch and Satterthwaite."""
    variances, own = (np.array(column) for column in zip(*parts, strict=True))
    found = welch_satterthwaite(variances, own)
    assert own.min() * (1 - 1e-9) <= found <= own.sum() * (1 + 1e-9)


def test_effective_degrees_of_freedom_match_the_scatter_of_a_variance():
    """The estimated variance of a sum has the relative variance 2 / f of a chi-square of f."""
    rng = np.random.default_rng(2)
    variances, own = np.array([1.0, 3.0]), np.array([4.0, 9.0])
    draws = (variances * rng.chisquare(own, (200_000, 2)) / own).sum(axis=1)
    assert welch_satterthwaite(variances, own) == pytest.approx(
        2.0 * draws.mean() ** 2 / draws.var(), rel=0.02
    )
    assert welch_satterthwaite([2.0, 5.0], [6.0, math.inf]) == pytest.approx(6.0 * 49.0 / 4.0)
    assert welch_satterthwaite([0.0, 5.0], [0.0, 7.0]) == pytest.approx(7.0)
    assert welch_satterthwaite([1.0], [math.inf]) == math.inf


@given(linear, linear)
def test_a_difference_changes_its_sign_with_the_order(first, second):
    change, back = difference(first, second), difference(second, first)
    assert change.value == -back.value
    assert change.error == pytest.approx(math.hypot(first.error, second.error))
    assert change.degrees_of_freedom == pytest.approx(back.degrees_of_freedom)
    assert p_value(change, "higher") == pytest.approx(p_value(back, "lower"), abs=1e-12)
    assert p_value(change, "higher") + p_value(change, "lower") == pytest.approx(1.0)


@given(estimates, estimates)
def test_a_ratio_times_its_inverse_is_one(first, second):
    one, inverse = ratio(first, second), ratio(second, first)
    assert one.value * inverse.value == pytest.approx(1.0)
    assert one.low * inverse.high == pytest.approx(1.0)
    assert one.scaled(10.0).interval_95 == pytest.approx([10.0 * end for end in one.interval_95])


def test_the_interval_of_a_difference_covers_with_unequal_scatter():
    """Three glasses of one sort less five of another that scatter thrice as much."""
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(4000):
        first = ReplicaMean.of(rng.normal(1.0, 0.1, 3)).estimate
        second = ReplicaMean.of(rng.normal(0.4, 0.3, 5)).estimate
        low, high = difference(first, second).interval_95
        inside += low <= 0.6 <= high
    assert 0.93 <= inside / 4000 <= 0.97


def test_the_test_of_a_difference_is_that_of_welch():
    """As scipy has it, from the samples, without the rule written down here."""
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(6)
    glass, other = rng.normal(0.4, 0.2, 4), rng.normal(0.7, 0.1, 6)
    change = difference(ReplicaMean.of(glass).estimate, ReplicaMean.of(other).estimate)
    expected = ttest_ind(glass, other, equal_var=False, alternative="less")
    assert change.degrees_of_freedom == pytest.approx(expected.df)
    assert p_value(change, "lower") == pytest.approx(expected.pvalue)
    interval = ttest_ind(glass, other, equal_var=False).confidence_interval(0.95)
    assert change.interval_95 == pytest.approx((interval.low, interval.high))


def test_an_unknown_error_is_not_an_error_of_zero():
    single = ReplicaMean.of([0.2]).estimate
    several = ReplicaMean.of([0.5, 0.7, 0.6]).estimate
    assert single.error is None
    assert single.text == "0.20"
    unknown = difference(several, single)
    assert unknown.interval_95 is None
    assert p_value(unknown, "higher") is None
    assert verdict(p_value(unknown, "higher")) == "undecided"
    crystal = difference(several, single.or_exact)
    assert crystal.error == pytest.approx(several.error)
    assert crystal.degrees_of_freedom == pytest.approx(2.0)
    assert several.or_exact is several
    with pytest.raises(InputError, match="at least one"):
        ReplicaMean.of([])


def test_verdicts_need_95_percent_on_either_side():
    assert [verdict(p) for p in (0.049, 0.051, 0.949, 0.951, None)] == [
        "supported", "undecided", "undecided", "contradicted", "undecided",
    ]  # fmt: skip
    exact = LinearEstimate(value=-1.0, error=0.0)
    assert (p_value(exact, "lower"), p_value(exact, "higher")) == (0.0, 1.0)
    assert p_value(LinearEstimate(value=0.0, error=0.0), "lower") == 0.5


def test_student_meets_the_normal_distribution():
    assert student_quantile(0.975, math.inf) == pytest.approx(1.959964, abs=1e-6)
    assert student_quantile(0.975, 2) == pytest.approx(4.302653, abs=1e-6)
    assert student_tail(1.959964, math.inf) == pytest.approx(0.025, abs=1e-7)
    assert student_tail(-1.0, 5) == pytest.approx(t.cdf(1.0, 5))


def test_bounds_in_words():
    assert Bound(limit=2e-4).text == "below 2.0e-4"
    assert Bound(limit=50.0, side="lower").text == "above 50"
    assert (Bound(limit=1.0).low, Bound(limit=1.0).high, Bound(limit=1.0).value) == (
        None,
        1.0,
        None,
    )


def test_no_event_leaves_a_mean_of_three():
    """exp(-mean) = 5 % is the chance of none; a bound with n events has 5 % for n or fewer."""
    assert event_bound(0) == pytest.approx(-math.log(0.05))
    mean = event_bound(2)
    assert math.exp(-mean) * (1 + mean + mean**2 / 2) == pytest.approx(0.05)


@given(st.lists(estimates, min_size=1, max_size=5))
def test_combined_runs_are_surer_than_the_surest(found):
    mean = combine_estimates(found, hierarchical=False)
    assert mean.relative_error <= min(one.relative_error for one in found) * (1 + 1e-9)
    logs = [math.log(one.value) for one in found]
    assert min(logs) - 1e-9 <= math.log(mean.value) <= max(logs) + 1e-9


def test_systems_that_differ_are_less_sure_than_runs_of_one():
    runs = [
        Estimate(value=value, relative_error=0.2, degrees_of_freedom=math.inf)
        for value in (1.0, 1.5, 0.7)
    ]
    one = combine_estimates(runs, hierarchical=False)
    several = combine_estimates(runs, hierarchical=True)
    assert several.relative_error > one.relative_error
    assert several.high - several.low > one.high - one.low
    same = combine_estimates([*runs, *runs], hierarchical=True, systems=[0, 1, 2, 0, 1, 2])
    apart = combine_estimates([*runs, *runs], hierarchical=True)
    assert same.relative_error > apart.relative_error


@given(estimates)
def test_what_is_stored_comes_back(found):
    assert Estimate.model_validate_json(found.model_dump_json()) == found
    assert Estimate.model_validate(found.model_dump()) == found


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (0.18, (0.11, 0.3), "0.18 (0.11 to 0.30)"),
        (-6.0812, (-6.0856, -6.0768), "-6.0812 (-6.0856 to -6.0768)"),
        (0.0, (0.0, 0.0), "0 (0 to 0)"),
        (2.7e-11, (2.69e-11, 2.71e-11), "2.7e-11 (2.7e-11 to 2.7e-11)"),
        (1500.0, (1499.0, 1501.0), "1500.0 (1499.0 to 1501.0)"),
    ],
)
def test_a_narrow_interval_is_shown_with_more_digits(value, interval, text):
    assert interval_text(value, interval) == text


def test_printed_values_are_readable():
    """They were the fields of the model, such as "value=0.18 relative_error=0.2"."""
    energy = LinearEstimate(value=0.45, error=0.05, degrees_of_freedom=math.inf)
    assert f"{energy}" == str(energy) == energy.text == "0.45 (0.35 to 0.55)"
    assert str(Bound(limit=2.0)) == "below 2.00"
