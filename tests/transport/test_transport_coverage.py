"""Stated intervals hold the truth as often as they say, and estimates are not biased."""

import numpy as np
import pytest

from helpers.coverage_table import count_ladders, count_runs, ladders, run_scenarios
from helpers.walkers import brownian
from vitrion.transport.diffusivity import estimate_diffusivities
from vitrion.transport.result import Estimate

RUNS = 250
LADDERS = 120


def report(tallies):
    print()
    for tally in tallies:
        print(tally)


def assert_covered(tallies):
    report(tallies)
    wrong = [str(tally) for tally in tallies if not tally.holds()]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", run_scenarios())
def test_intervals_of_one_run_cover(name):
    tallies = count_runs(name, run_scenarios()[name], RUNS, seed=1)
    assert_covered(tallies)
    if name.startswith("Brownian"):
        for tally in tallies:
            assert abs(tally.bias) < 0.02 + 2.0 * tally.bias_error, str(tally)


@pytest.mark.parametrize("name", ladders())
def test_intervals_of_the_arrhenius_fit_cover(name):
    tallies = count_ladders(name, ladders()[name], LADDERS, seed=2)
    assert_covered(tallies)
    for tally in tallies:
        assert abs(tally.bias) < 0.02 + 2.0 * tally.bias_error, str(tally)


@pytest.mark.parametrize("error_factor", [0.5, 2.0])
def test_the_coverage_test_can_fail(error_factor, monkeypatch):
    """Errors that are stated half or twice as large as they are do not pass."""
    interval = Estimate.interval

    def misstated(self, level=0.95):
        wrong = self.model_copy(update={"relative_error": error_factor * self.relative_error})
        return interval(wrong, level)

    monkeypatch.setattr(Estimate, "interval", misstated)
    tallies = count_runs("Brownian", brownian(100, 10), RUNS, seed=3)
    assert not any(tally.holds() for tally in tallies)


def test_error_shrinks_as_the_square_root_of_the_run():
    """Four times the time halves the error, of D* and D_sigma alike."""
    errors = []
    for n_frames in (250, 1000):
        paths = brownian(n_frames, 20).draw(np.random.default_rng(0))
        found = estimate_diffusivities(paths, 1.0, ("Li",) * 20, np.ones(20))
        errors.append((found.self_.relative_error, found.collective.relative_error))
    ratio = np.divide(*errors)
    assert ratio[0] == pytest.approx(2.0, rel=0.35)
    assert ratio[1] == pytest.approx(2.0, rel=0.1)
