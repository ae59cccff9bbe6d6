"""Why a conductivity is not determined, and what to do next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vitrion.runtime.counts import counted
from vitrion.transport.regime import MIN_HOPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.transport.result import TransportResult

LONGEST = 50.0
"""Maximum proposed extension of a run, as a factor of its length."""


def progress_of(document: ConductivityDoc) -> str:
    """Return how many temperatures are diffusive, and the lengths of the runs.

    Such as ``0 of 2 temperatures diffusive, 9 ps each``; empty without results.
    """
    results = document.results
    if not results:
        return ""
    count = sum(result.diffusive for result in results)
    return f"{count} of {counted(len(results), 'temperature')} diffusive, {_lengths(results)}"


def next_step(document: ConductivityDoc) -> str:
    """Return what to do so that the conductivity at 300 K is determined.

    Longer runs if ions hop too rarely: enough time for 10 hops at the observed rate, at least twice
    and at most 50 times the present one. Lower temperatures if the framework diffuses at the
    hottest ones, higher ones if no ion hopped. Empty if a value is known, or without results.

    Returns
    -------
    str
        A phrase, such as ``run 40 ps per temperature (--set conductivity.first_ps=40)``.
    """
    if document.sigma_300K is not None or not document.results:
        return ""
    fit = document.arrhenius
    if fit is not None and sum(_is_used(point) for point in fit.points) >= 2:
        return "add a temperature, since the values do not follow one line"
    liquid = [r.temperature_K for r in document.results if r.melted]
    solid = [r for r in document.results if not r.melted]
    if not solid:
        return f"run temperatures below {min(liquid):.0f} K, where the framework does not diffuse"
    if len(document.results) == 1 and document.results[0].diffusive:
        return "run a second temperature"
    still = [result for result in solid if not result.diffusive]
    if not still:
        return f"run a second temperature below {min(liquid):.0f} K" if liquid else ""
    wanted = max(2 - sum(result.diffusive for result in solid), 1)
    hottest = sorted(still, key=lambda result: -result.temperature_K)[:wanted]
    if not liquid and not any(result.hops.n_hops for result in hottest):
        return (
            f"run temperatures above {hottest[0].temperature_K:.0f} K, or longer: "
            "no ion left its site"
        )
    needed = _rounded(max(_needed_ps(result) for result in hottest))
    return f"run {needed:g} ps per temperature (--set conductivity.first_ps={needed:g})"


def _is_used(point: object) -> bool:
    return getattr(point, "diffusivity", None) is not None and not getattr(point, "excluded", None)


def _needed_ps(result: TransportResult) -> float:
    length = result.duration_ps / result.n_replicas
    factor = MIN_HOPS / max(result.hops.n_hops, 1)
    return length * min(max(factor, 2.0), LONGEST)


def _rounded(value: float) -> float:
    """Round up to two significant digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / step, 6)) * step:.12g}")


def _lengths(results: Sequence[TransportResult]) -> str:
    lengths = sorted({float(f"{r.duration_ps / r.n_replicas:.2g}") for r in results})
    text = f"{lengths[0]:g} ps each"
    if len(lengths) > 1:
        text = f"{lengths[0]:g} to {lengths[-1]:g} ps"
    most = max(result.n_replicas for result in results)
    return text if most == 1 else f"{most} runs of {text}"
