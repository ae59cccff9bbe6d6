"""Precision on demand: which temperature deserves how much more molecular dynamics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from vitrion.errors import InputError
from vitrion.transport.arrhenius_fit import ArrheniusPoint, arrhenius, extrapolation_weights
from vitrion.transport.schema import Model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate

Goal = Literal["each", "300K"]

GROWTH = 1.0
"""A run is extended by at most this times its length in one round: its error is a guess too."""

STEPS = 200
"""Slices in which the time of a round is handed out."""


class Plan(Model):
    """What to run next."""

    extensions_ps: dict[float, float] = Field(
        description="Time to add in ps, for each replica, by temperature in K; empty: stop."
    )
    reached: bool = Field(description="Whether the target is met.")
    relative_error: float | None = Field(
        description="Error now: of sigma(300 K), or the largest over the temperatures; None where "
        "there is no value, be it at one temperature."
    )
    reason: str = Field(description="Why to go on or to stop, in one sentence.")


def plan_extension(
    results: Sequence[TransportResult],
    target: float,
    budget_ps: float,
    *,
    goal: Goal = "300K",
    melting_K: float | None = None,
    glass_transition_K: float | None = None,
) -> Plan:
    """Decide how to go on.

    Parameters
    ----------
    results : sequence of TransportResult
        The state at each temperature, replicas combined.
    target : float
        Relative standard error that is asked for.
    budget_ps : float
        Molecular dynamics that may still be spent, in ps summed over replicas.
    goal : {"300K", "each"}
        Whether the target holds for the conductivity at 300 K or at each temperature.
    melting_K, glass_transition_K : float or None
        Temperatures above which no point enters the fit, where known: more time there tells nothing
        of 300 K.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If the target is not between 0 and 1.

    Notes
    -----
    The variance of ln D falls as one over time. For 300 K, that of the extrapolation is
    ``sum_k c_k^2 s_k^2`` with c_k the weights of the fit; its derivative by the time of one
    temperature is ``-c_k^2 s_k^2 / t_k``, also where the weights follow the errors, because they
    minimize it. Time goes in small steps to the temperature of the largest derivative.
    """
    if not 0.0 < target < 1.0:
        raise InputError(f"The target must be a relative error between 0 and 1, not {target}.")
    if goal == "each":
        error, wanted = _for_each(results, target, budget_ps)
    else:
        error, wanted = _for_300K(results, target, budget_ps, melting_K, glass_transition_K)
    reached = error is not None and error <= target
    if reached:
        return Plan(
            extensions_ps={},
            reached=True,
            relative_error=error,
            reason=f"The relative error is {error:.0%}, within the target of {target:.0%}.",
        )
    replicas = {result.temperature_K: result.n_replicas for result in results}
    cost = sum(time * replicas[temperature] for temperature, time in wanted.items())
    if cost > budget_ps and cost > 0.0:
        wanted = {t: time * budget_ps / cost for t, time in wanted.items()}
    wanted = {t: time for t, time in wanted.items() if time > 0.0}
    now = "not known" if error is None else f"{error:.0%}, above the target of {target:.0%}"
    if not wanted or budget_ps <= 0.0:
        why = "the budget is spent" if budget_ps <= 0.0 else "no time in the budget would help"
        return Plan(
            extensions_ps={},
            reached=False,
            relative_error=error,
            reason=f"The relative error is {now}, but {why}.",
        )
    return Plan(
        extensions_ps=wanted,
        reached=False,
        relative_error=error,
        reason=f"The relative error is {now}: more at "
        f"{', '.join(f'{t:.0f} K' for t in sorted(wanted))}.",
    )


def _length(result: TransportResult) -> float:
    """Length of one replica in ps."""
    return result.duration_ps / result.n_replicas


def _for_each(
    results: Sequence[TransportResult], target: float, budget_ps: float
) -> tuple[float | None, dict[float, float]]:
    """Extend every temperature by itself."""
    wanted: dict[float, float] = {}
    errors: list[float] = []
    for result in results:
        value, length = result.conductivity, _length(result)
        if value is None:
            needed = _time_to_see_hops(result, target)
            if needed * result.n_replicas <= budget_ps:
                wanted[result.temperature_K] = min(needed, GROWTH * length)
            continue
        errors.append(value.relative_error)
        if value.relative_error > target:
            more = length * ((value.relative_error / target) ** 2 - 1.0)
            wanted[result.temperature_K] = min(more, GROWTH * length)
    unknown = any(result.conductivity is None for result in results)
    return (None if unknown or not errors else max(errors)), wanted


def _for_300K(
    results: Sequence[TransportResult],
    target: float,
    budget_ps: float,
    melting_K: float | None,
    glass_transition_K: float | None,
) -> tuple[float | None, dict[float, float]]:
    """Share time so that the error of the extrapolation falls fastest."""
    fit = arrhenius(results, melting_K=melting_K, glass_transition_K=glass_transition_K)
    fitted = [(r, p) for r, p in _pairs(results, fit.points) if not p.excluded]
    usable = [r for r, p in fitted if p.diffusivity]
    if fit.sigma_300K is None:
        still = [r for r, p in fitted if not p.diffusivity]
        if len(fitted) < 2:  # no line can be drawn, however long the runs are
            return None, {}
        if fit.fit is None and len(usable) >= 2:  # curved: more time does not straighten it
            return None, {}
        # The hottest is the first to move; two temperatures are needed.
        still.sort(key=lambda result: -result.temperature_K)
        needs = {r.temperature_K: _time_to_see_hops(r, 3.0 * target) for r in still}
        lengths = {r.temperature_K: _length(r) for r in still}
        replicas = {r.temperature_K: r.n_replicas for r in still}
        chosen = list(needs)[: max(2 - len(usable), 0)]
        affordable = sum(needs[t] * replicas[t] for t in chosen) <= budget_ps
        return None, {t: min(needs[t], GROWTH * lengths[t]) for t in chosen if affordable}
    return fit.sigma_300K.relative_error, _shares(
        [r.temperature_K for r in usable],
        [p.diffusivity for _, p in fitted if p.diffusivity],
        {r.temperature_K: _length(r) for r in usable},
        target,
    )


def _pairs(
    results: Sequence[TransportResult], points: Sequence[ArrheniusPoint]
) -> list[tuple[TransportResult, ArrheniusPoint]]:
    ordered = sorted(results, key=lambda result: result.temperature_K)
    return list(zip(ordered, points, strict=True))


def _shares(
    temperatures: Sequence[float],
    values: Sequence[Estimate],
    lengths: Mapping[float, float],
    target: float,
) -> dict[float, float]:
    """Hand out time in steps until the predicted error meets the target."""
    start = np.array([lengths[t] for t in temperatures])
    rates = np.array([value.relative_error**2 for value in values]) * start
    time, step = start.copy(), GROWTH * start.sum() / STEPS
    for _ in range(STEPS):
        variances = rates / time
        weights = extrapolation_weights(temperatures, np.sqrt(variances), 300.0)
        parts = weights**2 * variances
        if parts.sum() <= target**2:
            break
        gain = np.where(time < (1.0 + GROWTH) * start, parts / time, 0.0)
        if not gain.any():
            break
        time[gain.argmax()] += step
    added = time - start
    return {t: float(more) for t, more in zip(temperatures, added, strict=True) if more > 0.0}


def _time_to_see_hops(result: TransportResult, target: float) -> float:
    """Time in ps until there are enough hops at the rate seen so far, taken as one for none.

    Where there are enough and the motion is still not diffusive, the run is too short to forget.
    """
    length = _length(result)
    rate = max(result.hops.n_hops, 1) / length
    return max(math.ceil(1.0 / target**2) / rate - length, GROWTH * length)
