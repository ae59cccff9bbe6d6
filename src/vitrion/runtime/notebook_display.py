"""Display of objects in notebooks: a small table, and plots."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEWS = "vitrion.report.notebook"
"""Module that knows the tables and figures of all classes; loaded at the first display."""


class NotebookTable:
    """Base class of objects that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        """Return the object as an HTML table with intervals and cautions."""
        found: str = import_module(VIEWS).html_of(self)
        return found


class NotebookFigure(NotebookTable):
    """Base class of objects that a notebook shows as a table, and that can be plotted."""

    def plot(self, path: str | None = None, **options: Any) -> Figure:
        """Draw the object with matplotlib.

        Parameters
        ----------
        path : str, optional
            File to write; its suffix sets the format: ``.svg``, ``.pdf``, ``.png``.
        **options
            Options of the figure, such as ``kind="van_hove"`` of a transport result.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        InputError
            If the object has no figure.
        """
        found: Figure = import_module(VIEWS).plot_of(self, path, **options)
        return found
