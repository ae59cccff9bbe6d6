"""Tables of the page: cells with a text and the value that a column is sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.uncertainty import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.uncertainty import Uncertain


MISSING = "-"


@dataclass(frozen=True)
class Cell:
    """What a cell shows, what it is sorted by, and where it leads, if anywhere."""

    text: str
    order: float | str | None = None
    link: str = ""
    is_formula: bool = False


@dataclass(frozen=True)
class Column:
    """Head of a column; numbers stand to the right."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under heads, with a caption that says what they are."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sortable: bool = True


def make_table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell | str]], **options: bool
) -> Table:
    """Make a table without empty columns; a head that ends in ``#`` is of a column of numbers."""
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


def measured(value: float | None, form: str = ".2f", prefix: str = "") -> Cell:
    """Make a cell of a number; empty where there is none. No form: digits that a reader can use."""
    if value is None:
        return Cell(MISSING)
    return Cell(prefix + (f"{value:{form}}" if form else number(value)), value)


def quantified(quantity: Uncertain | None) -> Cell:
    """Make a cell of a figure with its interval."""
    if quantity is None:
        return Cell(MISSING)
    ends = (quantity.value, quantity.high, quantity.low)
    return Cell(quantity.text, next((end for end in ends if end is not None), None))
