"""Files of the page: structures, tables and figures as data, and the documents."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import math
import re
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from vitrion.database.export import spreadsheet_safe
from vitrion.report.panels import Bars, Curve, FilledBand, Points, UpperBounds
from vitrion.report.structure_facts import structure_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pymatgen.core import Structure

    from vitrion.comparison.tables import Cell, Table
    from vitrion.materials.material import MaterialReport
    from vitrion.report.panels import Figure

MAX_BYTES = 6_000_000
"""Maximum size of all files, compressed; larger documents are left out and named."""
FIGURE_HEADS = ("panel", "curve", "kind", "x", "y", "low", "high", "note")


def file_name(text: str) -> str:
    """Return a text as part of a file name: letters, digits, ``-`` and ``_``."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_") or "file"


def files_of_structures(
    structures: Mapping[str, Structure], sites: Iterable[Iterable[Sequence[Any]]]
) -> dict[str, str]:
    """Return CIF, POSCAR and the rows of the sites of each structure by file name."""
    return {
        f"structures/{file_name(name)}{suffix}": text
        for (name, structure), rows in zip(structures.items(), sites, strict=True)
        for suffix, text in structure_files(structure, rows).items()
    }


def files_of_table(table: Table) -> dict[str, str]:
    """Return a table as CSV and JSON by file name.

    A numeric column of values with intervals becomes three: value, ``low`` and ``high``.
    """
    columns = [column.name for column in table.columns]
    wide = [any(_has_interval(row[k]) for row in table.rows) for k in range(len(columns))]
    heads = []
    for name, is_wide in zip(columns, wide, strict=True):
        heads += [name, f"{name}, low", f"{name}, high"] if is_wide else [name]
    rows = [
        [value for cell, is_wide in zip(row, wide, strict=True) for value in _values(cell, is_wide)]
        for row in table.rows
    ]
    content = [dict(zip(heads, row, strict=True)) for row in rows]
    name = f"tables/{file_name(table.caption)}"
    return {
        f"{name}.csv": _csv(heads, rows),
        f"{name}.json": json.dumps({"caption": table.caption, "rows": content}, indent=1),
    }


def files_of_figure(figure: Figure) -> dict[str, str]:
    """Return the curves and points of a figure as CSV and JSON by file name."""
    heads, rows, panels = FIGURE_HEADS[1:], [], []
    for panel in figure.panels:
        own = [row for mark in panel.marks for row in _rows(mark)]
        rows += [[panel.title, *row] for row in own]
        data = [dict(zip(heads, row, strict=True)) for row in own]
        labels = {"title": panel.title, "x": panel.x.label, "y": panel.y.label}
        panels.append({**labels, "data": data})
    content = {"title": figure.title, "caption": figure.caption, "panels": panels}
    return {
        f"figures/{figure.name}.csv": _csv(FIGURE_HEADS, rows),
        f"figures/{figure.name}.json": json.dumps(content),
    }


def files_of_documents(reports: Iterable[MaterialReport]) -> dict[str, str]:
    """Return the documents as JSON by file name."""
    found: dict[str, str] = {}
    for report in reports:
        for document in report.documents:
            base = f"documents/{file_name(report.name)}_{document.property_name}"
            number = sum(name.startswith(base) for name in found) + 1
            found[f"{base}_{number}.json"] = document.model_dump_json()
    return found


def packed(files: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Compress files for the page: gzip in base64, up to :data:`MAX_BYTES`.

    Returns
    -------
    dict
        Compressed files by name.
    list of str
        Names of the files that are too large.
    """
    kept, omitted, size = {}, [], 0
    for name, text in files.items():
        body = base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
        if size + len(body) > MAX_BYTES:
            omitted.append(name)
            continue
        kept[name] = body
        size += len(body)
    return kept, omitted


def _has_interval(cell: Cell) -> bool:
    return cell.low is not None or cell.high is not None


def _values(cell: Cell, is_wide: bool) -> list[Any]:
    is_number = isinstance(cell.order, (int, float))
    if not is_wide:
        return [cell.order if is_number else cell.text]
    if _has_interval(cell):
        return [cell.value, cell.low, cell.high]
    return [cell.order if is_number else None, None, None]


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([spreadsheet_safe(value) for value in row] for row in rows)
    return text.getvalue()


def _plain(value: Any) -> float | None:
    return float(f"{float(value):.8g}") if value is not None and math.isfinite(value) else None


@singledispatch
def _rows(mark: Any) -> list[list[Any]]:
    """Return curve, kind, x, y, low, high and note of each point of a mark."""
    return []


@_rows.register
def _(mark: Curve) -> list[list[Any]]:
    name = mark.label or mark.group
    pairs = zip(mark.x, mark.y, strict=True)
    return [[name, "curve", _plain(x), _plain(y), None, None, ""] for x, y in pairs]


@_rows.register
def _(mark: FilledBand) -> list[list[Any]]:
    places = [[None, _plain(at)] if mark.upright else [_plain(at), None] for at in mark.x]
    note = "from low to high in x" if mark.upright else ""
    ends = zip(places, mark.low, mark.high, strict=True)
    return [[mark.group, "band", *place, _plain(a), _plain(b), note] for place, a, b in ends]


@_rows.register
def _(mark: Points) -> list[list[Any]]:
    n = len(mark.x)
    low = mark.low if mark.low is not None else [None] * n
    high = mark.high if mark.high is not None else [None] * n
    notes = mark.notes or [""] * n
    rows = zip(mark.x, mark.y, low, high, notes, strict=True)
    name = mark.label or mark.group
    return [
        [name, "point", *map(_plain, (x, y, a, b)), note.replace("\n", "; ")]
        for x, y, a, b, note in rows
    ]


@_rows.register
def _(mark: UpperBounds) -> list[list[Any]]:
    notes = mark.notes or [""] * len(mark.x)
    return [
        [mark.label, "upper bound", _plain(x), None, None, _plain(y), note.replace("\n", "; ")]
        for x, y, note in zip(mark.x, mark.y, notes, strict=True)
    ]


@_rows.register
def _(mark: Bars) -> list[list[Any]]:
    bars = zip(mark.names, mark.heights, strict=True)
    return [[mark.label, "bar", name, _plain(height), None, None, ""] for name, height in bars]
