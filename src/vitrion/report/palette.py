"""Colors of the page, its dark mode, and printed figures.

Colors are named by their meaning; the page defines each as the CSS variable ``--<name>``. All have
a contrast of at least 3 to the background, and no two curves differ by color alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.report.panels import Dash, Symbol

PALETTE: dict[str, tuple[str, str]] = {
    "ink": ("#1c2530", "#e8edf3"),
    "muted": ("#566270", "#9fadbc"),
    "grid": ("#dde3ea", "#303b48"),
    "crystalline": ("#1f66a8", "#6cb6f0"),
    "amorphous": ("#c43d4d", "#ff8791"),
    "liquid": ("#0f7b6c", "#4fd0bd"),
    "occupied": ("#0f7b6c", "#4fd0bd"),
    "empty": ("#b35c00", "#f2a65a"),
    "series-0": ("#1f66a8", "#6cb6f0"),
    "series-1": ("#c43d4d", "#ff8791"),
    "series-2": ("#0f7b6c", "#4fd0bd"),
    "series-3": ("#b35c00", "#f2a65a"),
    "series-4": ("#7a4fa3", "#c79bf0"),
    "series-5": ("#5c6b1e", "#b9cc5c"),
    "series-6": ("#8a4b33", "#d9a187"),
    "series-7": ("#566270", "#9fadbc"),
    "heat-0": ("#2b4fa2", "#7fa2f5"),
    "heat-1": ("#6a3fa0", "#b48cf2"),
    "heat-2": ("#a12d83", "#ee80cf"),
    "heat-3": ("#c9303f", "#ff8080"),
    "heat-4": ("#c8590a", "#ff9f55"),
    "heat-5": ("#967300", "#f0c84a"),
}
"""Color on a light and on a dark background by name."""

N_SERIES, N_HEAT = 8, 6


def series(index: int) -> str:
    """Return the color of one of several curves."""
    return f"series-{index % N_SERIES}"


def heat(index: int, count: int) -> str:
    """Return the color of one of `count` ascending temperatures, from blue to yellow."""
    step = 0 if count < 2 else round(index * (N_HEAT - 2) / (count - 1))
    return f"heat-{min(step, N_HEAT - 1)}"


def report_colors(reports: Sequence[MaterialReport]) -> list[str]:
    """Return the colors of materials: by phase if the phases differ, else a series."""
    phases = [report.phase for report in reports]
    if None in phases or len(set(phases)) < len(phases):
        return [series(index) for index in range(len(reports))]
    return [str(phase) for phase in phases]


def phase_symbol(phase: str | None) -> Symbol:
    """Return the symbol of a phase: circles for crystals, diamonds for glasses."""
    symbols: dict[str | None, Symbol] = {"amorphous": "diamond", "liquid": "square"}
    return symbols.get(phase, "circle")


def phase_dash(phase: str | None) -> Dash:
    """Return the dash of a phase's lines: dashed for crystals."""
    dashes: dict[str | None, Dash] = {"crystalline": "dash", "liquid": "dot"}
    return dashes.get(phase, "solid")


def numbered_dash(index: int) -> Dash:
    """Return the dash of one of several lines of the same color."""
    dashes: tuple[Dash, ...] = ("solid", "dash", "dot")
    return dashes[index % len(dashes)]


def numbered_symbol(index: int) -> Symbol:
    """Return the symbol of one of several sets of points."""
    symbols: tuple[Symbol, ...] = ("circle", "diamond", "square", "star")
    return symbols[index % len(symbols)]
