"""Correct the values of runs for ions that still slow down at the end; see `slowing`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vitrion.transport.constants import MSD_A2_PER_PS
from vitrion.transport.regime import MAX_RELATIVE_ERROR
from vitrion.transport.result import ESTIMATES, FiniteTime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vitrion.transport.result import TransportResult
    from vitrion.transport.slowing import Slowing
    from vitrion.uncertainty import Estimate

DIFFUSIVE = tuple(name for name in ESTIMATES if name != "haven_ratio")
"""Estimates that are proportional to a diffusivity."""

GROWTH = 4
"""Ratio of the two lags of the growth of the MSD that a value is taken from."""

EARLIEST_PART = 1 / 16
"""First of the two lags over the length of the run: later ones have larger errors, earlier ones
need larger corrections."""

MENTIONED_FACTOR = 0.9
"""Factor of D below which a warning is given."""

SYSTEM_SPREAD = 0.3
"""Usual spread of ln D between systems, which enters weights alone."""


class Correction(NamedTuple):
    """Correction of one run.

    Attributes
    ----------
    log_factor : float
        Logarithm of the corrected value over the value of the run.
    remaining, error : float
        Part of it by which ln D still decreases after the run, and its standard error.
    own_error : float
        Least standard error of ln D of the run itself.
    """

    log_factor: float
    remaining: float
    error: float
    own_error: float


def correction(run: TransportResult, slowing: Slowing) -> Correction | None:
    """Return the correction of a run; None if its MSD does not grow beyond its error.

    Parameters
    ----------
    run : TransportResult
        A run that has a value.
    slowing : Slowing
        At its temperature.

    Notes
    -----
    The corrected value is the growth of the MSD from a sixteenth to a quarter of the run, less the
    decrease that remains after the geometric mean of both times. The growth has the error of the
    ions of the run; the error of the remaining decrease is common to all systems.
    """
    lags, msd = np.array(run.msd.lag_ps), np.array(run.msd.msd_A2)
    first = _nearest(lags, EARLIEST_PART * run.duration_ps / run.n_replicas)
    last = _nearest(lags, GROWTH * lags[first])
    growth = msd[last] - msd[first]
    brownian = math.sqrt(4.0 * lags[last] / (9.0 * run.n_mobile * run.duration_ps))
    scatter = run.msd.msd_error_A2[last] / growth if growth > 0.0 else math.inf
    own = max(brownian, 0.0 if math.isnan(scatter) else scatter)
    if last == first or own > MAX_RELATIVE_ERROR or slowing.hops_per_ps == 0.0:
        return None
    late = growth / (lags[last] - lags[first]) / MSD_A2_PER_PS
    remaining, error = slowing.remaining(math.sqrt(lags[first] * lags[last]))
    assert run.self_diffusivity is not None
    log_factor = math.log(late / run.self_diffusivity.value) - remaining
    return Correction(log_factor, remaining, error, float(own))


def _nearest(lags: np.ndarray, lag: float) -> int:
    """Return the index of the lag that is nearest in the logarithm."""
    return int(np.argmin(np.abs(np.log(lags / lag))))


def corrected(run: TransportResult, correction: Correction) -> TransportResult:
    """Return a run whose diffusivities and conductivities are multiplied by its correction.

    Their errors are the errors of the run, but at least the own error of the correction.
    """
    factor, least = math.exp(correction.log_factor), correction.own_error

    def of(value: Estimate) -> Estimate:
        update: dict[str, float] = {"value": factor * value.value}
        if value.relative_error < least:
            update |= {"relative_error": least, "degrees_of_freedom": max(run.n_mobile - 1, 1)}
        return value.model_copy(update=update)

    update = _changed(dict(run), of)
    if run.tensor_cm2_s is not None:
        update["tensor_cm2_s"] = (factor * np.array(run.tensor_cm2_s)).tolist()
    return run.model_copy(update=update)


def with_correction(
    combined: Mapping[str, Any], corrections: Sequence[Correction], slowing: Slowing
) -> dict[str, object]:
    """Return fields that state the mean correction and contain its error, common to all systems."""
    weights = [1.0 / (one.own_error**2 + SYSTEM_SPREAD**2) for one in corrections]
    remaining, error = (
        float(np.average([getattr(one, name) for one in corrections], weights=weights))
        for name in ("remaining", "error")
    )
    mean = FiniteTime(
        log_factor=-remaining,
        error=error,
        amplitude=slowing.amplitude,
        fading_hops=float(slowing.weights @ slowing.fading_hops),
    )
    return {
        **_changed(combined, lambda value: value.widened(error)),
        "finite_time": mean,
        "warnings": [*combined["warnings"], *_warnings(mean)],
    }


def _changed(
    fields: Mapping[str, Any], change: Callable[[Estimate], Estimate]
) -> dict[str, object]:
    """Return the estimates that are proportional to a diffusivity, each after the same change."""
    return {
        **{name: fields[name] and change(fields[name]) for name in DIFFUSIVE},
        "species_diffusivity": {
            species: change(value) for species, value in fields["species_diffusivity"].items()
        },
    }


def _warnings(found: FiniteTime) -> list[str]:
    """Return a warning if the correction is large."""
    if found.log_factor > math.log(MENTIONED_FACTOR):
        return []
    return [
        "D still decreases at the end of the runs: it was multiplied by "
        f"{math.exp(found.log_factor):.2f} to correct for this (standard error of the factor "
        f"{found.error:.0%})."
    ]
