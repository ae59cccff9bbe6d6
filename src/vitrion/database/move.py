"""Copy a JobStore into another one: outputs, large objects and archived files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vitrion.database.admission import readable
from vitrion.database.file_archive import content_parts, find_references, has_content, put_content
from vitrion.documents.stored_form import is_reference
from vitrion.errors import StoreError
from vitrion.store.job_store import FILES_STORE

if TYPE_CHECKING:
    from jobflow import JobStore
    from maggma.core import Store


@dataclass
class CopyReport:
    """Result of a copy.

    Attributes
    ----------
    outputs, large_objects, files : int
        Number of copied objects, without large objects and files already in the target.
    not_archived : list[str]
        Files that are not archived in the source; ``vitrion archive`` archives them.
    damaged : list[str]
        Unreadable outputs, missing or unreadable large objects, and files that do not match their
        SHA-256; not copied.
    """

    outputs: int = 0
    large_objects: int = 0
    files: int = 0
    not_archived: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def copy_store(source: JobStore, target: JobStore) -> CopyReport:
    """Copy the content of a JobStore; rerun it after an interruption.

    Large objects and files are copied before the output that refers to them, so there are never
    dangling references. Material collections are not copied: ``vitrion build`` rebuilds them.

    Parameters
    ----------
    source, target
        Connected JobStores; the target needs an additional store for each name in use.

    Returns
    -------
    CopyReport
        Copied, missing and damaged objects.

    Raises
    ------
    StoreError
        If the target lacks an additional store.
    """
    report = CopyReport()
    for output in readable(source.docs_store.query({}), report.damaged):
        output.pop("_id", None)
        for reference in _blob_references(output):
            _copy_blob(reference, source, target, report)
        for reference in find_references(output):
            _copy_file(reference, source, target, report)
        target.docs_store.update(output, key=["uuid", "index"])
        report.outputs += 1
    return report


def _stores(job_store: JobStore) -> dict[str, Store]:
    return job_store.additional_stores  # type: ignore[has-type]


def _receiving(target: JobStore, name: str) -> Store:
    if name not in _stores(target):
        raise StoreError(
            f"The JobStore to copy to has no store '{name}': add it to its additional_stores."
        )
    return _stores(target)[name]


def _blob_references(node: Any) -> list[dict[str, str]]:
    if is_reference(node):
        return [node]
    if isinstance(node, dict):
        return [found for value in node.values() for found in _blob_references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _blob_references(value)]
    return []


def _copy_blob(
    reference: dict[str, str], source: JobStore, target: JobStore, report: CopyReport
) -> None:
    key = {"blob_uuid": reference["blob_uuid"]}
    given = _stores(source).get(reference["store"])
    if given is None:
        report.damaged.append(key["blob_uuid"])
        return
    receiving = _receiving(target, reference["store"])
    if has_content(receiving, key["blob_uuid"]):
        return
    blob = next(readable(given.query(key), []), None)
    if blob is None:
        report.damaged.append(key["blob_uuid"])
        return
    blob.pop("_id", None)
    receiving.update(blob, key="blob_uuid")
    report.large_objects += 1


def _copy_file(
    reference: dict[str, Any], source: JobStore, target: JobStore, report: CopyReport
) -> None:
    path, digest = reference["path"], reference["sha256"]
    given = _stores(source).get(FILES_STORE)
    if given is None or not has_content(given, digest):
        report.not_archived.append(path)
        return
    receiving = _receiving(target, FILES_STORE)
    if has_content(receiving, digest):
        return
    found = hashlib.sha256()
    for part in content_parts(given, digest):
        found.update(part)
    if found.hexdigest() != digest:
        report.damaged.append(path)
        return
    put_content(receiving, digest, content_parts(given, digest), reference["size_bytes"])
    report.files += 1
