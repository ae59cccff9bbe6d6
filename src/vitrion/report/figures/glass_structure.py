"""Figures of the glass: pair distributions and speciation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.bonds import bond_cutoff
from vitrion.chemistry.elements import electronegativity
from vitrion.chemistry.formulas import subscripted
from vitrion.report.palette import N_SERIES, numbered_dash, report_colors, series
from vitrion.report.panels import Axis, Bars, Curve, Figure, FilledBand, Line, Mark, Panel
from vitrion.report.smoothing import smoothed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.amorphous.document import AmorphousDoc
    from vitrion.materials.material import MaterialReport


def pair_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the partial pair distribution functions of each glass; None without a glass."""
    rows = tuple(
        pair_panels(report.amorphous_replicas, title=report.label)
        for report in reports
        if report.amorphous_replicas
    )
    if not rows:
        return None
    return Figure(
        "pair_distributions",
        "Pair distributions",
        "Partial pair distribution functions g(r): mean over the replicas, with their range as a "
        "band; 1 for an ideal gas. The curves are smoothed by a Gaussian of 0.05 A. Bonded pairs, "
        "with much higher peaks, are in a separate panel.",
        rows,
    )


def pair_panels(glasses: Sequence[AmorphousDoc], *, title: str = "") -> tuple[Panel, ...]:
    """Describe g(r) of every pair of elements, averaged over replicas.

    Bonds, pairs with the most electropositive element, and other pairs have separate panels.
    """
    first = glasses[0]
    r = np.array(first.r_A)
    cation = _cation(first)
    groups: dict[str, list[Mark]] = {"bonds": [], f"pairs with {cation}": [], "other pairs": []}
    for index, distribution in enumerate(first.pair_distributions):
        g = smoothed(np.array(_on_grid(glasses, distribution.pair, r)), r)
        mean, name, color = g.mean(axis=0), "-".join(distribution.pair), series(index)
        group = f"pairs with {cation}" if cation in distribution.pair else "other pairs"
        bonded = float(r[mean.argmax()]) < bond_cutoff(*distribution.pair)
        marks = groups["bonds" if bonded else group]
        if len(g) > 1:
            marks.append(FilledBand(r, g.min(axis=0), g.max(axis=0), color, group=name))
        marks.append(Curve(r, mean, name, color, numbered_dash(index // N_SERIES), group=name))
    top = float(r[-1]) if len(r) else 1.0
    panels = []
    for group, marks in groups.items():
        if not marks:
            continue
        end = min(3.0, top) if group == "bonds" else top
        ideal = [] if group == "bonds" else [Line(1.0, vertical=False, dash="dot")]
        axis = Axis("{r} (A)", limits=(0.8, end))
        panels.append(
            Panel(axis, Axis("{g}({r})"), (*ideal, *marks), ", ".join(filter(None, (title, group))))
        )
    return tuple(panels)


def _cation(glass: AmorphousDoc) -> str:
    """Return the most electropositive element."""
    elements = {element for found in glass.pair_distributions for element in found.pair}
    return min(elements, key=electronegativity, default="")


def _on_grid(
    glasses: Sequence[AmorphousDoc], pair: tuple[str, str], r: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return g(r) of each replica with the pair, at the distances of the first."""
    found = []
    for glass in glasses:
        for distribution in glass.pair_distributions:
            if distribution.pair == pair:
                found.append(np.interp(r, glass.r_A, distribution.g, right=np.nan))
    whole = [g for g in found if not np.isnan(g).any()]
    return whole or [np.nan_to_num(found[0])]


def speciation_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the speciation of the formers in percent; None without formers."""
    named = [
        (report.label, color, shares(report.amorphous_replicas))
        for report, color in zip(reports, report_colors(reports), strict=True)
        if report.amorphous_replicas
    ]
    kinds = sorted(
        {kind for _, _, found in named for kind in found},
        key=lambda kind: -max(found.get(kind, 0.0) for _, _, found in named),
    )
    if not kinds:
        return None
    names = [subscripted(kind) for kind in kinds]
    bars = tuple(
        Bars(names, [100.0 * found.get(kind, 0.0) for kind in kinds], name, color)
        for name, color, found in named
    )
    beside = max(0.6, 2.0 - len(kinds) / 2)  # limits the width of a single bar
    around = Axis("surroundings of the formers", limits=(-beside, len(kinds) - 1 + beside))
    panel = Panel(around, Axis("fraction of the former (%)", limits=(0.0, 115.0)), bars)
    return Figure(
        "speciation",
        "Speciation of the glass",
        "Ligands of each network former in the relaxed cells of all replicas: packed ions that "
        "remained intact, and others.",
        ((panel,),),
    )


def shares(glasses: Sequence[AmorphousDoc]) -> dict[str, float]:
    """Return the fraction of each species among the atoms of its former, over all replicas."""
    counts: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    for glass in glasses:
        for former, kinds in glass.speciation.centers.items():
            for kind, count in kinds.items():
                counts[former, kind] += count
                totals[former] += count
    return {kind: count / totals[former] for (former, kind), count in counts.items()}
