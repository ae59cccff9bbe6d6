"""A result as rows for a terminal or a notebook."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate


class Row(NamedTuple):
    """One row: name, value, unit and 95 % interval, as text."""

    label: str
    value: str
    unit: str
    interval: str


def table(result: TransportResult) -> list[Row]:
    """Return the rows of a result, the verdict first."""
    rows = [
        Row("temperature", f"{result.temperature_K:.0f}", "K", ""),
        Row("run", f"{result.duration_ps:.4g}", "ps", counted(result.n_replicas, "replica")),
        Row("regime", "diffusive" if result.diffusive else "not diffusive", "", ""),
    ]
    if result.diffusive:
        rows += [
            _row("D* (self)", result.self_diffusivity, "cm2/s"),
            _row("D_sigma (collective)", result.collective_diffusivity, "cm2/s"),
            _row("Haven ratio", result.haven_ratio, ""),
            _row("sigma (Nernst-Einstein)", result.conductivity_nernst_einstein, "mS/cm"),
            _row("sigma (Einstein)", result.conductivity_einstein, "mS/cm"),
            *_species_rows(result),
            *_correction_rows(result),
            Row("headline", f"{result.headline} conductivity", "", ""),
        ]
    else:
        rows += [
            Row("D* bound (95 %)", f"< {result.diffusivity_bound_cm2_s:.3g}", "cm2/s", ""),
            Row("sigma bound (95 %)", f"< {result.conductivity_bound_mS_cm:.3g}", "mS/cm", ""),
            *_provisional_rows(result),
        ]
    floor = result.hops.relative_error_floor
    rows.append(Row("hops", str(result.hops.n_hops), "", f"error floor {floor:.0%}"))
    rows.append(Row("hop length", f"{result.hops.hop_length_A:.2f}", "A", ""))
    if result.hops.mean_residence_time_ps is not None:
        rows.append(Row("residence time", f"{result.hops.mean_residence_time_ps:.3g}", "ps", ""))
    if result.framework is not None:
        moving = "diffuses" if result.framework.diffuses else "stays"
        moved = f"{result.framework.moved_fraction:.0%} moved"
        detail = f"MSD {result.framework.msd_A2:.2g} A2, {moved}"
        rows.append(Row("framework", moving, "", detail))
    rows.append(Row("non-Gaussian, largest", f"{max(result.non_gaussian.alpha2):.2f}", "", ""))
    if result.percolation is not None:
        barriers = result.percolation.a_eV, result.percolation.b_eV, result.percolation.c_eV
        shown = ", ".join("-" if barrier is None else f"{barrier:.2f}" for barrier in barriers)
        unseen = f"- is above {result.percolation.unseen_eV:.2f}"
        rows.append(Row("bottleneck along a, b, c", shown, "eV", unseen if "-" in shown else ""))
    return rows + [Row("note", note, "", "") for note in [result.regime.reason, *result.warnings]]


def _provisional_rows(result: TransportResult) -> list[Row]:
    """Return the provisional values of a run that is not diffusive."""
    found = result.provisional
    if found is None:
        return []
    return [
        _row("D* (self), provisional", found.self_diffusivity, "cm2/s"),
        _row("sigma (Nernst-Einstein), provisional", found.conductivity_nernst_einstein, "mS/cm"),
        Row("provisional values", "do not count, see the first note", "", ""),
    ]


def _correction_rows(result: TransportResult) -> list[Row]:
    found = result.finite_time
    if found is None:
        return []
    factor = f"x {math.exp(found.log_factor):.2f}"
    return [Row("finite time, in D and sigma", factor, "", f"standard error {found.error:.0%}")]


def _species_rows(result: TransportResult) -> list[Row]:
    if len(result.species_diffusivity) < 2:
        return []
    return [
        _row(f"D* of {name}", value, "cm2/s") for name, value in result.species_diffusivity.items()
    ]


def _row(label: str, estimate: Estimate | None, unit: str) -> Row:
    if estimate is None:
        return Row(label, "-", unit, "")
    low, high = estimate.interval_95
    return Row(label, f"{estimate.value:.3g}", unit, f"{low:.3g} to {high:.3g}")
