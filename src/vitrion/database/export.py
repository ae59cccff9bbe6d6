"""Export documents as JSON lines, CSV or pandas tables."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_json

from vitrion.chemistry.formulas import display_formula
from vitrion.database.dotted_path import follow
from vitrion.database.intervals import interval_of, paths_of_interval
from vitrion.database.summary import SummaryDoc
from vitrion.documents.base import VitrionDoc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TextIO

    import pandas as pd

    from vitrion.uncertainty import Interval

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
    return write_rows([flatten(document, key_fields) for document in documents], file)


def write_rows(rows: Sequence[Mapping[str, Any]], file: TextIO) -> int:
    """Write rows as CSV with the columns of all of them; see :func:`write_csv`."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: spreadsheet_safe(value) for name, value in row.items()} for row in rows)
    return len(rows)


def to_frame(
    documents: Iterable[Document] | BaseModel,
    key_fields: Mapping[str, str] | None = None,
    *,
    all_columns: bool = False,
) -> pd.DataFrame:
    """Return a pandas table with one row per document.

    Parameters
    ----------
    documents : iterable, or one document
        Documents or dictionaries.
    key_fields : mapping of str to str, optional
        Paths of the quantities by their public names; default: all of the document's class.
    all_columns : bool
        Whether to return the columns of :func:`write_csv` instead of formula, phase, identifiers,
        the quantities with the ends ``_low`` and ``_high`` of their 95 % intervals, and potential.
        Documents with a part of the fields, and dictionaries, always have all columns.

    Returns
    -------
    pandas.DataFrame
        Without empty columns, unless `all_columns`.
    """
    import pandas as pd

    if isinstance(documents, BaseModel):  # iterable, by its fields
        documents = [documents]
    if all_columns:
        return pd.DataFrame([flatten(document, key_fields) for document in documents])
    rows = [
        _quantities(document, key_fields)
        if isinstance(document, VitrionDoc)
        else flatten(document, key_fields)
        for document in documents
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _quantities(document: VitrionDoc, key_fields: Mapping[str, str] | None) -> dict[str, Any]:
    """Return formula, phase, identifiers, quantities with intervals, and potential."""
    formula = document.formula_pretty
    row: dict[str, Any] = {
        "formula": display_formula(formula) if formula else None,
        "phase": document.phase,
        "material_id": document.material_id,
        "document_id": document.document_id,
    }
    if isinstance(document, SummaryDoc):
        for name, value in document.values.items():
            row |= _with_interval(name, value, document.intervals.get(name))
        potentials = document.potentials
    else:
        paths = key_fields or document.key_fields
        read = [part for path in paths.values() for part in (path, *paths_of_interval(path))]
        content = document.model_dump(include={path.split(".")[0] for path in read})
        for name, path in paths.items():
            row |= _with_interval(name, follow(content, path), interval_of(content, path))
        spec = document.provenance.potential
        potentials = [] if spec is None else [spec.name]
    return {**row, "potential": ", ".join(potentials) or None}


def _with_interval(name: str, value: Any, interval: Interval | None) -> dict[str, Any]:
    """Return a quantity by its name, and the ends of its interval if it has one."""
    if interval is None:
        return {name: value}
    low, high = interval
    return {name: value, f"{name}_low": low, f"{name}_high": high}


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
    # Additional fields may have values of BSON that JSON does not have, as text.
    return to_json(content, inf_nan_mode="strings", bytes_mode="hex", fallback=str).decode()


def spreadsheet_safe(value: Any) -> Any:
    """Return a value that a spreadsheet does not execute as a formula."""
    is_formula = isinstance(value, str) and len(value) > 1 and value[0] in "=+-@\t\r"
    return f"'{value}" if is_formula else value
