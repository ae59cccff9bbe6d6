"""Files of documents: JSON lines, compressed if the name ends in ``.gz``, or one as JSON."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from vitrion.database.collections import KEY
from vitrion.database.export import write_json_lines
from vitrion.database.kinds import document_classes
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError
from vitrion.runtime.atomic import write_durably
from vitrion.runtime.text_files import read_text, reading_fault

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jobflow import JobStore

    from vitrion.documents.base import VitrionDoc

SUFFIXES = (".jsonl", ".jsonl.gz")
NAMES = uuid5(NAMESPACE_URL, "vitrion document")
"""Namespace of the identifiers of loaded documents that have none."""
_VERSION = ["uuid", "completed_at", "metadata.loaded"]


def write_documents(path: Path, documents: Iterable[VitrionDoc]) -> None:
    """Write documents to a file, one per line; an interruption leaves no partial file."""
    lines = io.StringIO()
    write_json_lines(documents, lines)
    content = lines.getvalue().encode()
    # Without a time, equal documents give equal files.
    write_durably(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def without_files(document: VitrionDoc) -> VitrionDoc:
    """Return a document without references to files of the machine that made it."""
    empty: dict[str, Any] = {"directory": None, "trajectories": {}}
    changes = {name: value for name, value in empty.items() if name in type(document).model_fields}
    potential = document.provenance.potential
    if potential is not None:
        named = potential.model_copy(update={"path": None})
        changes["provenance"] = document.provenance.model_copy(update={"potential": named})
    return document.model_copy(update=changes)


def read_documents(path: Path) -> list[VitrionDoc]:
    """Read the documents of a file, or of all files of a folder in the order of their names.

    A ``.json`` file contains one document; the files of a folder are JSON lines.

    Raises
    ------
    InputError
        If there is no such file, or its content is not a document of vitrion.
    """
    if path.suffix == ".json":
        return [_not_summary(read_document(path), str(path))]
    if not path.is_dir():
        return list(_read_file(path))
    files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES))
    if not files:
        raise InputError(f"The folder {path} contains no {' or '.join(SUFFIXES)} files.")
    return [document for file in files for document in _read_file(file)]


def _read_file(path: Path) -> Iterator[VitrionDoc]:
    classes = document_classes()
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        content = read_text(path, opener=opener, remedy="split it")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise InputError(f"The file {path} cannot be read: {reading_fault(error)}.") from error
    for number, line in enumerate(io.StringIO(content), start=1):  # only \n ends a line of JSON
        try:
            found: dict[str, Any] = json.loads(line)
            document = classes[found["property_name"]].model_validate(found)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputError(f"Line {number} of {path} is not a document of vitrion.") from error
        if isinstance(found.get(KEY), str):
            document.document_id = found[KEY]
        yield _not_summary(document, f"Line {number} of {path}")


def _not_summary(document: VitrionDoc, place: str) -> VitrionDoc:
    if isinstance(document, SummaryDoc):
        raise InputError(
            f"{place} is a summary, which is made from other documents: load those, such as from "
            "'vitrion query --kind conductivity -f jsonl'."
        )
    return document


def read_document(path: str | os.PathLike[str]) -> VitrionDoc:
    """Read a document from a JSON file, e.g. of ``vitrion defects``.

    Raises
    ------
    InputError
        If the file is not a document of a known kind.
    """
    try:
        text = read_text(Path(path))
        kind = json.loads(text)["property_name"]
        return document_classes()[kind].model_validate_json(text)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"The file {path} contains no document of vitrion.") from error


def load_documents(store: JobStore, documents: Sequence[VitrionDoc]) -> int:
    """Add documents to a store as outputs; a document that the store has is not added again.

    A document of another store keeps its identifier. It replaces an older version of itself that
    was loaded before.

    Returns
    -------
    int
        Number of documents added.
    """
    by_content = [str(uuid5(NAMES, document.model_dump_json())) for document in documents]
    names = [
        document.document_id or name for document, name in zip(documents, by_content, strict=True)
    ]
    found = store.docs_store.query({"uuid": {"$in": [*names, *by_content]}}, _VERSION)
    stored = {output["uuid"]: output for output in found}
    added: dict[str, dict[str, Any]] = {}
    for name, content, document in zip(names, by_content, documents, strict=True):
        output = _output(name, document)
        before = added.get(name) or stored.get(name) or stored.get(content)
        if before is None or _is_older(before, output):
            added[name] = output
    if added:
        store.update(list(added.values()), key=["uuid", "index"])
    return len(added)


def _output(name: str, document: VitrionDoc) -> dict[str, Any]:
    """Return a document as an output of a JobStore."""
    return {
        "uuid": name,
        "index": 1,
        "output": document.model_dump(mode="json"),
        "completed_at": document.last_updated.isoformat(),
        "metadata": {"loaded": True},
        "hosts": [],
        "name": f"load {document.property_name}",
    }


def _is_older(before: Mapping[str, Any], output: Mapping[str, Any]) -> bool:
    """Return whether an output was loaded, and is older than another version of it."""
    is_loaded = (before.get("metadata") or {}).get("loaded", False)
    return is_loaded and before["completed_at"] < output["completed_at"]
