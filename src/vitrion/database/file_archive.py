"""Archive trajectories and other files of documents in a store, and fetch them.

A document contains a reference: path, host, size and SHA-256. For access from other machines, or
before scratch space is cleaned, the content is copied into a maggma store (GridFS, S3, SQLite)
under its hash, in chunks. Content is verified by its hash at every read, never executed, and
written only into the folder that the caller names.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from vitrion.errors import InputError, StoreError
from vitrion.potentials.spec import sha256_of
from vitrion.store.job_store import FILES_STORE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maggma.core import Store

    from vitrion.database.collections import Collections
    from vitrion.dynamics.document import FileReference

PART_BYTES = 8 * 2**20
TRAJECTORY_FIELDS = ("trajectory", "trajectories")
_REFERENCE = {"path", "host", "size_bytes", "sha256"}


@dataclass
class ArchiveReport:
    """Result of archiving the files of documents.

    Attributes
    ----------
    stored, present, elsewhere, missing : list[str]
        Paths of copied files, already archived files, files on other hosts, and missing or changed
        files.
    """

    stored: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def put_file(reference: FileReference | Mapping[str, Any], store: Store) -> bool:
    """Copy a local file into a store.

    Parameters
    ----------
    reference
        What a document says of the file.
    store
        A connected store with the key ``blob_uuid``.

    Returns
    -------
    bool
        Whether it was copied; False if it is already in the store.

    Raises
    ------
    StoreError
        If the file is missing or does not match the reference.
    """
    said = _as_dict(reference)
    path, digest = Path(said["path"]), said["sha256"]
    if has_content(store, digest):
        return False
    if not _is_here(said):
        raise StoreError(f"The file {path} is gone or has changed since it was written.")
    with path.open("rb") as handle:
        parts = iter(lambda: handle.read(PART_BYTES), b"")
        put_content(store, digest, parts, said["size_bytes"])
    return True


def fetch_file(
    reference: FileReference | Mapping[str, Any],
    store: Store | None,
    folder: str | os.PathLike[str],
) -> Path:
    """Return the local path of a file, fetched if needed.

    Parameters
    ----------
    reference
        What a document says of the file.
    store
        A connected store of files, optional.
    folder
        Folder for fetched files, by hash; existing files are reused.

    Returns
    -------
    Path
        A file whose content agrees with the hash of the reference.

    Raises
    ------
    InputError
        If the reference is not a document's.
    StoreError
        If the file is unavailable, or its content does not match the reference.
    """
    said = _as_dict(reference)
    original, digest = Path(said["path"]), _checked_digest(said["sha256"])
    # Only the file name is taken from the document: its path must not determine the target.
    kept = Path(folder).expanduser() / digest[:2] / digest / original.name
    for path in (original, kept):
        if path.is_file() and sha256_of(path) == digest:
            return path
    if store is None or not has_content(store, digest):
        raise StoreError(
            f"The file {original} of {said['host']} is not here and in no store: run 'vitrion "
            "archive' on that machine, with a store called 'files' in its jobflow.yaml."
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as handle:
        try:
            for data in content_parts(store, digest):
                found.update(data)
                handle.write(data)
            if found.hexdigest() != digest:
                raise StoreError(f"The stored content of {original} is damaged: archive it again.")
            handle.flush()
            os.replace(handle.name, kept)
        except BaseException:
            os.unlink(handle.name)
            raise
    return kept


def archive(collections: Collections) -> ArchiveReport:
    """Copy the files of documents that this machine can read into the store.

    Run it on each machine that runs jobs, or on one with their shared disk. Only new files are
    copied.

    Parameters
    ----------
    collections
        The collections of a connected JobStore, built; its additional store ``files`` is filled.

    Returns
    -------
    ArchiveReport
        State of each file.

    Raises
    ------
    StoreError
        If the JobStore has no store for files.
    """
    stores: dict[str, Store] = collections.job_store.additional_stores  # type: ignore[has-type]
    store = stores.get(FILES_STORE)
    if store is None:
        raise StoreError(
            f"The JobStore has no store for files: add '{FILES_STORE}' to the additional_stores in "
            "jobflow.yaml."
        )
    report = ArchiveReport()
    for reference in _references(collections):
        path = reference["path"]
        if has_content(store, reference["sha256"]):
            report.present.append(path)
        elif _is_here(reference):
            put_file(reference, store)
            report.stored.append(path)
        elif reference["host"] == socket.gethostname():
            report.missing.append(path)
        else:
            report.elsewhere.append(path)
    return report


def part_count(size_bytes: int) -> int:
    """Return the number of chunks of a file."""
    return -(-size_bytes // PART_BYTES)


def find_references(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all file references in a document, at any depth."""
    if isinstance(node, dict):
        if node.keys() >= _REFERENCE:
            yield node
        else:
            for value in node.values():
                yield from find_references(value)
    elif isinstance(node, list):
        for value in node:
            yield from find_references(value)


def _references(collections: Collections) -> Iterator[dict[str, Any]]:
    for kind, cls in collections.classes.items():
        known = [name for name in TRAJECTORY_FIELDS if name in cls.model_fields]
        if known:
            for document in collections.store(kind).query({}, known):
                yield from find_references(document)


def _as_dict(reference: FileReference | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(reference, BaseModel):
        return reference.model_dump()
    if not isinstance(reference, Mapping):
        raise InputError(
            f"{reference!r} is not a reference to a file: give one from a document, such as its "
            "trajectory."
        )
    return dict(reference)


def _checked_digest(digest: str) -> str:
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise StoreError("The reference to a file has no SHA-256.")
    return digest


def _is_here(said: Mapping[str, Any]) -> bool:
    """Return whether the file is readable on this machine, whichever host wrote it."""
    path = Path(said["path"])
    return path.is_file() and sha256_of(path) == said["sha256"]


def put_content(store: Store, digest: str, parts: Iterable[bytes], size_bytes: int) -> None:
    """Write the chunks of a file into a store under its hash."""
    for part, data in enumerate(parts):
        _put_part(store, digest, part, data)
    # Written last: an interrupted copy lacks this entry and is repeated.
    sealed = {"parts": part_count(size_bytes), "size_bytes": size_bytes}
    store.update({"blob_uuid": digest, "data": sealed, **_job_fields(digest)}, key="blob_uuid")


def has_content(store: Store, digest: str) -> bool:
    """Return whether a store has the content of a hash, or a large object of that name."""
    return store.query_one({"blob_uuid": digest}) is not None


def _put_part(store: Store, digest: str, part: int, data: bytes) -> None:
    # As text, because GridFS in maggma keeps JSON.
    text = base64.b64encode(data).decode()
    document = {"blob_uuid": f"{digest}-{part}", "data": text, **_job_fields(digest)}
    store.update(document, key="blob_uuid")


def _job_fields(digest: str) -> dict[str, Any]:
    return {"job_uuid": digest, "job_index": 0}  # a JobStore's additional stores index these


def content_parts(store: Store, digest: str) -> Iterator[bytes]:
    """Yield the content of a hash in chunks."""
    sealed = store.query_one({"blob_uuid": digest})
    for part in range(sealed["data"]["parts"] if sealed else 0):
        found = store.query_one({"blob_uuid": f"{digest}-{part}"})
        yield b"" if found is None else base64.b64decode(found["data"])
