"""Files of compositions: tables with a column of formulas, and one formula per line."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.errors import InputError
from vitrion.runtime.text_files import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

LIST_SUFFIXES = (".txt", ".csv", ".list")
"""Suffixes by which a file of compositions is distinguished from a formula."""


def read_compositions(path: Path) -> list[str]:
    """Read formulas from a CSV file with a column ``formula``, or from a file with one per line.

    Raises
    ------
    InputError
        If the file does not exist or cannot be read, contains no formula, or is a table without
        a column ``formula``.
    """
    if not path.exists():
        raise InputError(f"The file {path} does not exist.")
    try:
        # Spreadsheets may write a byte order mark, and semicolons between cells.
        lines = [line for line in read_text(path, "utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The file {path} cannot be read as text.") from error
    kept = [line for line in lines if not line.lstrip().startswith("#")]
    try:
        rows = list(csv.reader(kept, delimiter=";" if kept and ";" in kept[0] else ","))
    except csv.Error as error:
        raise InputError(f"The file {path} is not a table: {error}.") from error
    if rows and "formula" in (header := [cell.strip().lower() for cell in rows[0]]):
        column = header.index("formula")
        formulas = [row[column].strip() for row in rows[1:] if len(row) > column]
    elif any(cell.strip() for row in rows for cell in row[1:]):
        raise InputError(f"The table {path} has no column 'formula' in its first line.")
    else:
        formulas = [row[0].strip() for row in rows]
    found = [
        formula for formula in dict.fromkeys(formulas) if formula
    ]  # tables may end with empty rows
    if not found:
        raise InputError(f"The file {path} contains no formula.")
    return found


def expand_lists(names: Iterable[str]) -> list[str]:
    """Return compositions with the files of compositions (.csv, .txt) replaced by their content.

    Raises
    ------
    InputError
        If a file cannot be read, or contains no formula.
    """
    found: list[str] = []
    for name in names:
        path = Path(name).expanduser()
        found += read_compositions(path) if path.suffix in LIST_SUFFIXES else [name]
    return found
