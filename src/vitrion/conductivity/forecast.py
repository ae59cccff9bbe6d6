"""Forecast of the error at 300 K after longer runs or with more systems."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from vitrion.runtime.counts import counted
from vitrion.transport.arrhenius_points import systems_differ
from vitrion.transport.constants import ROOM_K
from vitrion.transport.error_parts import error_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.transport.arrhenius_points import ArrheniusPoint
    from vitrion.transport.result import FiniteTime, TransportResult

GROWTH = 1.0
"""Maximum extension per iteration relative to a run's length, because its error is uncertain, and
maximum number of further systems relative to their number."""

STEPS = 200
"""Number of steps in which the time of an iteration is assigned."""

LONGEST = 16
"""Greatest length of runs, in units of the present one, that is considered."""

MIN_AMPLITUDE = 0.01
"""Amplitude of the correction for finite time below which its error does not decrease with time."""

MIN_GAIN = 0.02
"""Relative decrease of the error below which runs are not extended."""


class Forecast:
    """Error at 300 K after longer runs or with more systems.

    Parameters
    ----------
    results, points
        Of the temperatures that have a value.
    error : float
        Present relative error.
    """

    def __init__(
        self, results: Sequence[TransportResult], points: Sequence[ArrheniusPoint], error: float
    ) -> None:
        self.error = error
        self.differ = systems_differ(points)
        disordered = any(result.finite_time for result in results)
        self.nouns = ("glass", "glasses") if disordered else ("system", "systems")
        self.n_systems = max(len(point.of_systems) for point in points) if self.differ else 1
        self.temperatures = [result.temperature_K for result in results]
        self.lengths = np.array([length_ps(result) for result in results])
        self.replicas = np.array([result.n_replicas for result in results])
        self.fading = np.array([_fading(result.finite_time) for result in results])
        self.parts = error_parts(points, ROOM_K)
        self.scale = error**2 / self.parts.variance()

    def variance(self, times: np.ndarray | float = 1.0, systems: float = 1.0) -> float:
        """Return the variance with runs and numbers of systems in units of the present ones."""
        with np.errstate(invalid="ignore"):
            shared = np.log1p(self.fading / times) / np.log1p(self.fading)
        shared = np.where(self.fading > 0.0, shared, 1.0)
        return self.scale * self.parts.variance(times, systems, shared)

    def time_gains(self, times: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the decrease of the variance per ps of dynamics at each temperature."""
        times = np.broadcast_to(times, self.lengths.shape)
        now, small = self.variance(times), 0.01
        longer = times * (1.0 + small * np.eye(len(times)))
        decrease = np.array([now - self.variance(each) for each in longer])
        return decrease / (small * times * self.lengths * self.replicas)

    def systems_gain(self, system_ps: float) -> float:
        """Return the decrease of the variance per ps of dynamics of one more system."""
        more = 1.0 + 1.0 / self.n_systems
        return (self.variance() - self.variance(systems=more)) / system_ps if self.differ else 0.0

    def more_systems(self, target: float, limit: int) -> int:
        """Return the systems to add in one iteration, at most a given number."""
        limit = min(limit, math.floor(GROWTH * self.n_systems))
        needed = self._systems_needed(target)
        return limit if needed is None else min(limit, needed)

    def count(self, number: int, adjective: str = "") -> str:
        """Return a number of systems as text; those of a disordered material are glasses."""
        return counted(number, *(adjective + noun for noun in self.nouns))

    def extensions_ps(self, target: float) -> dict[float, float]:
        """Assign time in steps until the predicted error reaches the target.

        None is assigned if it reduces the error too little.
        """
        times = np.ones(len(self.lengths))
        step = GROWTH * self.lengths.sum() / STEPS
        for _ in range(STEPS):
            if self.variance(times) <= target**2:
                break
            gains = np.where(times < 1.0 + GROWTH, self.time_gains(times), 0.0)
            if not gains.max() > 0.0:
                break
            times[gains.argmax()] += step / self.lengths[gains.argmax()]
        if math.sqrt(self.variance(times)) > (1.0 - MIN_GAIN) * self.error:
            return {}
        added = (times - 1.0) * self.lengths
        return {t: float(ps) for t, ps in zip(self.temperatures, added, strict=True) if ps > 0.0}

    def remark(self, target: float) -> str:
        """Return what would be needed for the target, if systems differ, in the least time."""
        if not self.differ:
            return ""
        times, more = self.cheapest(target)
        if more is None:
            return f"runs {LONGEST} times as long and more {self.nouns[1]} would not be enough"
        longer = [
            f"{factor:g} times as long at {_kelvins(self.temperatures, times == factor)}"
            for factor in sorted(set(times), reverse=True)
            if factor > 1.0
        ]
        parts = [f"runs {' and '.join(longer)}"] if longer else []
        parts += [f"about {self.count(more, 'more ')}"] if more else []
        total_ns = float(f"{self._cost_ps(times, more) / 1000.0:.2g}")
        return f"{' and '.join(parts)} would be needed, {total_ns:g} ns of dynamics in all"

    def cheapest(self, target: float) -> tuple[np.ndarray, int | None]:
        """Return lengths of runs and the number of more systems that reach the target.

        Lengths are doubled, at one temperature or at all, as long as this reduces the total time.

        Returns
        -------
        times : ndarray, shape (n,)
            Length of the runs at each temperature over the present length.
        more : int or None
            Number of more systems; None if the target is not reached.
        """
        times = np.ones(len(self.lengths))
        more = self._systems_needed(target)
        doubled = [*(1.0 + np.eye(len(times))), np.full(len(times), 2.0)]
        while True:
            options = [times * each for each in doubled if (times * each).max() <= LONGEST]
            found = [(each, self._systems_needed(target, each)) for each in options]
            if not found:
                return times, more
            best = min(found[::-1], key=lambda option: self._cost_ps(*option))
            if more is not None and self._cost_ps(*best) >= self._cost_ps(times, more):
                return times, more
            times, more = best

    def _cost_ps(self, times: np.ndarray, more: int | None) -> float:
        """Return the time of all runs in ps, those at hand included; infinite without a number."""
        if more is None:
            return math.inf
        return float(self.replicas @ (times * self.lengths)) * (1.0 + more / self.n_systems)

    def _systems_needed(self, target: float, times: np.ndarray | float = 1.0) -> int | None:
        """Return how many more systems reach the target, with longer runs; None if none do."""
        shared = self.variance(times, math.inf)
        if shared >= target**2:
            return None
        factor = (self.variance(times) - shared) / (target**2 - shared)
        return max(math.ceil(self.n_systems * (factor - 1.0)), 0)


def _kelvins(temperatures_K: Sequence[float], chosen: np.ndarray) -> str:
    kelvins = [f"{t:.0f}" for t, one in zip(temperatures_K, chosen, strict=True) if one]
    return f"{' and '.join(kelvins)} K"


def _fading(finite_time: FiniteTime | None) -> float:
    """Return h0/h of the correction for finite time, ``A ln(1 + h0/h)``; 0 without one."""
    if finite_time is None or finite_time.amplitude < MIN_AMPLITUDE:
        return 0.0
    return math.expm1(-finite_time.log_factor / finite_time.amplitude)


def length_ps(result: TransportResult) -> float:
    """Return the length of one replica in ps."""
    return result.duration_ps / result.n_replicas
