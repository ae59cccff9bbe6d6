"""Groups of documents: documents of one material in one phase share a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.documents.base import PHASES

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP_FIELDS = ("material_id", "formula_pretty", "phase", "last_updated")
"""Fields that determine the group of a document."""
UNKNOWN = "unknown"
OF_A_PHASE = {"phase": {"$in": list(PHASES)}, "last_updated": {"$exists": True}}
"""Filter of the documents that belong to a group."""


def group_of(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the material and the phase of a document; None if it has no phase."""
    if document.get("phase") not in PHASES or "last_updated" not in document:
        return None
    name = document.get("material_id") or document.get("formula_pretty") or UNKNOWN
    return str(name), document["phase"]


def members_of(group: tuple[str, str]) -> dict[str, Any]:
    """Return the filter of the documents of a group."""
    name, phase = group
    unnamed = {"material_id": {"$in": [None, ""]}}
    meanings: list[dict[str, Any]] = [
        {"material_id": name},
        {"formula_pretty": name, **unnamed},
    ]
    if name == UNKNOWN:
        meanings.append({"formula_pretty": {"$in": [None, ""]}, **unnamed})
    return {"phase": phase, "last_updated": {"$exists": True}, "$or": meanings}
