"""Draw figures with matplotlib."""

from __future__ import annotations

from functools import singledispatch
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Any

from vitrion.report.palette import PALETTE
from vitrion.report.panels import (
    Axis,
    Bars,
    Curve,
    Figure,
    FilledBand,
    Line,
    Panel,
    Points,
    UpperBounds,
)
from vitrion.report.sections import figures_of
from vitrion.report.typeset import typeset
from vitrion.runtime.atomic import make_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

    from vitrion.materials.material import MaterialReport

PANEL_INCHES = (4.4, 3.6)
DASHES = {"solid": "-", "dash": "--", "dot": ":"}
CARET_BELOW = 11
LEGEND_CHARACTERS, SHORT_ENTRY, FEW_ENTRIES = 44, 16, 4
"""Width of a wrapped legend entry; longer entries, and more of them, stand below the axes."""
ITALIC = r"$\\mathit{\1}$"
SYMBOLS = {"circle": "o", "diamond": "D", "square": "s", "star": "*"}


def draw_figure(figure: Figure, path: str | Path | None = None) -> MatplotlibFigure:
    """Draw all panels of a figure.

    Parameters
    ----------
    figure : Figure
    path : path, optional
        File to write; its suffix sets the format: ``.svg``, ``.pdf``, ``.png``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_rows, n_columns = len(figure.rows), max(len(row) for row in figure.rows)
    size = (PANEL_INCHES[0] * n_columns, PANEL_INCHES[1] * n_rows)
    drawn = _new_figure(figsize=size, layout="constrained")
    axes = drawn.subplots(n_rows, n_columns, squeeze=False)
    for row, panels in enumerate(figure.rows):
        for column in range(n_columns):
            if column < len(panels):
                draw_panel(panels[column], axes[row, column])
            else:
                axes[row, column].set_axis_off()
    if path is not None:
        drawn.savefig(path, dpi=300)
    return drawn


def _new_figure(**options: Any) -> MatplotlibFigure:
    """Return a figure that notebooks show as a picture with every backend of matplotlib."""
    from matplotlib.figure import Figure as MatplotlibFigure

    class NotebookPicture(MatplotlibFigure):
        def _repr_png_(self) -> bytes:
            buffer = BytesIO()
            self.savefig(buffer, format="png", dpi=110)
            return buffer.getvalue()

    return NotebookPicture(**options)


def draw_panel(panel: Panel, ax: Axes | None = None) -> Axes:
    """Draw one panel in given or new axes."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=PANEL_INCHES, layout="constrained")[1]
    _prepare(ax, panel.x, "x")
    _prepare(ax, panel.y, "y")
    bars = [mark for mark in panel.marks if isinstance(mark, Bars)]
    for mark in panel.marks:
        if not isinstance(mark, Bars) and not getattr(mark, "hidden", False):
            _draw(mark, ax)
    for place, mark in enumerate(bars):
        _draw_bars(mark, ax, place - (len(bars) - 1) / 2, 0.8 / len(bars))
    _finish(ax, panel.x, "x")
    _finish(ax, panel.y, "y")
    ax.set_title(typeset(panel.title), fontsize="medium")
    if panel.equal:
        ax.set_aspect("equal")
    if panel.note:
        corner: dict[str, Any] = {"ha": "left", "va": "top", "fontsize": "small"}
        ax.text(0.02, 0.98, typeset(panel.note), transform=ax.transAxes, **corner)
    _add_legend(ax)
    ax.spines[["top", "right"]].set_visible(bool(panel.x.opposite))
    return ax


def _add_legend(ax: Axes) -> None:
    """Add a legend in the axes, or below them if it is too large to be free of the data."""
    handles, labels = ax.get_legend_handles_labels()
    if not labels:
        return
    wrapped = [fill(label, LEGEND_CHARACTERS) for label in labels]
    style: dict[str, Any] = {"frameon": False, "fontsize": "small"}
    if len(labels) > FEW_ENTRIES or max(map(len, labels)) > SHORT_ENTRY:
        columns = 1 if max(map(len, labels)) > SHORT_ENTRY else FEW_ENTRIES
        style |= {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18), "ncols": columns}
    ax.legend(handles, wrapped, **style)


def _prepare(ax: Axes, axis: Axis, which: str) -> None:
    if axis.log:
        getattr(ax, f"set_{which}scale")("log")


def _finish(ax: Axes, axis: Axis, which: str) -> None:
    getattr(ax, f"set_{which}label")(typeset(axis.label, ITALIC))
    if axis.limits is not None:
        getattr(ax, f"set_{which}lim")(axis.limits)
    if axis.ticks is not None:
        _set_ticks(ax, which, axis.ticks)
    if axis.opposite:
        twin = ax.secondary_xaxis("top") if which == "x" else ax.secondary_yaxis("right")
        low, high = sorted(getattr(ax, f"get_{which}lim")())
        _set_ticks(twin, which, [tick for tick in axis.opposite if low <= tick[0] <= high])
        getattr(twin, f"set_{which}label")(typeset(axis.opposite_label, ITALIC))


def _set_ticks(ax: Any, which: str, ticks: Sequence[tuple[float, str]]) -> None:
    places, texts = [place for place, _ in ticks], [text for _, text in ticks]
    getattr(ax, f"set_{which}ticks")(places, texts)


def _color(name: str) -> str:
    return PALETTE[name][0]


@singledispatch
def _draw(mark: Any, ax: Axes) -> None:
    raise TypeError(f"Cannot draw a {type(mark).__name__}.")


def _draw_bars(mark: Bars, ax: Axes, place: float, width: float) -> None:
    """Draw one set of grouped bars."""
    middles = [index + place * width for index in range(len(mark.names))]
    ax.bar(
        middles, mark.heights, width, color=_color(mark.color), label=typeset(mark.label) or None
    )
    ax.set_xticks(range(len(mark.names)), mark.names)


@_draw.register(Curve)
def _(mark: Curve, ax: Axes) -> None:
    ax.plot(
        mark.x,
        mark.y,
        DASHES[mark.dash],
        color=_color(mark.color),
        linewidth=mark.width,
        alpha=mark.opacity,
        label=typeset(mark.label) or None,
    )


@_draw.register(FilledBand)
def _(mark: FilledBand, ax: Axes) -> None:
    draw = ax.fill_betweenx if mark.upright else ax.fill_between
    draw(mark.x, mark.low, mark.high, color=_color(mark.color), alpha=mark.opacity, linewidth=0)


@_draw.register(Points)
def _(mark: Points, ax: Axes) -> None:
    color, symbol = _color(mark.color), SYMBOLS[mark.symbol]
    if mark.values is not None or mark.sizes is not None:
        _draw_scatter(mark, ax)
        return
    errors = None
    if mark.low is not None and mark.high is not None:
        below = [value - low for value, low in zip(mark.y, mark.low, strict=True)]
        above = [high - value for value, high in zip(mark.y, mark.high, strict=True)]
        errors = [below, above]
    style: dict[str, Any] = {"fmt": symbol, "color": color, "alpha": mark.opacity, "capsize": 2}
    size = 9 if mark.symbol == "star" else 5
    ax.errorbar(mark.x, mark.y, errors, markersize=size, label=typeset(mark.label) or None, **style)


def _draw_scatter(mark: Points, ax: Axes) -> None:
    """Draw points of different sizes or colors."""
    style: dict[str, Any] = {"marker": SYMBOLS[mark.symbol], "label": typeset(mark.label) or None}
    style["s"] = 36 if mark.sizes is None else [size**2 for size in mark.sizes]
    if mark.values is None:
        ax.scatter(mark.x, mark.y, color=_color(mark.color), alpha=0.75, **style)
        return
    drawn = ax.scatter(mark.x, mark.y, c=mark.values, zorder=3, **style)
    ax.figure.colorbar(drawn, ax=ax, label=typeset(mark.scale))


@_draw.register(UpperBounds)
def _(mark: UpperBounds, ax: Axes) -> None:
    style: dict[str, Any] = {
        "color": _color(mark.color),
        "alpha": mark.opacity,
        "linestyle": "none",
    }
    ax.plot(mark.x, mark.y, marker="_", markersize=11, **style)
    label = typeset(mark.label) or None
    ax.plot(mark.x, mark.y, marker=CARET_BELOW, markersize=7, label=label, **style)


@_draw.register(Line)
def _(mark: Line, ax: Axes) -> None:
    draw = ax.axvline if mark.vertical else ax.axhline
    draw(
        mark.at,
        color=_color(mark.color),
        linestyle=DASHES[mark.dash],
        linewidth=1,
        label=typeset(mark.label) or None,
    )


def save_figures(
    reports: Sequence[MaterialReport], folder: str | Path, file_format: str = "svg"
) -> list[Path]:
    """Write all figures of a report as files.

    Parameters
    ----------
    reports : sequence of MaterialReport
    folder : path
        Created if needed.
    file_format : str
        ``svg``, ``png`` or ``pdf``.

    Returns
    -------
    list of Path
        Paths of the figures with data.

    Raises
    ------
    InputError
        If the folder cannot be created.
    """
    place = make_folder(folder)
    paths = []
    for figure in figures_of(reports):
        path = place / f"{figure.name}.{file_format}"
        draw_figure(figure, path)
        paths.append(path)
    return paths
