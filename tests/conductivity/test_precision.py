"""The extension policy spends molecular dynamics where it helps, and knows when to stop."""

import numpy as np
import pytest

from helpers.walkers import hopping, in_crystal
from vitrion.conductivity.precision import judge, plan_extension
from vitrion.errors import InputError
from vitrion.transport import analyze, arrhenius
from vitrion.transport.constants import KB_EV_PER_K
from vitrion.transport.replicas import combine_temperatures
from vitrion.transport.result import FiniteTime

CELL = 15.0 * np.eye(3)
FRAME_FS = 100.0
TEMPERATURES = (500.0, 600.0, 700.0, 850.0)
FIXED_PS = 200.0  # at each temperature, whatever the material


class SyntheticRuns:
    """Runs at a ladder of temperatures that can be made longer, as molecular dynamics can."""

    def __init__(self, hops_per_ion_ns_at_800K, energy_eV, n_ions=30, seed=0):
        self.seed = seed
        self.n_ions = n_ions
        inverse = 1.0 / np.array(TEMPERATURES) - 1.0 / 800.0
        self.rates = hops_per_ion_ns_at_800K * np.exp(-energy_eV / KB_EV_PER_K * inverse)
        self.lengths_ps = dict.fromkeys(TEMPERATURES, 0.0)

    @property
    def spent_ps(self):
        return sum(self.lengths_ps.values())

    def extend(self, extensions_ps):
        for temperature, more in extensions_ps.items():
            self.lengths_ps[temperature] += more

    def results(self):
        return [self.result(k, t) for k, t in enumerate(TEMPERATURES)]

    def result(self, k, temperature):
        n_frames = int(1000.0 * self.lengths_ps[temperature] / FRAME_FS) + 1
        hops = self.rates[k] * self.lengths_ps[temperature] / 1000.0
        rng = np.random.default_rng([self.seed, k])
        paths = hopping(n_frames, self.n_ions, hops).draw(rng)
        positions, symbols = in_crystal(paths, CELL, rng, n_framework=5)
        return analyze(positions, CELL, symbols, FRAME_FS, temperature, wrapped=False)


def follow(runs, target, budget_ps, goal="300K", first_ps=20.0):
    """Run the loop of the Maker; return the last plan."""
    runs.extend(dict.fromkeys(TEMPERATURES, first_ps))
    for _ in range(30):
        plan = plan_extension(runs.results(), target, budget_ps - runs.spent_ps, goal=goal)
        if not plan.extensions_ps:
            return plan
        runs.extend(plan.extensions_ps)
    pytest.fail("the plan does not end")


def test_a_fast_conductor_stops_early():
    """20 % at every temperature takes a fraction of the fixed length, which is far more precise."""
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=200.0, energy_eV=0.2)
    plan = follow(runs, 0.2, budget_ps=FIXED_PS * len(TEMPERATURES), goal="each")
    assert plan.reached
    assert all(result.conductivity.relative_error <= 0.2 for result in runs.results())
    print(f"fast: {runs.spent_ps:.0f} ps instead of {FIXED_PS * len(TEMPERATURES):.0f} ps")
    assert runs.spent_ps < 0.7 * FIXED_PS * len(TEMPERATURES)


def test_a_slow_conductor_moves_effort_to_the_cold_end():
    """For 20 % at every temperature, equal lengths would have to follow the coldest one."""
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=40.0, energy_eV=0.25)
    plan = follow(runs, 0.2, budget_ps=20000.0, goal="each")
    assert plan.reached
    longest = max(runs.lengths_ps.values())
    print(f"slow: {runs.spent_ps:.0f} ps instead of {longest * len(TEMPERATURES):.0f} ps")
    assert runs.lengths_ps[500.0] == longest
    assert runs.spent_ps < 0.7 * longest * len(TEMPERATURES)


def test_extrapolation_costs_less_than_equal_lengths():
    """The same error of sigma(300 K) with less time than when all runs are equally long."""
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=200.0, energy_eV=0.25, seed=5)
    plan = follow(runs, 0.35, budget_ps=20000.0)
    assert plan.reached
    equal = SyntheticRuns(hops_per_ion_ns_at_800K=200.0, energy_eV=0.25, seed=5)
    equal.extend(dict.fromkeys(TEMPERATURES, runs.spent_ps / len(TEMPERATURES)))
    left = plan_extension(equal.results(), 0.35, 1e6)
    print(f"sigma(300 K): {plan.relative_error:.2f} planned, {left.relative_error:.2f} equal")
    assert left.relative_error > plan.relative_error


def test_what_never_moves_ends_with_a_bound_and_no_waste():
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=1e-3, energy_eV=0.3)
    plan = follow(runs, 0.2, budget_ps=400.0)
    assert not plan.reached
    assert runs.spent_ps <= 200.0
    assert all(result.diffusivity_bound_cm2_s > 0.0 for result in runs.results())


def test_a_temperature_without_a_value_is_not_within_any_target():
    """Also where the budget is too small to see it move."""
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=200.0, energy_eV=0.25, seed=5)
    runs.extend(dict.fromkeys(TEMPERATURES, 100.0))
    still = SyntheticRuns(0.0, 0.25)
    still.extend(dict.fromkeys(TEMPERATURES, 100.0))
    results = [*still.results()[:1], *runs.results()[1:]]
    moving = [result.conductivity.relative_error for result in results[1:]]
    target = 1.1 * max(moving)
    assert target < 1.0
    plan = plan_extension(results, target, 1.0, goal="each")
    assert not plan.reached
    assert plan.relative_error is None
    assert plan.reason == (
        "The relative error is unknown, because no diffusion was observed; no extension within the "
        "budget would reduce it."
    )
    assert plan_extension(results[1:], target, 1.0, goal="each").reached


def test_the_budget_is_kept_and_named():
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=100.0, energy_eV=0.25)
    plan = follow(runs, 0.02, budget_ps=150.0, goal="each")
    assert not plan.reached
    assert "budget" in plan.reason
    assert runs.spent_ps == pytest.approx(150.0, abs=1e-6)


def test_what_does_not_enter_the_fit_gets_no_time_and_does_not_count():
    """Above the melting point no value is of use, however precise it makes the line look."""
    runs = SyntheticRuns(hops_per_ion_ns_at_800K=200.0, energy_eV=0.25, seed=5)
    runs.extend(dict.fromkeys(TEMPERATURES, 100.0))
    results = runs.results()
    whole = plan_extension(results, 0.01, 1e6)
    assert 850.0 in whole.extensions_ps
    for limit in ("melting_K", "glass_transition_K"):
        plan = plan_extension(results, 0.01, 1e6, **{limit: 750.0})
        assert plan.extensions_ps
        assert max(plan.extensions_ps) < 750.0
        fit = arrhenius(results, **{limit: 750.0})
        assert plan.relative_error == fit.sigma_300K.relative_error
        assert plan.relative_error > whole.relative_error
        # The target that the hot runs alone would have met is not met.
        between = (plan.relative_error + whole.relative_error) / 2
        assert plan_extension(results, between, 1e6).reached
        assert not plan_extension(results, between, 1e6, **{limit: 750.0}).reached


def test_runs_at_rest_above_the_melting_point_get_no_time():
    runs = SyntheticRuns(0.0, 0.3)
    runs.extend(dict.fromkeys(TEMPERATURES, 20.0))
    results = runs.results()
    assert sorted(plan_extension(results, 0.3, 200.0, melting_K=750.0).extensions_ps) == [600, 700]
    alone = plan_extension(results, 0.3, 200.0, melting_K=550.0)  # one temperature makes no line
    assert alone.extensions_ps == {}
    assert not alone.reached


@pytest.mark.parametrize("target", [0.0, -0.1, 1.0, float("nan")])
def test_an_impossible_target_is_refused(target):
    with pytest.raises(InputError, match="target"):
        plan_extension([], target, 100.0)


def test_what_replicas_cost_together_must_be_within_the_budget():
    """Four replicas of each of two temperatures need 160 ps where one would need 40."""
    runs = SyntheticRuns(0.0, 0.3)
    runs.extend(dict.fromkeys(TEMPERATURES, 20.0))
    one = runs.results()
    four = [
        run.model_copy(update={"n_replicas": 4, "duration_ps": 4 * run.duration_ps}) for run in one
    ]
    assert sorted(plan_extension(one, 0.3, 50.0).extensions_ps) == [700.0, 850.0]
    assert plan_extension(four, 0.3, 50.0).extensions_ps == {}
    assert plan_extension(four, 0.3, 50.0).reason.endswith(
        "no extension within the budget would reduce it."
    )
    assert sorted(plan_extension(four, 0.3, 170.0).extensions_ps) == [700.0, 850.0]


@pytest.fixture(scope="module")
def differing():
    """Return results of four systems whose diffusivities differ more than the errors of runs."""
    levels = (20.0, 60.0, 180.0, 540.0)
    systems = [SyntheticRuns(level, 0.25, seed=k) for k, level in enumerate(levels)]
    for runs in systems:
        runs.extend(dict.fromkeys(TEMPERATURES, 100.0))
    groups = list(zip(*(runs.results() for runs in systems), strict=True))
    return combine_temperatures(groups, hierarchical=True)


SYSTEM_PS = 450.0


def test_systems_are_added_if_they_differ(differing):
    """As many as the budget allows, at most as many as there are, and no more than needed."""
    for budget_ps, expected in ((1000.0, 2), (1e5, 4)):
        plan = plan_extension(differing, 0.1, budget_ps, system_ps=SYSTEM_PS)
        assert plan.more_systems == expected
        assert not plan.extensions_ps
        assert plan.goes_on
        assert plan.reason.endswith(f": adding {expected} systems, because they differ.")
    nearly = 0.95 * plan.relative_error
    assert plan_extension(differing, nearly, 1e5, system_ps=SYSTEM_PS).more_systems == 1


def test_runs_are_not_extended_if_it_would_not_help(differing):
    """The systems that would are named, if none can be added."""
    for budget_ps, why in ((1e5, "no extension within the budget would"), (0.0, "the time budget")):
        plan = plan_extension(differing, 0.3, budget_ps)
        assert not plan.goes_on
        assert why in plan.reason
        needed = int(plan.reason.split("about ")[1].split()[0])
        n = differing[0].n_replicas
        factor = (n + needed) / n
        assert plan.relative_error / np.sqrt(factor) == pytest.approx(0.3, rel=0.05)
        total_ns = factor * sum(result.duration_ps for result in differing) / 1000.0
        assert plan.reason.endswith(f" needed, {total_ns:.2g} ns of dynamics in all.")


def test_results_are_judged_without_a_plan(differing):
    fit = arrhenius(differing)
    plan = judge(differing, fit)
    assert not plan.goes_on
    assert not plan.reached
    error = f"{fit.sigma_300K.relative_error:.0%}"
    assert plan.reason.startswith(f"The relative error is {error}, above the target of 30%; about")
    assert "more systems would be needed" in plan.reason
    assert judge(differing, fit, 0.9).reason.endswith("within the target of 90%.")


def test_longer_runs_are_named_if_more_systems_would_not_do(differing):
    """The error of the correction for finite time is that of all glasses."""
    correction = FiniteTime(log_factor=-0.5, error=0.25, amplitude=0.3, fading_hops=4.0)
    glasses = [
        result.model_copy(
            update={
                "finite_time": correction,
                "self_diffusivity": result.self_diffusivity.widened(correction.error),
            }
        )
        for result in differing
    ]
    fit = arrhenius(glasses, quantity="self")
    reason = judge(glasses, fit, 0.3).reason
    assert "runs 4 times as long at" in reason or "runs 2 times as long at" in reason
    assert "more glasses would be needed" in reason
    assert judge(glasses, fit, 0.01).reason.endswith(
        "runs 16 times as long and more glasses would not be enough."
    )


def test_a_system_that_costs_too_much_is_not_added(differing):
    plan = plan_extension(differing, 0.1, 1e5, system_ps=1e6)
    assert plan.more_systems == 0
