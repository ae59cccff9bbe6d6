"""Plan extensions of molecular dynamics to reach a target precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from vitrion.errors import InputError
from vitrion.transport.arrhenius_fit import ArrheniusPoint, arrhenius, extrapolation_weights
from vitrion.transport.schema import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate

Goal = Literal["each", "300K"]

GROWTH = 1.0
"""Maximum extension per iteration relative to a run's length, because its error is uncertain."""

STEPS = 200
"""Number of steps in which the time of an iteration is assigned."""


class Plan(Model):
    """What to run next."""

    extensions_ps: dict[float, float] = Field(
        description="Time to add in ps per replica, by temperature in K; empty to stop."
    )
    reached: bool = Field(description="Whether the target is reached.")
    relative_error: float | None = Field(
        description="Relative error of sigma(300 K), or the largest over the temperatures; None if "
        "a value is absent."
    )
    reason: str = Field(description="Reason to extend or to stop.")


def plan_extension(
    results: Sequence[TransportResult],
    target: float,
    budget_ps: float,
    *,
    goal: Goal = "300K",
    melting_K: float | None = None,
    glass_transition_K: float | None = None,
    extensible_K: Collection[float] | None = None,
) -> Plan:
    """Plan which temperatures to extend.

    Parameters
    ----------
    results : sequence of TransportResult
        Result at each temperature, combined over replicas.
    target : float
        Requested relative standard error.
    budget_ps : float
        Remaining budget of molecular dynamics in ps, summed over replicas.
    goal : {"300K", "each"}
        Whether the target applies to the conductivity at 300 K or at each temperature.
    melting_K, glass_transition_K : float or None
        Temperatures in K above which points are excluded from the fit and not extended.
    extensible_K : collection of float, optional
        Temperatures in K whose runs can be extended; None for all. Others failed.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If the target is not between 0 and 1.

    Notes
    -----
    The variance of ln D is inversely proportional to time. The variance of the extrapolation to
    300 K is ``sum_k c_k^2 s_k^2`` with c_k the weights of the fit. Its derivative by the time of
    one temperature is ``-c_k^2 s_k^2 / t_k``, also for weights that depend on the errors, because
    they minimize it. Time is assigned in small steps to the temperature of the largest derivative.
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
    failed = {t for t in wanted if extensible_K is not None and t not in extensible_K}
    wanted = {t: time for t, time in wanted.items() if t not in failed}
    replicas = {result.temperature_K: result.n_replicas for result in results}
    cost = sum(time * replicas[temperature] for temperature, time in wanted.items())
    if cost > budget_ps and cost > 0.0:
        wanted = {t: time * budget_ps / cost for t, time in wanted.items()}
    wanted = {t: time for t, time in wanted.items() if time > 0.0}
    now = (
        "unknown, because no diffusion was observed"
        if error is None
        else f"{error:.0%}, above the target of {target:.0%}"
    )
    if not wanted or budget_ps <= 0.0:
        if budget_ps <= 0.0:
            why = "the time budget is used up"
        elif failed:
            why = f"the runs at {', '.join(f'{t:.0f}' for t in sorted(failed))} K failed"
        else:
            why = "no extension within the budget would reduce it"
        return Plan(
            extensions_ps={},
            reached=False,
            relative_error=error,
            reason=f"The relative error is {now}; {why}.",
        )
    return Plan(
        extensions_ps=wanted,
        reached=False,
        relative_error=error,
        reason=f"The relative error is {now}: extending "
        f"{', '.join(f'{t:.0f} K' for t in sorted(wanted))}.",
    )


def _length(result: TransportResult) -> float:
    """Return the length of one replica in ps."""
    return result.duration_ps / result.n_replicas


def _for_each(
    results: Sequence[TransportResult], target: float, budget_ps: float
) -> tuple[float | None, dict[float, float]]:
    """Return the error and the extensions in ps, for each temperature independently."""
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
    """Return the error at 300 K and the extensions in ps that reduce it fastest."""
    fit = arrhenius(results, melting_K=melting_K, glass_transition_K=glass_transition_K)
    fitted = [(r, p) for r, p in _pairs(results, fit.points) if not p.excluded]
    usable = [r for r, p in fitted if p.diffusivity]
    if fit.sigma_300K is None:
        still = [r for r, p in fitted if not p.diffusivity]
        if len(fitted) < 2:  # a fit needs two temperatures
            return None, {}
        if fit.fit is None and len(usable) >= 2:  # curved: longer runs do not help
            return None, {}
        # The hottest diffuses first; two temperatures are needed.
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
    """Assign time in steps until the predicted error reaches the target."""
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
    """Return the additional time in ps for enough hops at the observed rate (at least one hop).

    With enough hops but without diffusion, the run is shorter than its correlation time.
    """
    length = _length(result)
    rate = max(result.hops.n_hops, 1) / length
    return max(math.ceil(1.0 / target**2) / rate - length, GROWTH * length)
