"""References of documents to large objects in the additional stores of a JobStore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeGuard


def is_reference(value: Any) -> TypeGuard[dict[str, str]]:
    """Return whether a value of a document is a reference to a large object."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("blob_uuid"), str)
        and isinstance(value.get("store"), str)
    )
