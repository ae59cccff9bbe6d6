"""Convert figures to plotly.js data.

Colors remain names (``@amorphous/0.2``), which the page resolves in its light or dark mode.
"""

from __future__ import annotations

import html
import math
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from vitrion.report.panels import (
    Axis,
    Bars,
    Curve,
    FilledBand,
    Line,
    Panel,
    Points,
    UpperBounds,
)
from vitrion.report.typeset import SYMBOL, typeset

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGITS = 5
DECADES, FEW = 30.0, 4.0
"""Logarithmic axes over a larger factor have ticks at powers of ten only, or at 1, 2, 5."""
ARROW = 0.45
"""End of an upper bound's arrow, as a fraction of the bound."""


def plot_data(panel: Panel) -> dict[str, Any]:
    """Return the traces and the layout of one panel.

    Returns
    -------
    dict
        ``data`` and ``layout`` for ``Plotly.react``; plain lists, strings and numbers only.
    """
    traces = [trace for mark in panel.marks for trace in _traces(mark)]
    layout: dict[str, Any] = {
        "xaxis": _axis(panel.x, [value for trace in traces for value in trace["x"]]),
        "yaxis": _axis(panel.y, [value for trace in traces for value in trace["y"]]),
    }
    shapes = [_shape(mark) for mark in panel.marks if isinstance(mark, Line)]
    notes = [_line_label(mark) for mark in panel.marks if isinstance(mark, Line) and mark.label]
    if panel.note:
        notes.append(_note(panel.note))
    if panel.x.opposite:
        layout["xaxis2"] = _opposite(panel.x)
        traces.append({"x": [None], "y": [None], "xaxis": "x2", "showlegend": False})
    for trace in traces:
        if trace.get("hoverinfo") != "skip" and "name" in trace:
            trace.setdefault("hovertemplate", _hover(panel, str(trace["name"])))
    if panel.equal:
        layout["yaxis"]["scaleanchor"] = "x"
    layout |= {"shapes": shapes, "annotations": notes}
    layout["showlegend"] = sum(bool(trace.get("showlegend")) for trace in traces) > 0
    return {"data": traces, "layout": layout}


def _hover(panel: Panel, name: str) -> str:
    """Return the text on hover: both coordinates with their names and units."""
    lines = [f"<b>{name}</b>"] if name else []
    for axis, value in ((panel.x, "x"), (panel.y, "y")):
        if axis.label and axis.ticks is None:
            form = "" if value == "x" and _has_bars(panel) else ":.4~g"
            label, _, unit = axis.label.rpartition(" (")
            unit = f" {unit.removesuffix(')')}" if label else ""
            lines.append(f"{_text(label or axis.label)}: %{{{value}{form}}}{_text(unit)}")
    return "<br>".join(lines) + "<extra></extra>"


def _has_bars(panel: Panel) -> bool:
    return any(isinstance(mark, Bars) for mark in panel.marks)


def _axis(axis: Axis, values: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": _text(axis.label)}}
    if axis.log:
        made |= {"type": "log", "exponentformat": "power"}
        shown = axis.limits or [value for value in values if value is not None and value > 0]
        covered = max(shown) / min(shown) if shown else 1.0
        if covered > FEW:  # not enough room for all digits
            made["dtick"] = 1 if covered > DECADES else "D2"
    if axis.limits is not None:
        made["range"] = [math.log10(end) if axis.log else end for end in axis.limits]
    if axis.ticks is not None:
        made |= _ticks(axis.ticks)
    return made


def _opposite(axis: Axis) -> dict[str, Any]:
    return {
        "overlaying": "x",
        "side": "top",
        "matches": "x",
        "title": {"text": _text(axis.opposite_label)},
        "showgrid": False,
        **_ticks(axis.opposite),
    }


def _ticks(ticks: Iterable[tuple[float, str]]) -> dict[str, Any]:
    ticks = list(ticks)
    return {
        "tickmode": "array",
        "tickvals": [place for place, _ in ticks],
        "ticktext": [_text(text) for _, text in ticks],
    }


def _text(text: str) -> str:
    """Escape HTML in a text, which plotly.js would interpret."""
    escaped = html.escape(typeset(text, r"{\1}"))
    return SYMBOL.sub(r"<i>\1</i>", escaped).replace("\n", "<br>")


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Return plain numbers rounded for the screen; None for absent values."""
    rounded = []
    for value in values:
        finite = value is not None and math.isfinite(value)
        rounded.append(float(f"{float(value):.{DIGITS}g}") if finite else None)
    return rounded


@singledispatch
def _traces(mark: Any) -> list[dict[str, Any]]:
    raise TypeError(f"Cannot draw a {type(mark).__name__}.")


@_traces.register
def _(mark: Curve) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": _numbers(mark.x),
            "y": _numbers(mark.y),
            "line": {"color": f"@{mark.color}", "dash": mark.dash, "width": mark.width},
            "opacity": mark.opacity,
            "connectgaps": False,
            **_notes(mark.notes),
            **_legend(mark.label, mark.group, mark.hidden),
        }
    ]


@_traces.register
def _(mark: FilledBand) -> list[dict[str, Any]]:
    """Return the area as one closed line of zero width."""
    along = [*mark.x, *reversed(mark.x)]
    across = [*mark.high, *reversed(mark.low)]
    x, y = (across, along) if mark.upright else (along, across)
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": _numbers(x),
            "y": _numbers(y),
            "fill": "toself",
            "fillcolor": f"@{mark.color}/{mark.opacity:g}",
            "line": {"width": 0, "color": f"@{mark.color}"},
            "hoverinfo": "skip",
            **_legend("", mark.group),
        }
    ]


@_traces.register
def _(mark: Points) -> list[dict[str, Any]]:
    marker: dict[str, Any] = {"symbol": mark.symbol, "color": f"@{mark.color}", "size": 9}
    if mark.sizes is not None:
        marker |= {"size": _numbers(mark.sizes), "line": {"width": 0}}
    if mark.values is not None:
        bar = {"title": {"text": _text(mark.scale)}, "thickness": 12}
        marker |= {"color": _numbers(mark.values), "colorscale": "Viridis", "colorbar": bar}
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": _numbers(mark.x),
        "y": _numbers(mark.y),
        "marker": marker,
        "opacity": mark.opacity,
        **_notes(mark.notes),
        **_legend(mark.label, mark.group, mark.hidden),
    }
    if mark.low is not None and mark.high is not None:
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": _numbers(h - v for v, h in zip(mark.y, mark.high, strict=True)),
            "arrayminus": _numbers(v - low for v, low in zip(mark.y, mark.low, strict=True)),
            "color": f"@{mark.color}",
            "thickness": 1.4,
            "width": 3,
        }
    return [trace]


@_traces.register
def _(mark: UpperBounds) -> list[dict[str, Any]]:
    color, n = f"@{mark.color}", len(mark.x)
    ends = [ARROW * y for y in mark.y]
    nan = [math.nan] * n
    tails_x = [value for group in zip(mark.x, mark.x, nan, strict=True) for value in group]
    tails_y = [value for group in zip(mark.y, ends, nan, strict=True) for value in group]
    shared = {"type": "scatter", "opacity": mark.opacity, "legendgroup": mark.label}
    bars = {"symbol": "line-ew-open", "size": 16, "color": color, "line": {"width": 2}}
    sizes = [0, 9, 0] * n  # a head only at the end of each arrow
    heads = {
        "symbol": "triangle-down",
        "size": sizes,
        "color": color,
        "opacity": 1,
        "line": {"width": 0},
    }
    return [
        {
            **shared,
            "mode": "markers",
            "x": _numbers(mark.x),
            "y": _numbers(mark.y),
            "marker": bars,
            **_notes(mark.notes),
            **_legend(mark.label, mark.label),
        },
        {
            **shared,
            "mode": "lines+markers",
            "x": _numbers(tails_x),
            "y": _numbers(tails_y),
            "marker": heads,
            "line": {"color": color, "width": 1.4},
            "showlegend": False,
            "hoverinfo": "skip",
        },
    ]


@_traces.register
def _(mark: Bars) -> list[dict[str, Any]]:
    return [
        {
            "type": "bar",
            "x": [_text(name) for name in mark.names],
            "y": _numbers(mark.heights),
            "marker": {"color": f"@{mark.color}"},
            **_legend(mark.label),
        }
    ]


@_traces.register
def _(mark: Line) -> list[dict[str, Any]]:
    return []  # a shape of the layout


def _legend(label: str, group: str = "", hidden: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"showlegend": bool(label), "name": _text(label), "meta": typeset(label)}
    if group:
        made["legendgroup"] = group
    if hidden:
        made["visible"] = "legendonly"
    return made


def _notes(notes: Iterable[str]) -> dict[str, Any]:
    texts = [_text(note) for note in notes]
    return {"text": texts, "hovertemplate": "%{text}<extra></extra>"} if texts else {}


def _shape(mark: Line) -> dict[str, Any]:
    along, across = ("x", "y") if mark.vertical else ("y", "x")
    return {
        "type": "line",
        f"{along}0": mark.at,
        f"{along}1": mark.at,
        f"{across}ref": "paper",
        f"{across}0": 0,
        f"{across}1": 1,
        "line": {"color": f"@{mark.color}", "width": 1.2, "dash": mark.dash},
    }


def _line_label(mark: Line) -> dict[str, Any]:
    place = {"x": mark.at, "y": 1.0, "yref": "paper", "yanchor": "bottom"}
    if not mark.vertical:
        place = {"y": mark.at, "x": 1.0, "xref": "paper", "xanchor": "right", "yanchor": "bottom"}
    return {"text": _text(mark.label), "showarrow": False, "font": {"size": 11}, **place}


def _note(text: str) -> dict[str, Any]:
    corner = {"xref": "paper", "yref": "paper", "x": 0.02, "y": 0.98}
    ends = {"xanchor": "left", "yanchor": "top", "align": "left"}
    return {"text": _text(text), "showarrow": False, **corner, **ends}
