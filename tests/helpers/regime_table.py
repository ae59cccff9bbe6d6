"""How often motion is called diffusive, counted over many synthetic runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from helpers.walkers import (
    Scenario,
    ballistic,
    brownian,
    confined,
    hopping,
    rattling,
    strings,
    subdiffusive,
)
from vitrion.transport.diffusivity import estimate_diffusivities
from vitrion.transport.msd import mean_squares
from vitrion.transport.regime import find_regime
from vitrion.transport.stays import find_stays

if TYPE_CHECKING:
    from vitrion.transport.result import Regime


def diffusive() -> dict[str, Scenario]:
    """Name the cases that diffuse."""
    return {
        "Brownian, 30 ions": brownian(600, 30, 0.05, vibration=0.3),
        "Brownian, 8 ions": brownian(300, 8, 0.5, vibration=0.3),
        "strings, 30 ions": strings(300, 30, 0.5),
        "1 hop an ion, 60 ions": hopping(600, 60, 1.0),
        "3 hops an ion, 20 ions": hopping(600, 20, 3.0),
        "8 hops an ion, 12 ions": hopping(600, 12, 8.0),
        "half undone, 40 ions": hopping(600, 40, 10.0, undone=0.5),
    }


def not_diffusive() -> dict[str, Scenario]:
    """Name the cases that do not."""
    return {
        "vibration": hopping(600, 30, 0.0),
        "to and fro, often": rattling(600, 30),
        "to and fro, seldom": rattling(600, 60, 0.005),
        "exponent 0.5, 60 ions": subdiffusive(600, 60, 0.5),
        "exponent 0.8, 60 ions": subdiffusive(600, 60, 0.8),
        "confined, early": confined(600, 40, 0.2),
        "confined, late": confined(600, 40, 0.1),
        "free flight": ballistic(400, 40),
        "exponent 1.4, 60 ions": subdiffusive(600, 60, 1.4),
    }


def verdict(scenario: Scenario, rng: np.random.Generator) -> Regime:
    """Draw one run and judge it."""
    paths = scenario.draw(rng)
    ones = np.ones(paths.shape[1])
    found = estimate_diffusivities(paths, 100.0, ("Li",) * len(ones), ones)
    return find_regime(
        mean_squares(paths, ones), 100.0, found.self_, find_stays(paths, 100.0).n_hops
    )


def called_diffusive(scenario: Scenario, n_runs: int, seed: int) -> int:
    """Count the runs that are called diffusive."""
    return sum(
        verdict(scenario, rng).diffusive for rng in np.random.default_rng(seed).spawn(n_runs)
    )
