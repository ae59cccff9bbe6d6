"""Export documents as JSON lines, CSV or pandas tables."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_json

from vitrion.database.summary import follow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    import pandas as pd

Document = BaseModel | dict[str, Any]


def write_json_lines(documents: Iterable[Document], file: TextIO) -> int:
    """Write one JSON object per line; NaN is written as the string "NaN".

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


def write_csv(
    documents: Iterable[Document], file: TextIO, key_fields: Mapping[str, str] | None = None
) -> int:
    """Write one row per document, one column per number, string or flag.

    The name of a column is the public name of its quantity, else its path. Lists and structures are
    skipped. Text that a spreadsheet would execute as a formula gets a leading ``'``.

    Parameters
    ----------
    documents : iterable
        Documents or dictionaries.
    file : TextIO
    key_fields : mapping of str to str, optional
        Paths of the quantities by their public names, such as ``client.summary.key_fields``.

    Returns
    -------
    int
        Number of documents written.
    """
    rows = [flatten(document, key_fields) for document in documents]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return len(rows)


def to_frame(
    documents: Iterable[Document], key_fields: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return a pandas table with the rows and columns of :func:`write_csv`."""
    import pandas as pd

    return pd.DataFrame([flatten(document, key_fields) for document in documents])


def flatten(document: Document, key_fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the numbers, strings and flags of a document by public name, else by dotted path.

    Parameters
    ----------
    document
        A document or a dictionary.
    key_fields : mapping of str to str, optional
        Paths of the quantities by their public names.

    Returns
    -------
    dict
        Values, without lists and serialized objects such as structures.
    """
    content = document.model_dump() if isinstance(document, BaseModel) else document
    flat: dict[str, Any] = {}
    _collect(content, "", flat)
    names = {path: name for name, path in (key_fields or {}).items()}
    row = {names.get(path, path): value for path, value in flat.items()}
    for path, name in names.items():  # values inside lists
        value = follow(content, path)
        if name not in row and isinstance(value, (bool, int, float, str)):
            row[name] = value
    return row


def _collect(node: Mapping[str, Any], prefix: str, flat: dict[str, Any]) -> None:
    for name, value in node.items():
        if isinstance(value, dict):
            if "@class" not in value:
                _collect(value, f"{prefix}{name}.", flat)
        elif not isinstance(value, (list, tuple, set)):
            flat[prefix + name] = value


def _json(document: Document) -> str:
    # pydantic's JSON converts NaN and infinity of nested models to null.
    content = document.model_dump() if isinstance(document, BaseModel) else document
    return to_json(content, inf_nan_mode="strings").decode()


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
