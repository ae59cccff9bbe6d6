"""Rows of a table of documents: one value per requested field, with its interval if it has one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monty.json import jsanitize

from vitrion.database.dotted_path import follow
from vitrion.database.export import flatten
from vitrion.database.intervals import interval_of, paths_of_interval
from vitrion.uncertainty import Bound, interval_text, upper_bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vitrion.database.client import PropertyClient
    from vitrion.uncertainty import Interval

LISTED = 8
"""Maximum number of values of a list in a table."""


@dataclass(frozen=True)
class FieldValue:
    """A value of a document.

    Attributes
    ----------
    value
        Number, text, flag, list, dictionary, bound or None.
    interval : tuple of float or None
        95 % interval.
    """

    value: Any
    interval: Interval | None = None

    @property
    def text(self) -> str:
        """The value for a person, with its interval: ``0.18 (0.11 to 0.3)``."""
        if self.interval is not None:
            return interval_text(self.value, self.interval)
        if isinstance(self.value, Bound):
            return self.value.text
        if isinstance(self.value, list):
            return _listed(self.value)
        if isinstance(self.value, dict):
            return str(self.value.get("@class", f"dict of {len(self.value)}"))
        if isinstance(self.value, float):
            return f"{self.value:.4g}"
        return "" if self.value is None else str(self.value)

    @property
    def plain(self) -> Any:
        """The value for a file: lists and dictionaries as JSON."""
        if isinstance(self.value, (list, dict)):
            return json.dumps(jsanitize(self.value))
        return self.value


def hidden_fields(names: Iterable[str], searched: PropertyClient) -> list[str]:
    """Return the fields that hold the intervals of other fields."""
    wanted = set(names) & set(searched.key_fields)
    if searched.name == "summary":
        return ["intervals"] if wanted else []
    paths = [path for name in wanted for path in paths_of_interval(searched.key_fields[name])]
    return sorted({path.split(".")[0] for path in paths})


def row_of(
    document: Mapping[str, Any], names: Sequence[str], searched: PropertyClient
) -> dict[str, FieldValue]:
    """Return the values of the requested fields; a group of values has one entry per value.

    Parameters
    ----------
    document
        Result of ``searched.raw`` with the fields and their `hidden_fields`.
    names
        Requested fields, dotted paths or public names.
    searched
        Search of the kind of the document.
    """
    row: dict[str, FieldValue] = {}
    for name in names:
        value = document[name] if name in document else follow(document, name)
        path = searched.key_fields.get(name)
        if path is not None:
            row[name] = _quantity(document, name, path, value)
        elif isinstance(value, dict) and "@class" not in value and (parts := flatten(value)):
            row |= {f"{name}.{part}": FieldValue(inner) for part, inner in parts.items()}
        else:
            row[name] = FieldValue(value)
    return row


def with_bound(row: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return a row for a person: an upper bound in the place of the missing conductivity."""
    if "sigma_300K" not in row or "sigma_300K_bound" not in row:
        return dict(row)
    shown = {name: cell for name, cell in row.items() if name != "sigma_300K_bound"}
    if row["sigma_300K"].value is None:
        shown["sigma_300K"] = FieldValue(upper_bound(row["sigma_300K_bound"].value))
    return shown


def _quantity(document: Mapping[str, Any], name: str, path: str, value: Any) -> FieldValue:
    if isinstance(value, dict):
        return FieldValue(follow(document, path), interval_of(document, path))
    stated = (document.get("intervals") or {}).get(name)
    interval = tuple(stated) if stated else interval_of(document, path)
    return FieldValue(value, None if value is None else interval)


def _listed(values: list[Any]) -> str:
    if any(isinstance(value, (list, dict)) for value in values):
        return f"list of {len(values)}"
    shown = ", ".join(FieldValue(value).text for value in values[:LISTED])
    return shown if len(values) <= LISTED else f"{shown}, ... ({len(values)})"
