"""Validation of job outputs before they enter the material collections.

Other packages may use the same JobStore. Their outputs, under any name, must not enter the material
collections, nor prevent documents of vitrion from entering.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson.errors import BSONError
from pydantic import TypeAdapter, ValidationError
from pymongo.errors import BulkWriteError

from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.database.dotted_path import follow
from vitrion.documents.stored_form import reference_at
from vitrion.errors import DamagedDocumentsError, UnstorableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeGuard

    from maggma.core import Store

    from vitrion.documents.base import VitrionDoc

RESERVED = frozenset(
    {"docs", "outputs", "blobs", "files", "builds"}  # of the JobStore and of this package
    | {"fireworks", "launches", "workflows", "fw_id_assigner", "fw_gridfs", "tasks", "jobs"}
)
"""Reserved names, which no kind of document may have."""
_TEXTS = ("material_id", "formula_pretty", "chemsys", "phase", "property_name")
_SEARCHED = (*_TEXTS, "deprecated", "last_updated")
LONGEST = 200
"""Maximum number of characters of a reason and of an identifier."""
_TIME = TypeAdapter(datetime)


class NotADocumentError(Exception):
    """An output is not a valid document of its kind; the message states the reason."""


def admit(output: Mapping[str, Any], cls: type[VitrionDoc]) -> dict[str, Any]:
    """Return the document in a job output.

    Parameters
    ----------
    output
        An entry of the JobStore, with references instead of large objects.
    cls
        Class of the kind of document.

    Returns
    -------
    dict[str, Any]
        The stored form of the document; ``last_updated`` is a datetime.

    Raises
    ------
    NotADocumentError
        If the entry or the document does not match the class.
    """
    uuid, index, content = output.get("uuid"), output.get("index"), output.get("output")
    if not isinstance(uuid, str) or not isinstance(index, int) or isinstance(index, bool):
        raise NotADocumentError("its uuid is not a text or its index not a number")
    if len(uuid) > LONGEST or not uuid.isprintable():
        raise NotADocumentError(f"its uuid has control characters or more than {LONGEST}")
    if not isinstance(content, dict):
        raise NotADocumentError(f"it is a {type(content).__name__}")
    content = {name: value for name, value in content.items() if name != "_id"}
    for name in content:
        if name[:1] == "$":
            raise NotADocumentError(f"its field '{name[:LONGEST]}' has the name of an operator")
    for name in _TEXTS:
        if not str(content.get(name) or "a").isprintable():
            raise NotADocumentError(f"its {name} holds control characters")
    if len(str(content.get("material_id") or "")) > LONGEST:
        raise NotADocumentError(f"its material_id has more than {LONGEST} characters")
    try:
        _check_values(content, cls, _validate(content, cls))
        if content.get("formula_pretty") is not None:
            formula = usual_formula(parse_composition(content["formula_pretty"]))
            content = {**content, "formula_pretty": formula}
        if content.get("last_updated") is None:
            raise NotADocumentError("it has no last_updated")
        time = _TIME.validate_python(content["last_updated"])
        naive = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (NotADocumentError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # foreign documents raise many types of errors
        raise NotADocumentError(_reason(error)) from error
    return {**content, "last_updated": naive}


def shown(key: str) -> str:
    """Return a key for display: short, without control characters."""
    text = key if key.isprintable() else repr(key[:LONGEST])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def readable(documents: Iterable[dict], damaged: list[str]) -> Iterator[dict]:
    """Yield documents; append the keys of damaged documents to a list."""
    try:
        yield from documents
    except DamagedDocumentsError as error:
        damaged += error.keys


def write(
    collection: Store, documents: Sequence[dict], key: str, skipped: dict[str, str]
) -> list[dict]:
    """Store documents; a document that cannot be stored does not prevent others.

    Parameters
    ----------
    collection
        Where to store them.
    documents
        The documents.
    key
        Field that identifies a document.
    skipped
        Receives the keys of documents that cannot be stored, and the reasons.

    Returns
    -------
    list[dict]
        The stored documents.
    """
    try:
        collection.update(list(documents), key=key)
    except (UnstorableError, BSONError, BulkWriteError) as error:
        if len(documents) > 1:
            parts = [write(collection, [document], key, skipped) for document in documents]
            return [document for part in parts for document in part]
        reason = error.details["writeErrors"][0]["errmsg"] if _is_refused(error) else str(error)
        skipped[documents[0][key]] = reason[:LONGEST]
        return []
    return list(documents)


def _is_refused(error: Exception) -> TypeGuard[BulkWriteError]:
    return isinstance(error, BulkWriteError) and bool(error.details.get("writeErrors"))


def _validate(content: dict[str, Any], cls: type[VitrionDoc]) -> VitrionDoc | None:
    """Return the document; None if references prevent its creation."""
    try:
        # Not cls.model_validate: this keeps the places of all errors.
        return TypeAdapter(cls).validate_python(content)
    except ValidationError as error:
        # References to large objects are not validated.
        wrong = [fault for fault in error.errors() if not reference_at(content, fault["loc"])]
        if wrong:
            where = ".".join(map(str, wrong[0]["loc"]))
            reason = wrong[0]["msg"][:LONGEST]
            raise NotADocumentError(f"its field '{where}' is wrong: {reason}") from error
    return None


def _check_values(
    content: dict[str, Any], cls: type[VitrionDoc], document: VitrionDoc | None
) -> None:
    """Refuse searched values that are not plain, or of another type than the field."""
    for path in (*_SEARCHED, *cls.key_fields.values()):
        value = follow(content, path)
        if isinstance(value, (dict, list)):
            raise NotADocumentError(f"its field '{path}' is not a plain value")
        own = None if document is None else _value_of(document, path)
        if isinstance(own, (bool, int, float, str)) and _kind(own) != _kind(value):
            found = "missing" if value is None else f"a {_kind(value)}, not a {_kind(own)}"
            raise NotADocumentError(f"its field '{path}' is {found}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _value_of(document: VitrionDoc, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else getattr(value, part, None)
    return value


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:LONGEST]
