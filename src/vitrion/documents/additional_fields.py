"""Fields that a user adds to documents, as with atomate2's ``add_metadata_to_flow``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS, NAME = "additional_fields", "forcefield_name"
KNOWN = (FIELDS, NAME, "force_field_name")
"""Keys of ``task_document_kwargs``: the last two are the names of a force field in atomate2."""


def additional_fields(task_document_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to add to the documents of a Maker.

    Parameters
    ----------
    task_document_kwargs
        As atomate2's Makers take it.

    Raises
    ------
    InputError
        If another key is given, which documents would not keep.
    """
    for key in task_document_kwargs:
        if key not in KNOWN:
            raise InputError(f"task_document_kwargs takes {FIELDS}, not '{key}'.")
    return dict(task_document_kwargs.get(FIELDS) or {})
