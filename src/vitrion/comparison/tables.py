"""Tables as data: cells with a text and a sort key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Protocol

from vitrion.uncertainty import interval_text, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.uncertainty import Interval


MISSING = "-"


class HasInterval(Protocol):
    """A quantity with a 95 % interval, such as an estimate, a bound or a glass transition."""

    @property
    def value(self) -> float | None:
        """Best value; None if only a limit is known."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""

    @property
    def text(self) -> str:
        """Value and interval."""


@dataclass(frozen=True)
class Cell:
    """Text, sort key and optional link of a cell; value and 95 % interval of a quantity."""

    text: str
    order: float | str | None = None
    link: str = ""
    is_formula: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Column:
    """Header of a column; numeric columns are right-aligned."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Columns, rows and caption."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sortable: bool = True

    def without(self, *names: str) -> Table:
        """Return the table without the named columns."""
        kept = [k for k, column in enumerate(self.columns) if column.name not in names]
        return replace(
            self,
            columns=tuple(self.columns[k] for k in kept),
            rows=tuple(tuple(row[k] for k in kept) for row in self.rows),
        )

    def with_column(self, column: Column, cells: Iterable[Cell]) -> Table:
        """Return the table with an additional last column."""
        rows = tuple((*row, cell) for row, cell in zip(self.rows, cells, strict=True))
        return replace(self, columns=(*self.columns, column), rows=rows)

    def markdown(self) -> str:
        """Return the table in Markdown, without its caption."""
        heads = [column.name for column in self.columns]
        lines = [heads, ["---:" if column.numeric else "---" for column in self.columns]]
        lines += [[cell.text.replace("|", r"\|") for cell in row] for row in self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def _repr_html_(self) -> str:
        """Return the table as HTML for a notebook."""
        heads = "".join(f"<th>{escape(column.name)}</th>" for column in self.columns)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell.text)}</td>' for cell in row)}</tr>"
            for row in self.rows
        )
        return (
            f"<table><caption>{escape(self.caption)}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )


def make_table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell | str]], **options: bool
) -> Table:
    """Create a table without empty columns; a header with a trailing ``#`` marks numbers."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    kept = [
        index
        for index in range(len(heads))
        if index == 0 or not cells or any(row[index].text != MISSING for row in cells)
    ]
    columns = tuple(
        Column(heads[index].rstrip("# "), numeric=heads[index].endswith("#")) for index in kept
    )
    return Table(
        caption, columns, tuple(tuple(row[index] for index in kept) for row in cells), **options
    )


def measured(value: float | None, form: str = ".2f") -> Cell:
    """Return a cell of a number, empty for None; default format if `form` is empty."""
    if value is None:
        return Cell(MISSING)
    return Cell(f"{value:{form}}" if form else number(value), value)


def ranged(value: float | None, interval: Interval | None, form: str = "") -> Cell:
    """Return a cell of a number with its interval, if it has one; see :func:`measured`."""
    if value is None or interval is None:
        return measured(value, form)
    low, high = interval
    return Cell(interval_text(value, interval), value, value=value, low=low, high=high)


def quantified(quantity: HasInterval | None) -> Cell:
    """Return a cell of a value with its interval."""
    if quantity is None:
        return Cell(MISSING)
    ends = (quantity.value, quantity.high, quantity.low)
    order = next((end for end in ends if end is not None), None)
    return Cell(quantity.text, order, value=quantity.value, low=quantity.low, high=quantity.high)
