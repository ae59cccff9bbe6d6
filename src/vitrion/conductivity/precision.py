"""Plan longer runs, or further systems, to reach a target precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from vitrion.conductivity.conductivity_settings import DEFAULT_TARGET
from vitrion.conductivity.forecast import GROWTH, Forecast, length_ps
from vitrion.errors import InputError
from vitrion.transport.arrhenius_fit import arrhenius
from vitrion.transport.schema import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from vitrion.transport.arrhenius_fit import ArrheniusResult
    from vitrion.transport.arrhenius_points import ArrheniusPoint
    from vitrion.transport.result import TransportResult

Goal = Literal["each", "300K"]


class Plan(Model):
    """What to run next."""

    extensions_ps: dict[float, float] = Field(
        description="Time to add in ps per replica, by temperature in K."
    )
    more_systems: int = Field(
        0, description="Independent systems to add, such as glasses made in the same way."
    )
    reached: bool = Field(description="Whether the target is reached.")
    relative_error: float | None = Field(
        description="Relative error of sigma(300 K), or the largest over the temperatures; None if "
        "a value is absent."
    )
    reason: str = Field(description="Reason to go on or to stop.")

    @property
    def goes_on(self) -> bool:
        """Whether there is something to run."""
        return bool(self.extensions_ps or self.more_systems)


class _Wish(NamedTuple):
    """Error, its forecast, and what would reduce it regardless of the budget."""

    error: float | None
    extensions_ps: Mapping[float, float] = {}
    more_systems: int = 0
    forecast: Forecast | None = None


def plan_extension(
    results: Sequence[TransportResult],
    target: float,
    budget_ps: float,
    *,
    goal: Goal = "300K",
    melting_K: float | None = None,
    glass_transition_K: float | None = None,
    extensible_K: Collection[float] | None = None,
    system_ps: float | None = None,
) -> Plan:
    """Plan which temperatures to extend, or how many systems to add.

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
    system_ps : float or None
        Molecular dynamics in ps that one more system takes, such as a glass: its preparation and
        runs at all temperatures. None if none can be added.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If the target is not between 0 and 1.

    Notes
    -----
    The variance of the extrapolation to 300 K is ``sum_k c_k^2 s_k^2`` with c_k the weights of the
    fit and s_k the errors of ln D. That of the runs is inversely proportional to time, so its
    derivative by the time of one temperature is ``-c_k^2 s_k^2 / t_k``, also for weights that
    depend on the errors, because they minimize it. The spread of systems falls with their number
    alone, and the error of the correction for finite time with time alone. If one more system
    reduces the variance most for its molecular dynamics, systems are added; otherwise time is
    assigned in small steps to the temperature of the largest derivative.
    """
    if not 0.0 < target < 1.0:
        raise InputError(f"The target must be a relative error between 0 and 1, not {target}.")
    if goal == "each":
        wish = _for_each(results, target, budget_ps)
    else:
        fit = arrhenius(results, melting_K=melting_K, glass_transition_K=glass_transition_K)
        wish = _for_300K(results, fit, target, budget_ps, system_ps)
    if wish.error is not None and wish.error <= target:
        return _stop(wish.error, target)
    failed = {t for t in wish.extensions_ps if extensible_K is not None and t not in extensible_K}
    wanted = {t: time for t, time in wish.extensions_ps.items() if t not in failed}
    wanted = _within(budget_ps, wanted, {r.temperature_K: r.n_replicas for r in results})
    if wish.more_systems and wish.forecast:
        then = f": adding {wish.forecast.count(wish.more_systems)}, because they differ"
    elif wanted:
        then = f": extending {', '.join(f'{t:.0f} K' for t in sorted(wanted))}"
    else:
        remark = wish.forecast.remark(target) if wish.forecast else ""
        return _stop(wish.error, target, _why_stopped(budget_ps, failed), remark)
    return Plan(
        extensions_ps=wanted,
        more_systems=wish.more_systems,
        reached=False,
        relative_error=wish.error,
        reason=f"{_now(wish.error, target)}{then}.",
    )


def judge(
    results: Sequence[TransportResult], fit: ArrheniusResult, target: float = DEFAULT_TARGET
) -> Plan:
    """Say whether a conductivity at 300 K is precise enough, and what would be needed if not.

    Parameters
    ----------
    results, target
        As in `plan_extension`.
    fit : ArrheniusResult
        Fit to the results.
    """
    if fit.sigma_300K is None:
        return _stop(None, target)
    error = fit.sigma_300K.relative_error
    return _stop(error, target, _forecast(results, fit, error).remark(target))


def _stop(error: float | None, target: float, *whys: str) -> Plan:
    """Return a plan to run nothing."""
    reached = error is not None and error <= target
    reason = "; ".join([_now(error, target), *(why for why in whys if why and not reached)])
    return Plan(extensions_ps={}, reached=reached, relative_error=error, reason=f"{reason}.")


def _now(error: float | None, target: float) -> str:
    if error is None:
        return "The relative error is unknown, because no diffusion was observed"
    where = "within" if error <= target else "above"
    return f"The relative error is {error:.0%}, {where} the target of {target:.0%}"


def _within(
    budget_ps: float, wanted: Mapping[float, float], replicas: Mapping[float, int]
) -> dict[float, float]:
    """Return extensions in ps, shortened in proportion to fit into the budget."""
    cost = sum(time * replicas[temperature] for temperature, time in wanted.items())
    share = min(1.0, max(budget_ps, 0.0) / cost) if cost > 0.0 else 0.0
    return {t: time * share for t, time in wanted.items() if time * share > 0.0}


def _why_stopped(budget_ps: float, failed: Collection[float]) -> str:
    if failed:
        return f"the runs at {', '.join(f'{t:.0f}' for t in sorted(failed))} K failed"
    if budget_ps <= 0.0:
        return "the time budget is used up"
    return "no extension within the budget would reduce it"


def _for_each(results: Sequence[TransportResult], target: float, budget_ps: float) -> _Wish:
    """Return the error and the extensions, for each temperature independently."""
    wanted: dict[float, float] = {}
    errors: list[float] = []
    for result in results:
        value, length = result.conductivity, length_ps(result)
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
    return _Wish(None if unknown or not errors else max(errors), wanted)


def _for_300K(
    results: Sequence[TransportResult],
    fit: ArrheniusResult,
    target: float,
    budget_ps: float,
    system_ps: float | None,
) -> _Wish:
    """Return the error at 300 K, and what reduces it fastest."""
    fitted = _fitted(results, fit)
    if fit.sigma_300K is None:
        # A fit needs two temperatures. If it is refused, longer runs do not help.
        still = [result for result, point in fitted if not point.diffusivity]
        n_usable = len(fitted) - len(still)
        if len(fitted) < 2 or (fit.fit is None and n_usable >= 2):
            return _Wish(None)
        return _Wish(None, _until_two_diffuse(still, n_usable, target, budget_ps))
    error = fit.sigma_300K.relative_error
    forecast = _forecast(results, fit, error)
    if system_ps is not None and forecast.systems_gain(system_ps) > forecast.time_gains().max():
        more = forecast.more_systems(target, limit=math.floor(budget_ps / system_ps))
        if more:
            return _Wish(error, more_systems=more, forecast=forecast)
    return _Wish(error, forecast.extensions_ps(target), forecast=forecast)


def _fitted(
    results: Sequence[TransportResult], fit: ArrheniusResult
) -> list[tuple[TransportResult, ArrheniusPoint]]:
    """Return the results of a fit that are not excluded, by temperature, and their points."""
    ordered = sorted(results, key=lambda result: result.temperature_K)
    return [(r, p) for r, p in zip(ordered, fit.points, strict=True) if not p.excluded]


def _forecast(results: Sequence[TransportResult], fit: ArrheniusResult, error: float) -> Forecast:
    usable = [(result, point) for result, point in _fitted(results, fit) if point.diffusivity]
    return Forecast([result for result, _ in usable], [point for _, point in usable], error)


def _until_two_diffuse(
    still: Sequence[TransportResult], n_usable: int, target: float, budget_ps: float
) -> dict[float, float]:
    """Return the extensions that two temperatures need; the hottest diffuses first."""
    hottest = sorted(still, key=lambda result: -result.temperature_K)
    chosen = hottest[: max(2 - n_usable, 0)]
    needs = {r.temperature_K: _time_to_see_hops(r, 3.0 * target) for r in chosen}
    if sum(needs[r.temperature_K] * r.n_replicas for r in chosen) > budget_ps:
        return {}
    return {r.temperature_K: min(needs[r.temperature_K], GROWTH * length_ps(r)) for r in chosen}


def _time_to_see_hops(result: TransportResult, target: float) -> float:
    """Return the additional time in ps for enough hops at the observed rate (at least one hop).

    With enough hops but without diffusion, the run is shorter than its correlation time.
    """
    length = length_ps(result)
    rate = max(result.hops.n_hops, 1) / length
    return max(math.ceil(1.0 / target**2) / rate - length, GROWTH * length)
