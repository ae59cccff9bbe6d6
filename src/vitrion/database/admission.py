"""Which job outputs become documents: those of our kinds that are what they say.

A JobStore is shared with the jobs of other packages. Whatever these leave there, under whatever
names, must not get into the material collections, nor keep a document of ours from them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from vitrion.chemistry.formulas import parse_composition
from vitrion.errors import DamagedDocumentsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vitrion.documents.base import VitrionDoc

RESERVED = frozenset(
    {"docs", "outputs", "blobs", "files", "builds"}  # of the JobStore and of this package
    | {"fireworks", "launches", "workflows", "fw_id_assigner", "fw_gridfs", "tasks", "jobs"}
)
"""Names of collections that are never those of a kind of document."""
_TEXTS = ("material_id", "formula_pretty", "chemsys", "phase", "property_name")
_TIME = TypeAdapter(datetime)


class NotADocumentError(Exception):
    """An output is not a document of its kind; the text says why."""


def admit(output: Mapping[str, Any], cls: type[VitrionDoc]) -> dict[str, Any]:
    """Return the document in a job output.

    Parameters
    ----------
    output
        An entry of the JobStore, with references in place of large objects.
    cls
        The class of its kind.

    Returns
    -------
    dict[str, Any]
        The document as it is stored; ``last_updated`` is a time.

    Raises
    ------
    NotADocumentError
        If the entry or the document is not what the class describes.
    """
    uuid, index, content = output.get("uuid"), output.get("index"), output.get("output")
    if not isinstance(uuid, str) or not isinstance(index, int) or isinstance(index, bool):
        raise NotADocumentError("its uuid is not a text or its index not a number")
    if not isinstance(content, dict):
        raise NotADocumentError(f"it is a {type(content).__name__}")
    for name in _TEXTS:
        if not str(content.get(name) or "a").isprintable():
            raise NotADocumentError(f"its {name} holds control characters")
    try:
        _validate(content, cls)
        if content.get("formula_pretty") is not None:
            parse_composition(content["formula_pretty"])
        if content.get("last_updated") is None:
            raise NotADocumentError("it has no last_updated")
        time = _TIME.validate_python(content["last_updated"])
    except (NotADocumentError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # each foreign document fails in its own way
        raise NotADocumentError(_reason(error)) from error
    naive = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    return {**content, "last_updated": naive}


def readable(documents: Iterable[dict], damaged: list[str]) -> Iterator[dict]:
    """Yield documents; the keys of those whose content is damaged are added to a list."""
    try:
        yield from documents
    except DamagedDocumentsError as error:
        damaged += error.keys


def _validate(content: dict[str, Any], cls: type[VitrionDoc]) -> None:
    try:
        cls.model_validate(content)
    except ValidationError as error:
        # A reference to a large object is no list of numbers, and need not be one.
        wrong = [fault for fault in error.errors() if not _is_reference(fault["input"])]
        if wrong:
            where = ".".join(map(str, wrong[0]["loc"]))
            raise NotADocumentError(f"its field '{where}' is wrong: {wrong[0]['msg']}") from error


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and "blob_uuid" in value


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:200]
