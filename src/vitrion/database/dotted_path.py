"""Values at dotted paths of stored documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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
