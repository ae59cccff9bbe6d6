"""The order of documents in a sort, as MongoDB defines it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maggma.core import Sort

from vitrion.errors import StoreError
from vitrion.store.bson_order import Rank, rank
from vitrion.store.traversal import sort_values


def parse_sort(sort: Mapping[str, Sort | int] | None) -> dict[str, int]:
    """Return the direction 1 or -1 by path.

    Raises
    ------
    StoreError
        If a direction or a path does not exist.
    """
    if not isinstance(sort, Mapping | None):
        raise StoreError(f"A sort is a mapping of paths to 1 or -1, not {sort!r}.")
    order = {}
    for path, way in (sort or {}).items():
        try:
            order[path] = Sort(way).value
        except ValueError:
            raise StoreError(
                f"A sort takes 1 (ascending) or -1 (descending), not {way!r}."
            ) from None
        if not isinstance(path, str) or not all(path.split(".")) or "$" in path:
            raise StoreError(f"A sort takes the path of a field, not {path!r}.")
        if path.split(".")[0] == "_id":
            raise StoreError("The documents of the embedded store have no _id: sort by a field.")
    return order


def sort_rank(document: dict, order: Mapping[str, int]) -> list[Rank]:
    """Return the sort key of a document: its least or greatest value at each path.

    Raises
    ------
    StoreError
        If it has several values at more than one path, of which the pairs would count.
    """
    ranks: list[Rank] = []
    several: list[str] = []
    for path, way in order.items():
        found: list[Any] = [rank(value) for value in sort_values(document, path.split("."))]
        if len(found) > 1:
            several.append(path)
        ranks.append(max(found) if way < 0 else min(found))
    if len(several) > 1:
        raise StoreError(
            f"A sort takes one field with lists, not {' and '.join(several)}: sort by one of them."
        )
    return ranks
