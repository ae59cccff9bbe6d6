"""The kink of the energy of a quench: found if present, refused otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from vitrion.amorphous.glass_transition import QuenchCurve, glass_transition
from vitrion.transport.constants import KB_EV_PER_K

TRUE_K, GLASS, LIQUID = 700.0, 1.5, 2.3


def quench(rng, kink=TRUE_K, noise=0.006, n=600, liquid=LIQUID, time=20):
    """Return the curve of one quench from 1800 to 300 K with noise that lasts ``time`` frames."""
    t = np.linspace(1800.0, 300.0, n)
    e = KB_EV_PER_K * (GLASS * t + (liquid - GLASS) * np.maximum(t - kink, 0.0)) - 6.0
    steps = rng.normal(size=n)
    ou = np.zeros(n)
    for k in range(1, n):
        ou[k] = ou[k - 1] * (1 - 1 / time) + steps[k] * np.sqrt(2 / time)
    return QuenchCurve.from_frames(t, e + noise * ou)


def test_kink_and_heat_capacities_are_found():
    found = glass_transition([quench(np.random.default_rng(0), noise=0.001)])
    assert found.temperature_K == pytest.approx(TRUE_K, abs=40)
    assert found.glass_heat_capacity_kB == pytest.approx(GLASS, abs=0.1)
    assert found.liquid_heat_capacity_kB == pytest.approx(LIQUID, abs=0.1)
    assert found.low_K < found.temperature_K < found.high_K


def test_interval_covers_the_truth():
    """Of 200 quenches the 95 % interval holds the kink in 90 to 99 %."""
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(200):
        one = glass_transition([quench(rng, noise=0.004, time=3)])
        if one is not None:
            inside.append(one.low_K <= TRUE_K <= one.high_K)
    assert len(inside) > 190
    assert 0.90 <= np.mean(inside) <= 0.99


def test_replicas_narrow_the_interval():
    rng = np.random.default_rng(2)
    runs = [quench(rng, noise=0.004, time=3) for _ in range(8)]
    one, all_ = glass_transition(runs[:1]), glass_transition(runs)
    assert all_.n_quenches == 8
    assert all_.high_K - all_.low_K < 0.6 * (one.high_K - one.low_K)


def test_straight_line_has_no_transition():
    rng = np.random.default_rng(3)
    found = [glass_transition([quench(rng, liquid=GLASS, noise=0.004, time=3)]) for _ in range(100)]
    assert sum(one is not None for one in found) <= 4


def test_heat_capacity_that_falls_with_temperature_is_not_a_glass_transition():
    assert glass_transition([quench(np.random.default_rng(4), liquid=0.8, noise=0.001)]) is None


def test_few_frames_give_no_curve_and_no_curve_no_transition():
    assert quench(np.random.default_rng(5), n=60) is None
    assert glass_transition([]) is None
