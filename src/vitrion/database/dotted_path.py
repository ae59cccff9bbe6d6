"""Values at dotted paths of stored documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.store.projection import without_collisions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def follow(document: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path (numbers index lists), or None."""
    node: Any = document
    for part in path.split("."):
        if isinstance(node, list):
            is_index = part.isdecimal() and len(part) < 10
            node = node[int(part)] if is_index and int(part) < len(node) else None
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


def projected(paths: Iterable[str]) -> list[str]:
    """Return the paths of a projection that keeps the values at dotted paths.

    A number indexes a list, which a projection passes through without it, or names a field.
    """
    wanted: list[str] = []
    for path in paths:
        wanted += [path, ".".join(part for part in path.split(".") if not part.isdigit())]
    return without_collisions(wanted)
