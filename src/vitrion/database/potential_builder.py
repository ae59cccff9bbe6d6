"""The collection of the potentials that results were made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maggma.core import Builder
from monty.json import jsanitize

from vitrion.database.admission import NotADocumentError, admit, readable
from vitrion.database.collections import KEY
from vitrion.distill.document import PotentialDoc
from vitrion.potentials import PotentialSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Store

_NAME, _HASH = "provenance.potential.name", "provenance.potential.sha256"
_CHANGING = ("builder_meta", "last_updated", "provenance", "_id")


class PotentialBuilder(Builder):
    """Keep one document for each potential that other documents name as theirs.

    A potential is told from another by the hash of its file, or by its name where no file was at
    hand. Jobs may leave a PotentialDoc themselves, as distillation does: it says more than can be
    looked up, and is taken as it is.

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
        self.written: list[str] = []
        self.removed: list[str] = []
        self.skipped: dict[str, str] = {}
        super().__init__([outputs, *sources.values()], [potentials])

    def get_items(self) -> Iterator[dict]:
        """Yield the documents of potentials that are not in the collection, or differ from it."""
        self.written, self.removed, self.skipped = [], [], {}
        known = {document[KEY]: document for document in readable(self.potentials.query({}), [])}
        wanted = {document[KEY]: document for document in self._documents()}
        self.removed = sorted(known.keys() - wanted.keys())
        for key, document in wanted.items():
            if _lasting(document) != _lasting(known.get(key, {})):
                yield document

    def process_item(self, item: dict) -> dict:
        """Leave the document as it is."""
        return item

    def update_targets(self, items: list[dict]) -> None:
        """Write documents."""
        self.potentials.update(items, key=KEY)
        self.written += [item[KEY] for item in items]

    def finalize(self) -> None:
        """Remove the potentials that nothing names any more; the stores stay open."""
        if self.removed:
            self.potentials.remove_docs({KEY: {"$in": self.removed}})

    def _documents(self) -> Iterator[dict]:
        told = {
            output["output"]["sha256"] or output["output"]["name"]: output
            for output in self._told()
        }
        used = self._used()
        for key in {**used, **told}:
            spec, used_by = used.get(key, ({}, {}))
            if key in told:
                job = {"uuid": told[key]["uuid"], "name": told[key].get("name")}
                content = {**told[key]["output"], "used_by": used_by}
            else:
                # The file may have changed since: what the documents say of it counts.
                known = PotentialSpec(**{**spec, "path": None})
                job = None
                content = jsanitize(
                    PotentialDoc.from_potential(known, used_by=used_by),
                    strict=True,
                    allow_bson=True,
                )
            yield {**content, KEY: key, "job": job}

    def _told(self) -> Iterator[dict]:
        """Yield the outputs of jobs that describe a potential themselves."""
        outputs = readable(self.outputs.query({"output.property_name": "potential"}), [])
        for output in outputs:
            try:
                yield {**output, "output": admit(output, PotentialDoc)}
            except NotADocumentError as reason:
                self.skipped[str(output.get("uuid"))] = str(reason)

    def _used(self) -> dict[str, tuple[dict[str, Any], dict[str, int]]]:
        """Return each potential and the number of documents of each kind that name it."""
        found: dict[str, tuple[dict[str, Any], dict[str, int]]] = {}
        for kind, store in self.sources_by_name.items():
            for name in store.distinct(_NAME):
                for digest in store.distinct(_HASH, {_NAME: name}):
                    criteria = {_NAME: name, _HASH: digest}
                    one = store.query_one(criteria, ["provenance.potential"])
                    if name is None or one is None:
                        continue
                    _, used_by = found.setdefault(
                        digest or name, (one["provenance"]["potential"], {})
                    )
                    used_by[kind] = used_by.get(kind, 0) + store.count(criteria)
        return found


def _lasting(document: dict) -> dict:
    return {name: value for name, value in document.items() if name not in _CHANGING}
