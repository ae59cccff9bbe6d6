"""The error of an extrapolation after more runs is forecast from its parts."""

import numpy as np
import pytest

from vitrion.transport.arrhenius_fit import arrhenius
from vitrion.transport.arrhenius_points import ArrheniusPoint
from vitrion.transport.constants import KB_EV_PER_K
from vitrion.transport.error_parts import error_parts
from vitrion.uncertainty import Estimate

TEMPERATURES_K = (400.0, 440.0, 480.0, 520.0)
OWN = (0.5, 0.35, 0.25, 0.2)


def points(n_systems, seed, common=0.1, own=OWN):
    """Draw ln D of systems whose levels and energies differ, with errors of runs."""
    rng = np.random.default_rng([seed, n_systems])
    levels = rng.normal(scale=0.4, size=n_systems)
    energies = 0.45 + rng.normal(scale=0.03, size=n_systems)
    found = []
    for kelvin, error in zip(TEMPERATURES_K, own, strict=True):
        exact = levels - energies / KB_EV_PER_K * (1 / kelvin - 1 / 460.0) - 15.0
        logs = exact + error * rng.normal(size=n_systems)
        values = {
            str(k): Estimate(value=np.exp(log), relative_error=error, degrees_of_freedom=1e6)
            for k, log in enumerate(logs)
        }
        mean = Estimate(
            value=np.exp(logs.mean()),
            relative_error=np.hypot(np.sqrt(error**2 + 0.4**2) / np.sqrt(n_systems), common),
            degrees_of_freedom=n_systems - 1,
        )
        point = ArrheniusPoint(
            temperature_K=kelvin, diffusivity=mean, of_systems=values, common_error=common
        )
        found.append(point)
    return found


def error_at_300_K(found):
    return arrhenius(found).diffusivity_300K.relative_error


def test_the_parts_add_up_to_the_error_of_the_fit():
    found = points(6, seed=0)
    parts = error_parts(found, 300.0)
    assert np.sqrt(parts.variance()) == pytest.approx(error_at_300_K(found))
    assert min(parts.own) > 0.0
    assert parts.between > 0.0
    assert parts.common == pytest.approx(parts.common.T)
    alone = [ArrheniusPoint(**{**dict(point), "of_systems": {}}) for point in found]
    parts = error_parts(alone, 300.0)
    assert np.sqrt(parts.variance()) == pytest.approx(error_at_300_K(alone))
    assert parts.between == 0.0


def forecast_over_found(seeds, change, n_systems, **forecast):
    ratios = []
    for seed in seeds:
        predicted = np.sqrt(error_parts(points(6, seed), 300.0).variance(**forecast))
        ratios.append(predicted / error_at_300_K(points(n_systems, seed, **change)))
    print(f"forecast over found: {np.mean(ratios):.2f} +- {np.std(ratios):.2f}")
    return np.mean(ratios)


def test_more_systems_reduce_the_error_as_forecast():
    assert forecast_over_found(range(12), {}, 24, systems=4.0) == pytest.approx(1.0, abs=0.15)


def test_longer_runs_reduce_the_error_as_forecast():
    change = {"own": [error / 2 for error in OWN], "common": 0.05}
    found = forecast_over_found(range(12), change, 6, times=4.0, shared=0.5)
    assert found == pytest.approx(1.0, abs=0.15)
