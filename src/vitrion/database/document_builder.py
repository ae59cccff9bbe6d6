"""Build the collection of one kind of document from the job outputs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from maggma.core import Builder
from maggma.utils import grouper

from vitrion.database.admission import NotADocumentError, admit, readable, write
from vitrion.database.collections import KEY, STAMP_PATH
from vitrion.database.groups import GROUP_FIELDS, group_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maggma.core import Store

    from vitrion.documents.base import VitrionDoc

STAMP = ("uuid", "index", "completed_at")
"""Fields of an output that identify its version."""


class DocumentBuilder(Builder):
    """Synchronize the collection of one kind of document with the job outputs.

    The collection contains the last output of each job, flat, with ``document_id`` (the job's uuid)
    and ``job`` (its uuid, index, time of completion and name). Invalid outputs are skipped and
    reported; see :func:`vitrion.database.admission.admit`. Large objects stay in the JobStore; the
    document keeps the references. Documents of removed outputs are removed.

    Outputs and documents are compared in the order of their identifiers, so that memory does not
    grow with their number.

    Parameters
    ----------
    outputs
        The ``docs_store`` of a JobStore.
    collection
        The collection to fill, with the key ``document_id``.
    cls
        The class of the documents.
    since
        Compare only outputs and documents completed at this time or later; None compares all.
    chunk_size
        Documents per write.

    Attributes
    ----------
    touched : set of tuple
        With ``since``: materials and phases of the changed documents, before and after the change.
    """

    def __init__(
        self,
        outputs: Store,
        collection: Store,
        cls: type[VitrionDoc],
        since: str | None = None,
        chunk_size: int = 200,
    ) -> None:
        self.outputs = outputs
        self.collection = collection
        self.cls = cls
        self.since = since
        self.property_name = str(cls.model_fields["property_name"].default)
        self._start()
        super().__init__([outputs], [collection], chunk_size)

    def _start(self) -> None:
        self.n_written = 0
        self.n_removed = 0
        self.skipped: dict[str, str] = {}
        self.touched: set[tuple[str, str]] = set()
        self._without_output: list[str] = []
        self._damaged: list[str] = []

    def get_items(self) -> Iterator[dict]:
        """Yield the job outputs without an up-to-date document."""
        self._start()
        recent = {} if self.since is None else {"$gte": self.since}
        known = self.collection.query(
            {STAMP_PATH: recent} if recent else {}, [KEY, "job"], sort={KEY: 1}
        )
        stamps = self.outputs.query(
            {**self._criteria(), **({"completed_at": recent} if recent else {})},
            list(STAMP),
            sort={"uuid": 1},
        )
        for chunk in grouper(self._outdated(known, stamps), self.chunk_size):
            yield from self._current(chunk)
        self.skipped |= dict.fromkeys(self._damaged, "its stored content is damaged")

    def process_item(self, item: dict) -> dict | None:
        """Return the document of one job output; None if it is invalid."""
        try:
            content = admit(item, self.cls)
        except NotADocumentError as reason:
            self.skipped[item["uuid"]] = str(reason)
            self._without_output.append(item["uuid"])
            return None
        stamp = {name: item.get(name) for name in STAMP}
        return {**content, KEY: item["uuid"], "job": {**stamp, "name": item.get("name")}}

    def update_targets(self, items: list[dict]) -> None:
        """Write documents."""
        if self.since is not None:
            self._touch([item[KEY] for item in items])
            self.touched |= {group for item in items if (group := group_of(item))}
        written = write(self.collection, items, KEY, self.skipped)
        stored = {item[KEY] for item in written}
        self._without_output += [item[KEY] for item in items if item[KEY] not in stored]
        self.n_written += len(written)

    def finalize(self) -> None:
        """Remove documents with removed or invalid outputs; the stores stay open."""
        for chunk in grouper(self._without_output, self.chunk_size):
            # Looked at again: another host may have added an output meanwhile.
            criteria = {"uuid": {"$in": chunk}, **self._criteria()}
            found = {
                output["uuid"] for output in readable(self.outputs.query(criteria, ["uuid"]), [])
            }
            gone = set(chunk) - (found - self.skipped.keys()) - set(self._damaged)
            gone = self._touch(sorted(gone))
            self.collection.remove_docs({KEY: {"$in": sorted(gone)}})
            self.n_removed += len(gone)

    def _criteria(self) -> dict[str, Any]:
        return {"output.property_name": self.property_name}

    def _outdated(self, known: Iterable[dict], stamps: Iterable[dict]) -> Iterator[dict]:
        """Yield the stamps of outputs whose documents are absent or of another version."""
        documents = readable(known, [])  # damaged documents are rebuilt
        document = next(documents, None)
        for stamp in self._newest(stamps):
            while document is not None and document[KEY] < stamp["uuid"]:
                self._without_output.append(document[KEY])
                document = next(documents, None)
            job: dict[str, Any] = {}
            if document is not None and document[KEY] == stamp["uuid"]:
                job = document.get("job") or {}
                document = next(documents, None)
            # As texts, because NaN is not equal to itself.
            if repr([job.get(name) for name in STAMP]) != repr([stamp[name] for name in STAMP]):
                yield stamp
        while document is not None:
            self._without_output.append(document[KEY])
            document = next(documents, None)

    def _newest(self, stamps: Iterable[dict]) -> Iterator[dict]:
        """Yield the stamp of the last output of each job."""
        for uuid, outputs in groupby(
            readable(stamps, self._damaged), key=lambda output: output.get("uuid")
        ):
            valid = [output for output in outputs if isinstance(output.get("index"), int)]
            if isinstance(uuid, str) and valid:
                newest = max(valid, key=lambda output: output["index"])
                yield {name: newest.get(name) for name in STAMP}
            else:
                self.skipped[str(uuid)] = "its uuid is not a text or its index not a number"

    def _current(self, stamps: list[dict]) -> Iterator[dict]:
        """Yield the outputs of these stamps."""
        indexes = {stamp["uuid"]: stamp["index"] for stamp in stamps}
        criteria = {"uuid": {"$in": list(indexes)}, **self._criteria()}
        for output in readable(self.outputs.query(criteria), []):
            if output["index"] == indexes[output["uuid"]]:
                yield output

    def _touch(self, ids: list[str]) -> set[str]:
        """Note the groups of stored documents, and return the documents that exist."""
        found = list(readable(self.collection.query({KEY: {"$in": ids}}, [KEY, *GROUP_FIELDS]), []))
        if self.since is not None:
            self.touched |= {group for document in found if (group := group_of(document))}
        return {document[KEY] for document in found}
