"""Descriptions of figures, independent of the drawing library.

:mod:`vitrion.report.draw` draws them for papers, :mod:`vitrion.report.plotly` for the page. Colors
are names of the palette.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = Sequence[float] | NDArray[np.float64]
Ticks = tuple[tuple[float, str], ...]
Dash = Literal["solid", "dash", "dot"]
Symbol = Literal["circle", "diamond", "square", "star"]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes
    ----------
    label : str
        Quantity and unit; symbols in braces are set in italics.
    log : bool
    limits : pair of float, optional
        Default: from the data.
    ticks : tuple of (place, text), optional
        Default: automatic; empty for none.
    opposite : tuple of (place, text)
        Ticks on the other side of the panel, such as temperatures above their inverses.
    opposite_label : str
    """

    label: str
    log: bool = False
    limits: tuple[float, float] | None = None
    ticks: Ticks | None = None
    opposite: Ticks = ()
    opposite_label: str = ""


@dataclass(frozen=True)
class Curve:
    """A line; NaN interrupts it. Marks of one `group` are shown and hidden together.

    `notes` are shown on hover.
    """

    x: Numbers
    y: Numbers
    label: str = ""
    color: str = "ink"
    dash: Dash = "solid"
    width: float = 1.8
    opacity: float = 1.0
    group: str = ""
    hidden: bool = False
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class FilledBand:
    """An area between two curves of x, or of y if `upright`."""

    x: Numbers
    low: Numbers
    high: Numbers
    color: str = "ink"
    opacity: float = 0.2
    group: str = ""
    upright: bool = False


@dataclass(frozen=True)
class Points:
    """Points, optionally with the ends of their intervals.

    `sizes` are diameters in points; `values` color the points on a scale named by `scale`;
    `notes` are shown on hover.
    """

    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    label: str = ""
    color: str = "ink"
    symbol: Symbol = "circle"
    opacity: float = 1.0
    group: str = ""
    sizes: Numbers | None = None
    values: Numbers | None = None
    scale: str = ""
    notes: Sequence[str] = ()
    hidden: bool = False


@dataclass(frozen=True)
class UpperBounds:
    """One-sided bounds: a bar at the value and an arrow downwards."""

    x: Numbers
    y: Numbers
    label: str = ""
    color: str = "ink"
    opacity: float = 1.0
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Bars:
    """One bar per category."""

    names: Sequence[str]
    heights: Numbers
    label: str = ""
    color: str = "ink"


@dataclass(frozen=True)
class Line:
    """A straight line through the panel at one value of x (``vertical``) or y."""

    at: float
    label: str = ""
    color: str = "muted"
    vertical: bool = True
    dash: Dash = "dash"


Mark = Curve | FilledBand | Points | UpperBounds | Bars | Line


@dataclass(frozen=True)
class Panel:
    """Axes and their marks; `note` is a short text in a free corner."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""
    note: str = ""
    equal: bool = False


@dataclass(frozen=True)
class Figure:
    """Panels in rows, which may have different lengths.

    Attributes
    ----------
    name : str
        File name without suffix.
    title, caption : str
        Title, and a description that also serves as alternative text.
    rows : tuple of tuples of Panel
    """

    name: str
    title: str
    caption: str
    rows: tuple[tuple[Panel, ...], ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, row by row."""
        return tuple(panel for row in self.rows for panel in row)
