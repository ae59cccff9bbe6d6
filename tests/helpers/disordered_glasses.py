"""Glasses whose ions walk on networks of random sites and barriers, at several temperatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.walkers import disordered_network, in_crystal, walk
from vitrion.transport import analyze, combine_temperatures
from vitrion.transport.arrhenius_fit import arrhenius
from vitrion.transport.constants import KB_EV_PER_K, ROOM_K

if TYPE_CHECKING:
    from vitrion.transport.result import TransportResult

TEMPERATURES_K = (400.0, 440.0, 480.0, 520.0)
REFERENCE_K = 440.0
HOP_ENERGY_EV = 0.35
LEVEL_SPREAD = 0.3
N_FRAMES, INTERVAL_FS, SIDE_A, N_IONS = 1000, 500.0, 14.0, 24


class Disorder(NamedTuple):
    """Hops per ion, spreads of sites and barriers, and depth of traps in kT, and closed paths.

    All at the reference temperature; `closed` is a fraction.
    """

    hops_per_ion: float
    sites: float
    barriers: float
    traps: float = 0.0
    closed: float = 0.0


CASES = {
    "no disorder, 5 hops an ion": Disorder(5, 0.0, 0.0),
    "1.5 kT, 5 hops an ion": Disorder(5, 1.5, 1.5),
    "1.5 kT, 15 hops an ion": Disorder(15, 1.5, 1.5),
    "1.5 kT, 50 hops an ion": Disorder(50, 1.5, 1.5),
    "2.5 kT, 5 hops an ion": Disorder(5, 2.5, 2.5),
    "2.5 kT, 15 hops an ion": Disorder(15, 2.5, 2.5),
    "2.5 kT, 50 hops an ion": Disorder(50, 2.5, 2.5),
    "sites 4 kT, 15 hops an ion": Disorder(15, 4.0, 2.0),
    "sites 4 kT, 50 hops an ion": Disorder(50, 4.0, 2.0),
    "barriers 4 kT, 15 hops an ion": Disorder(15, 1.0, 4.0),
}
"""The correction for finite time was fitted to these."""

OTHERS = {
    "traps of 4 kT, 15 hops an ion": Disorder(15, 0.5, 1.0, traps=4.0),
    "half of the paths, 5 hops an ion": Disorder(5, 1.0, 1.0, closed=0.5),
    "half of the paths, 30 hops an ion": Disorder(30, 1.0, 1.0, closed=0.5),
    "paths and traps, 15 hops an ion": Disorder(15, 1.0, 2.0, traps=3.0, closed=0.4),
}
"""Other kinds of disorder, which it was not fitted to."""


def glass(case: Disorder, seed: int) -> tuple[list[TransportResult], np.ndarray]:
    """Return the runs of one glass by temperature, and ln of their exact D in cm2/s."""
    level = np.exp(np.random.default_rng([7, seed]).normal(scale=LEVEL_SPREAD))
    runs, exact = [], []
    for number, temperature in enumerate(TEMPERATURES_K):
        kT = REFERENCE_K / temperature
        rate = level * case.hops_per_ion / N_FRAMES
        rate *= np.exp(-HOP_ENERGY_EV / KB_EV_PER_K * (1 / temperature - 1 / REFERENCE_K))
        network = disordered_network(
            np.random.default_rng([5, seed]),
            5,
            case.sites * kT,
            case.barriers * kT,
            rate,
            traps=case.traps * kT,
            closed=case.closed,
        )
        rng = np.random.default_rng([9, seed, number])
        cell = SIDE_A * np.eye(3)
        positions, symbols = in_crystal(walk(network, N_FRAMES, N_IONS, rng), cell, rng, 12)
        runs.append(analyze(positions, cell, symbols, INTERVAL_FS, temperature, wrapped=False))
        exact.append(np.log(network.diffusivity / INTERVAL_FS * 0.1))
    return runs, np.array(exact)


@dataclass
class Count:
    """How often values and intervals of glasses that were combined hold the truth."""

    valued: list[bool]
    covered: list[bool]  # at the temperatures of the runs
    line_covered: list[bool]  # D at 300 K
    energy_covered: list[bool]
    bias: list[float]  # ln of the true D at 300 K over the value
    error: list[float]

    def __str__(self) -> str:
        """Row of a table."""
        return (
            f"{np.mean(self.valued):8.0%}{np.mean(self.covered):10.0%}{len(self.bias):6d}"
            f"{np.mean(self.line_covered):10.0%}{np.mean(self.energy_covered):10.0%}"
            f"{np.mean(self.bias):8.2f}{np.mean(self.error):8.2f}"
        )


def count(case: Disorder, n_groups: int, n_glasses: int = 5) -> Count:
    """Combine glasses in groups, and compare with the exact means over all of them.

    The truth at 300 K is on the line through the exact values at the temperatures of the runs.
    """
    glasses = [glass(case, seed) for seed in range(n_groups * n_glasses)]
    truth = np.mean([exact for _, exact in glasses], axis=0)
    inverse = 1.0 / (KB_EV_PER_K * np.array(TEMPERATURES_K))
    slope, level = np.polyfit(-inverse, truth, 1)
    at_room = level - slope / (KB_EV_PER_K * ROOM_K)
    found = Count([], [], [], [], [], [])
    for first in range(0, len(glasses), n_glasses):
        group = [runs for runs, _ in glasses[first : first + n_glasses]]
        results = combine_temperatures(
            list(zip(*group, strict=True)), hierarchical=True, disordered=True
        )
        for result, exact in zip(results, truth, strict=True):
            value = result.self_diffusivity
            found.valued.append(value is not None)
            if value is not None:
                found.covered.append(_holds(value.interval(), np.exp(exact)))
        fit = arrhenius(results, quantity="self")
        if fit.diffusivity_300K is None:
            continue
        found.line_covered.append(_holds(fit.diffusivity_300K.interval(), np.exp(at_room)))
        found.energy_covered.append(_holds(fit.activation_energy_interval(), slope))
        found.bias.append(at_room - np.log(fit.diffusivity_300K.value))
        found.error.append(fit.diffusivity_300K.relative_error)
    return found


def _holds(interval: tuple[float, float], truth: float) -> bool:
    return bool(interval[0] <= truth <= interval[1])
