"""Build the collection of potentials used by documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maggma.core import Builder
from monty.json import jsanitize

from vitrion.database.admission import NotADocumentError, admit, readable, write
from vitrion.database.collections import KEY
from vitrion.distill.document import PotentialDoc
from vitrion.errors import DamagedDocumentsError
from vitrion.potentials import PotentialSpec
from vitrion.store.traversal import found_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Store

_NAME, _HASH = "provenance.potential.name", "provenance.potential.sha256"
_CHANGING = ("builder_meta", "last_updated", "provenance", "_id")


class PotentialBuilder(Builder):
    """Synchronize one document per potential that other documents used.

    Potentials are distinguished by the hash of their file, or by name without a file. A
    PotentialDoc from a job, such as a distillation, is used unchanged.

    Parameters
    ----------
    outputs
        The ``docs_store`` of a JobStore.
    sources
        The collections of all kinds of documents, by property name.
    potentials
        The collection to fill, with the key ``document_id``.
    """

    def __init__(self, outputs: Store, sources: dict[str, Store], potentials: Store) -> None:
        self.outputs = outputs
        self.sources_by_name = sources
        self.potentials = potentials
        self.n_written = 0
        self.n_removed = 0
        self.skipped: dict[str, str] = {}
        self._unused: list[str] = []
        super().__init__([outputs, *sources.values()], [potentials])

    def get_items(self) -> Iterator[dict]:
        """Yield new or changed documents of potentials."""
        self.n_written, self.n_removed, self.skipped = 0, 0, {}
        known = {document[KEY]: document for document in readable(self.potentials.query({}), [])}
        wanted = {document[KEY]: document for document in self._documents()}
        self._unused = sorted(known.keys() - wanted.keys())
        for key, document in wanted.items():
            if _lasting(document) != _lasting(known.get(key, {})):
                yield document

    def process_item(self, item: dict) -> dict:
        """Return the document unchanged."""
        return item

    def update_targets(self, items: list[dict]) -> None:
        """Write documents."""
        self.n_written += len(write(self.potentials, items, KEY, self.skipped))

    def finalize(self) -> None:
        """Remove unused potentials; the stores stay open."""
        if self._unused:
            self.potentials.remove_docs({KEY: {"$in": self._unused}})
            self.n_removed = len(self._unused)

    def _documents(self) -> Iterator[dict]:
        described = {
            output["output"]["sha256"] or output["output"]["name"]: output
            for output in self._described()
        }
        used = self._used()
        for key in {**used, **described}:
            spec, used_by = used.get(key, ({}, {}))
            if key in described:
                job = {"uuid": described[key]["uuid"], "name": described[key].get("name")}
                content = {**described[key]["output"], "used_by": used_by}
            else:
                # The file may have changed since: the documents are authoritative.
                known = PotentialSpec(**{**spec, "path": None})
                job = None
                content = jsanitize(
                    PotentialDoc.from_potential(known, used_by=used_by),
                    strict=True,
                    allow_bson=True,
                )
            yield {**content, KEY: key, "job": job}

    def _described(self) -> Iterator[dict]:
        """Yield job outputs that are documents of potentials."""
        outputs = readable(self.outputs.query({"output.property_name": "potential"}), [])
        for output in outputs:
            try:
                yield {**output, "output": admit(output, PotentialDoc)}
            except NotADocumentError as reason:
                self.skipped[str(output.get("uuid"))] = str(reason)

    def _used(self) -> dict[str, tuple[dict[str, Any], dict[str, int]]]:
        """Return each potential, and its number of documents by kind."""
        found: dict[str, tuple[dict[str, Any], dict[str, int]]] = {}
        for kind, store in self.sources_by_name.items():
            for name in _values(store, _NAME, {}):
                for digest in _values(store, _HASH, {_NAME: name}):
                    criteria = {_NAME: name, _HASH: digest}
                    documents = store.query(criteria, ["provenance.potential"])
                    one = next(readable(documents, []), None)
                    if name is None or one is None:
                        continue
                    _, used_by = found.setdefault(
                        digest or name, (one["provenance"]["potential"], {})
                    )
                    used_by[kind] = used_by.get(kind, 0) + store.count(criteria)
        return found


def _values(store: Store, path: str, criteria: dict[str, Any]) -> set[str | None]:
    """Return the values at a path in the documents that are not damaged."""
    try:
        return set(store.distinct(path, criteria))
    except DamagedDocumentsError:  # slower, because all documents are read
        documents = readable(store.query(criteria, [path]), [])
        return {value for document in documents for value in found_at(document, path)}


def _lasting(document: dict) -> dict:
    return {name: value for name, value in document.items() if name not in _CHANGING}
