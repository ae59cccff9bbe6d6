"""How often stated intervals hold the truth, counted over many synthetic runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from helpers.walkers import Scenario, brownian, hopping, strings
from vitrion.transport.arrhenius_fit import arrhenius
from vitrion.transport.arrhenius_points import ArrheniusPoint
from vitrion.transport.constants import KB_EV_PER_K
from vitrion.transport.diffusivity import estimate_diffusivities

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitrion.transport.result import Estimate

FRAME_FS = 100.0
"""Time between frames: hops are of averages over no more than one."""
LEVELS = (0.68, 0.95)
ACCEPTED = ((0.63, 0.73), (0.92, 0.98))
"""Fractions of runs whose 68 and 95 % intervals may hold the truth."""


@dataclass
class Tally:
    """Counts for one quantity in one scenario."""

    scenario: str
    quantity: str
    truth: float
    relative: bool = True  # bias as a fraction of the truth, or as it is
    values: list[float] = field(default_factory=list)
    held: list[tuple[bool, bool]] = field(default_factory=list)

    def add(self, value: float, intervals: list[tuple[float, float]]) -> None:
        self.values.append(value)
        self.held.append(tuple(low <= self.truth <= high for low, high in intervals))

    @property
    def coverage(self) -> np.ndarray:
        """Fractions of runs in which the 68 and the 95 % interval held the truth."""
        return np.mean(self.held, axis=0)

    @property
    def bias(self) -> float:
        return (np.mean(self.values) - self.truth) / (self.truth if self.relative else 1.0)

    @property
    def bias_error(self) -> float:
        scale = self.truth if self.relative else 1.0
        return float(np.std(self.values) / np.sqrt(len(self.values)) / scale)

    def holds(self) -> bool:
        """Whether both coverages lie in the accepted range, give or take two counting errors."""
        n = len(self.held)
        return all(
            low - 2.0 * np.sqrt(level * (1 - level) / n)
            <= seen
            <= high + 2.0 * np.sqrt(level * (1 - level) / n)
            for seen, level, (low, high) in zip(self.coverage, LEVELS, ACCEPTED, strict=True)
        )

    def __str__(self) -> str:
        inner, outer = 100.0 * self.coverage
        return (
            f"{self.scenario:34s} {self.quantity:10s} n={len(self.held):5d}  "
            f"68%: {inner:5.1f}  95%: {outer:5.1f}  "
            f"bias {100 * self.bias:+6.2f} +- {100 * self.bias_error:.2f} %"
        )


def run_scenarios() -> dict[str, Scenario]:
    """Name the cases of single runs."""
    return {
        "Brownian, 30 ions": brownian(300, 30),
        "Brownian with vibration, 8 ions": brownian(300, 8, vibration=2.0),
        "Brownian strings, Haven 1/3": strings(300, 30, 0.5),
        "hopping, 1 hop an ion, 100 ions": hopping(300, 100, 1.0),
        "hopping, 5 hops an ion, 30 ions": hopping(300, 30, 5.0),
        "hopping, 10 hops an ion, 3 ions": hopping(300, 3, 10.0),
        "hopping, half undone, 50 ions": hopping(600, 50, 10.0, undone=0.5),
    }


def count_runs(name: str, scenario: Scenario, n_runs: int, seed: int) -> list[Tally]:
    """Tally D*, D_sigma and H over independent runs."""
    truths = (scenario.diffusivity, scenario.diffusivity / scenario.haven, scenario.haven)
    quantities = zip(("D*", "D_sigma", "H"), truths, strict=True)
    tallies = [Tally(name, quantity, truth) for quantity, truth in quantities]
    for rng in np.random.default_rng(seed).spawn(n_runs):
        paths = scenario.draw(rng)
        found = _estimate(paths)
        for tally, estimate in zip(
            tallies, (found.self_, found.collective, found.haven), strict=True
        ):
            tally.add(estimate.value, [estimate.interval(level) for level in LEVELS])
    return tallies


def ladders() -> dict[str, Callable[[float], Scenario]]:
    """Name the cases of temperature series: a scenario for each relative diffusivity."""
    return {
        "Brownian ladder": lambda d: brownian(200, 10, d, vibration=0.5),
        "hopping ladder": lambda d: hopping(300, 30, 15.0 * d),
    }


def count_ladders(
    name: str, at: Callable[[float], Scenario], n_runs: int, seed: int, energy_eV: float = 0.25
) -> list[Tally]:
    """Tally Ea and ln sigma(300 K), from D* and from D_sigma, over independent ladders."""
    temperatures = (500.0, 600.0, 700.0, 850.0)

    def relative(temperature: float) -> float:
        inverse = 1.0 / temperature - 1.0 / 800.0
        return float(np.exp(-energy_eV / KB_EV_PER_K * inverse))

    tallies = {
        quantity: (
            Tally(name, f"Ea {quantity}", energy_eV),
            Tally(name, f"ln s {quantity}", np.log(relative(300.0)), relative=False),
        )
        for quantity in ("NE", "E")
    }
    cases = [(t, at(relative(t))) for t in temperatures]
    for rng in np.random.default_rng(seed).spawn(n_runs):
        points: dict[str, list[ArrheniusPoint]] = {"NE": [], "E": []}
        for temperature, scenario in cases:
            found = _estimate(scenario.draw(rng))
            # A lattice of finite frames rounds nothing, but keep the truth exact all the same.
            exact = relative(temperature) / scenario.diffusivity
            for quantity, value in (("NE", found.self_), ("E", found.collective)):
                points[quantity].append(_point(temperature, value.scaled(exact)))
        for quantity, (energy, sigma) in tallies.items():
            fit = arrhenius(points[quantity])
            if fit.fit is None:
                continue
            energy.add(
                fit.fit.activation_energy_eV,
                [fit.activation_energy_interval(level) for level in LEVELS],
            )
            at_300 = fit.diffusivity_300K
            sigma.add(
                np.log(at_300.value), [tuple(np.log(at_300.interval(level))) for level in LEVELS]
            )
    return [tally for pair in tallies.values() for tally in pair]


def _estimate(paths: np.ndarray):
    """Estimate diffusivities in A2 per frame."""
    n_ions = paths.shape[1]
    found = estimate_diffusivities(paths, FRAME_FS, ("Li",) * n_ions, np.ones(n_ions))
    return replace(
        found, self_=found.self_.scaled(FRAME_FS), collective=found.collective.scaled(FRAME_FS)
    )


def _point(temperature: float, value: Estimate) -> ArrheniusPoint:
    return ArrheniusPoint(temperature_K=temperature, diffusivity=value)
