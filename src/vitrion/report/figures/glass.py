"""Figures of the glass: pair distributions and speciation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vitrion.report.palette import N_SERIES, numbered_dash, report_colors, series
from vitrion.report.panels import Axis, Band, Bars, Curve, Figure, Line, Mark, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.documents.amorphous import AmorphousDoc
    from vitrion.report.material import MaterialReport

SHOWN_PAIRS = 4
"""Pairs that are drawn at first, those with the highest first peak; the others are at hand."""


def pair_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the partial pair distribution functions of each glass; None without a glass."""
    panels = tuple(
        pair_panel(report.glasses, title=report.name) for report in reports if report.glasses
    )
    if not panels:
        return None
    return Figure(
        "pair_distributions",
        "Pair distributions",
        "Partial pair distribution functions g(r), the mean over the replicas with their range as "
        "a band; 1 is what a gas without structure would have.",
        (panels,),
    )


def pair_panel(glasses: Sequence[AmorphousDoc], *, title: str = "") -> Panel:
    """Describe g(r) of every pair of elements, averaged over replicas of one glass."""
    first = glasses[0]
    r = np.array(first.r_A)
    curves = {
        distribution.pair: np.array(_on_grid(glasses, distribution.pair, r))
        for distribution in first.pair_distributions
    }
    heights = sorted((float(g.mean(axis=0).max()) for g in curves.values()), reverse=True)
    least = heights[min(SHOWN_PAIRS, len(heights)) - 1] if heights else 0.0
    marks: list[Mark] = [Line(1.0, vertical=False, dash="dot")]
    for index, (pair, g) in enumerate(curves.items()):
        mean, name, color = g.mean(axis=0), "-".join(pair), series(index)
        hidden = float(mean.max()) < least
        if len(g) > 1:
            low, high = g.min(axis=0), g.max(axis=0)
            marks.append(Band(r, low, high, color, group=name, hidden=hidden))
        dash = numbered_dash(index // N_SERIES)
        marks.append(Curve(r, mean, name, color, dash, group=name, hidden=hidden))
    top = float(r[-1]) if len(r) else 1.0
    return Panel(Axis("r (A)", limits=(0.8, top)), Axis("g(r)"), tuple(marks), title)


def _on_grid(
    glasses: Sequence[AmorphousDoc], pair: tuple[str, str], r: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return g(r) of each replica that knows the pair, at the distances of the first."""
    found = []
    for glass in glasses:
        for distribution in glass.pair_distributions:
            if distribution.pair == pair:
                found.append(np.interp(r, glass.r_A, distribution.g, right=np.nan))
    whole = [g for g in found if not np.isnan(g).any()]
    return whole or [np.nan_to_num(found[0])]


def speciation_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe what the formers are bound to, in percent; None where there is no former."""
    named = [
        (report.name, color, shares(report.glasses))
        for report, color in zip(reports, report_colors(reports), strict=True)
        if report.glasses
    ]
    kinds = sorted(
        {kind for _, _, found in named for kind in found},
        key=lambda kind: -max(found.get(kind, 0.0) for _, _, found in named),
    )
    if not kinds:
        return None
    bars = tuple(
        Bars(kinds, [100.0 * found.get(kind, 0.0) for kind in kinds], name, color)
        for name, color, found in named
    )
    panel = Panel(Axis("surroundings of the formers"), Axis("share of the former (%)"), bars)
    return Figure(
        "speciation",
        "Speciation of the glass",
        "What each network former is bound to in the relaxed cells, all replicas together: the "
        "ions as they were packed, and what became of the others.",
        ((panel,),),
    )


def shares(glasses: Sequence[AmorphousDoc]) -> dict[str, float]:
    """Return the share of each surrounding among the atoms of its former, over all replicas."""
    counts: Counter[tuple[str, str]] = Counter()
    totals: Counter[str] = Counter()
    for glass in glasses:
        for former, kinds in glass.speciation.centers.items():
            for kind, count in kinds.items():
                counts[former, kind] += count
                totals[former] += count
    return {kind: count / totals[former] for (former, kind), count in counts.items()}
