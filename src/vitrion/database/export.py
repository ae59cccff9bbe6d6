"""Write found documents for other programs: JSON lines, CSV, pandas."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    import pandas as pd

Document = BaseModel | dict[str, Any]


def write_json_lines(documents: Iterable[Document], file: TextIO) -> int:
    """Write one JSON object a line; NaN is written as the string "NaN".

    Returns
    -------
    int
        Number of documents written.
    """
    count = 0
    for document in documents:
        file.write(_json(document) + "\n")
        count += 1
    return count


def write_csv(documents: Iterable[Document], file: TextIO) -> int:
    """Write one row a document, one column for each number, string or flag, named by its path.

    Lists and structures have no place in a table and are left out; name the wanted fields in the
    search. A text that a spreadsheet would take for a formula is written with a leading ``'``.

    Returns
    -------
    int
        Number of documents written.
    """
    rows = [flatten(document) for document in documents]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return len(rows)


def to_frame(documents: Iterable[Document]) -> pd.DataFrame:
    """Return a pandas table with the rows and columns of :func:`write_csv`."""
    import pandas as pd

    return pd.DataFrame([flatten(document) for document in documents])


def flatten(document: Document) -> dict[str, Any]:
    """Return the numbers, strings and flags of a document by their dotted paths.

    Parameters
    ----------
    document
        A document or a dictionary.

    Returns
    -------
    dict
        Without lists, and without mappings that describe an object such as a Structure.
    """
    content = document.model_dump() if isinstance(document, BaseModel) else document
    flat: dict[str, Any] = {}
    _collect(content, "", flat)
    return flat


def _collect(node: Mapping[str, Any], prefix: str, flat: dict[str, Any]) -> None:
    for name, value in node.items():
        if isinstance(value, dict):
            if "@class" not in value:
                _collect(value, f"{prefix}{name}.", flat)
        elif not isinstance(value, (list, tuple, set)):
            flat[prefix + name] = value


def _json(document: Document) -> str:
    # pydantic's own JSON turns a NaN or an infinity of a nested model into null.
    content = document.model_dump() if isinstance(document, BaseModel) else document
    return to_json(content, inf_nan_mode="strings").decode()


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
