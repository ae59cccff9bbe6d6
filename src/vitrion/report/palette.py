"""Colors of the page, its dark mode, and printed figures.

Colors are named by their meaning, and each color has one meaning: blue is the crystal and red the
glass, so curves of other things have other colors. The page defines each as the CSS variable
``--<name>``. All have a contrast of at least 3 to the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.materials.material import MaterialReport
    from vitrion.report.panels import Dash, Symbol

PALETTE: dict[str, tuple[str, str]] = {
    "ink": ("#1c2530", "#e8edf3"),
    "muted": ("#566270", "#9fadbc"),
    "grid": ("#dde3ea", "#303b48"),
    "published": ("#77818d", "#8d99a8"),
    "crystalline": ("#1f66a8", "#6cb6f0"),
    "amorphous": ("#c43d4d", "#ff8791"),
    "liquid": ("#0f7b6c", "#4fd0bd"),
    "occupied": ("#3f7d20", "#8fd06a"),
    "empty": ("#b35c00", "#f2a65a"),
    "series-0": ("#4b4fb0", "#a3a8f7"),
    "series-1": ("#a8631c", "#e0b070"),
    "series-2": ("#0b7a8c", "#5ccbe0"),
    "series-3": ("#a3308f", "#ee8fdd"),
    "series-4": ("#5c6b1e", "#b9cc5c"),
    "series-5": ("#8a4b33", "#d9a187"),
    "series-6": ("#7a4fa3", "#c79bf0"),
    "series-7": ("#4d5a67", "#b4c0cc"),
    "heat-0": ("#33349a", "#8f95f5"),
    "heat-1": ("#6b2fa0", "#b48cf2"),
    "heat-2": ("#9c2b8a", "#e57fd2"),
    "heat-3": ("#bd3370", "#fb86ab"),
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
    step = 0 if count < 2 else round(index * (N_HEAT - 1) / (count - 1))
    return f"heat-{step}"


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
