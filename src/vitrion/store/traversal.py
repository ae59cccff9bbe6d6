"""What a dotted path reaches in a document, by MongoDB's rules.

A filter and a sort follow different rules through lists: a filter asks whether any value matches, a
sort takes the least or the greatest one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

from bson import Code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class _Absent:
    """The value of a field that a document lacks, or of an empty list in a sort."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MISSING: Final = _Absent("MISSING")
UNDEFINED: Final = _Absent("UNDEFINED")


def is_text(value: Any) -> TypeGuard[str]:
    """Return whether a value is a string; BSON's ``Code`` is a string in Python alone."""
    return isinstance(value, str) and not isinstance(value, Code)


def reach(node: Any, parts: Sequence[str]) -> Iterator[tuple[Any, bool]]:
    """Yield the values at a path, as a filter looks for them.

    Parameters
    ----------
    node
        A document.
    parts
        The names along the path; digits also count the items of a list.

    Yields
    ------
    tuple[Any, bool]
        A value, or MISSING where the path ends early; and whether a list there counts item by item
        too. Nothing where the path leads through a list without documents.
    """
    for position, part in enumerate(parts):
        if isinstance(node, list):
            yield from _through(node, parts[position:])
            return
        if not isinstance(node, dict) or part not in node:
            yield MISSING, False
            return
        node = node[part]
    yield node, True


def _through(items: list, parts: Sequence[str]) -> Iterator[tuple[Any, bool]]:
    place = _index(parts[0])
    rest = parts[1:]
    for number, item in enumerate(items):
        if isinstance(item, dict):
            yield from reach(item, parts)
        if number != place:
            continue
        if not rest:
            yield item, False
        elif isinstance(item, dict):
            yield from reach(item, rest)
        elif isinstance(item, list):
            yield from _through(item, rest)


def values_at(document: dict, parts: Sequence[str]) -> Iterator[Any]:
    """Yield the values at a path: of a list each item, then the list itself."""
    for value, is_open in reach(document, parts):
        if is_open and isinstance(value, list):
            yield from value
        yield value


def found_at(document: dict, path: str) -> Iterator[Any]:
    """Yield the values at a path, lists unexpanded; nothing if the path is missing."""
    return (value for value, _ in reach(document, path.split(".")) if value is not MISSING)


def sort_values(node: Any, parts: Sequence[str]) -> Iterator[Any]:
    """Yield the values that a document may be sorted by.

    Yields
    ------
    Any
        The value at the path; of a list each item; None where the path ends early; UNDEFINED for
        an empty list.
    """
    for position, part in enumerate(parts):
        if isinstance(node, list):
            yield from _sort_through(node, parts[position:])
            return
        if not isinstance(node, dict) or part not in node:
            yield None
            return
        node = node[part]
    if isinstance(node, list):
        yield from node or [UNDEFINED]
    else:
        yield node


def _sort_through(items: list, parts: Sequence[str]) -> Iterator[Any]:
    place = _index(parts[0])
    if place is not None and place < len(items):
        yield from sort_values(items[place], parts[1:])
        return
    for item in items or [None]:
        if isinstance(item, dict):
            yield from sort_values(item, parts)
        else:
            yield None


def _index(part: str) -> int | None:
    """Return the position in a list that a part of a path names, if it names one."""
    is_plain = part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")
    return int(part) if is_plain and len(part) < 10 else None
