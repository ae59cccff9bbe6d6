"""Stored forms of documents: entries of a JobStore, MongoDB's extended JSON, references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bson import json_util

if TYPE_CHECKING:
    from typing import TypeGuard

EXTENDED = frozenset({"$date", "$oid", "$numberInt", "$numberLong", "$numberDouble"})
"""Keys of the extended JSON that ``mongoexport`` writes."""


def document_content(stored: Any) -> Any:
    """Return the document in an entry of a JobStore, in plain types; other values unchanged."""
    if not isinstance(stored, Mapping):
        return stored
    output = stored.get("output")
    content = output if "uuid" in stored and isinstance(output, Mapping) else stored
    if _is_extended(content):
        return json_util.loads(json_util.dumps(content))
    return content


def _is_extended(node: Any) -> bool:
    if isinstance(node, Mapping):
        return not EXTENDED.isdisjoint(node) or any(map(_is_extended, node.values()))
    return isinstance(node, list) and any(map(_is_extended, node))


def reference_at(content: Any, path: Iterable[int | str]) -> str | None:
    """Return the dotted path of the reference to a large object on a path, None without one."""
    passed: list[str] = []
    for key in path:
        if is_reference(content):
            return ".".join(passed)
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            return None
        passed.append(str(key))
    return ".".join(passed) if is_reference(content) else None


def is_reference(value: Any) -> TypeGuard[dict[str, str]]:
    """Return whether a value of a document is a reference to a large object."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("blob_uuid"), str)
        and isinstance(value.get("store"), str)
    )
