"""Table of transport at each temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.comparison.tables import Cell, make_table, measured, quantified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.tables import Table
    from vitrion.materials.material import MaterialReport
    from vitrion.transport.result import TransportResult

HEADS = ("material", "T (K) #", "D* (cm2/s) #", "conductivity (mS/cm) #", "formula used",
         "Haven ratio #", "hops #", "run (ps) #", "replicas #", "verdict")  # fmt: skip


def temperature_table(materials: Sequence[MaterialReport]) -> Table:
    """Return diffusivity, conductivity and Haven ratio by temperature, with 95 % intervals.

    Parameters
    ----------
    materials : sequence of MaterialReport

    Returns
    -------
    Table
        One-sided 95 % upper bounds at temperatures without diffusion; empty without results.
    """
    rows = [
        _row(material, result)
        for material in materials
        if material.conductivity is not None
        for result in material.conductivity.results
    ]
    return make_table("Transport at each temperature, with 95 % intervals", HEADS, rows)


def _row(material: MaterialReport, result: TransportResult) -> list[Cell | str]:
    return [
        Cell(material.name, is_formula=True),
        measured(result.temperature_K, ".0f"),
        quantified(result.self_diffusivity_or_bound),
        quantified(result.conductivity_or_bound),
        result.headline if result.conductivity else "upper bound",
        quantified(result.haven_ratio),
        measured(result.hops.n_hops, "d"),
        measured(result.duration_ps, ""),
        measured(result.n_replicas, "d"),
        "diffusive" if result.diffusive else "not diffusive",
    ]
