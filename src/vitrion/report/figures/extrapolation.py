"""Figure of trust: how far the frames of the runs lie from what the potential was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.report.palette import phase_symbol, report_colors
from vitrion.report.panels import Axis, Figure, Line, Mark, Panel, Points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.potentials.trust import NoveltyReport


def novelty_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the novelty of the frames of the dynamics; None where it is not known."""
    marks: list[Mark] = []
    thresholds = set()
    for report, color in zip(reports, report_colors(reports), strict=True):
        novelty = _of_dynamics(report)
        if novelty is None:
            continue
        thresholds.add(novelty.threshold)
        marks.append(
            Points(
                list(range(1, len(novelty.scores) + 1)),
                novelty.scores,
                label=report.label,
                color=color,
                symbol=phase_symbol(report.phase),
            )
        )
    if not marks:
        return None
    lines = [
        Line(threshold, "edge of the trained range", vertical=False)
        for threshold in sorted(thresholds)
    ]
    top = max(*thresholds, *(max(mark.y) for mark in marks if isinstance(mark, Points)))
    panel = Panel(
        Axis("frame"), Axis("novelty of its strangest atom", limits=(0.0, 1.15 * top)),
        (*lines, *marks),
    )  # fmt: skip
    return Figure(
        "novelty",
        "Distance from the training set",
        "Score of each frame that was looked at: how far its most unusual atom lies from the "
        "atoms the potential was trained on. Above the line a prediction is an extrapolation.",
        ((panel,),),
    )


def _of_dynamics(report: MaterialReport) -> NoveltyReport | None:
    document = report.conductivity
    return None if document is None or document.trust is None else document.trust.novelty
