"""Figure of the extrapolation scores of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.report.palette import phase_symbol, report_colors
from vitrion.report.panels import Axis, Figure, Line, Mark, Panel, Points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.materials.material import MaterialReport
    from vitrion.potentials.trust import NoveltyReport


def novelty_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the extrapolation scores of frames of the dynamics; None if unknown."""
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
        Axis("frame"), Axis("largest per-atom extrapolation score", limits=(0.0, 1.15 * top)),
        (*lines, *marks),
    )  # fmt: skip
    return Figure(
        "novelty",
        "Distance from the training set",
        "Largest per-atom extrapolation score of each checked frame: the distance from the atoms "
        "of the training set. Above the line a prediction is an extrapolation.",
        ((panel,),),
    )


def _of_dynamics(report: MaterialReport) -> NoveltyReport | None:
    document = report.conductivity
    return None if document is None or document.trust is None else document.trust.novelty
