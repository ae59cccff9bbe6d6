"""Build the summaries of materials from their documents."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from maggma.core import Builder
from monty.json import jsanitize

from vitrion.database.admission import readable, write
from vitrion.database.collections import KEY
from vitrion.database.document_builder import STAMP
from vitrion.database.dotted_path import projected
from vitrion.database.groups import GROUP_FIELDS, OF_A_PHASE, group_of, members_of
from vitrion.database.intervals import ERRORS, paths_of_interval
from vitrion.database.summary import METADATA, REPORTED, SummaryDoc, freshness
from vitrion.materials.stored_report import quantity_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maggma.core import Store

_LIGHT = (
    KEY, "job", "property_name", "last_updated", "deprecated", "is_amorphous", "route",
    "provenance.potential.name", "structure.lattice", *METADATA,
)  # fmt: skip
_BITS = 128


class SummaryBuilder(Builder):
    """Synchronize one summary per material and phase with the material collections.

    Documents without a phase, such as single runs, and outputs of other packages are not
    summarized. Of the documents of a material only the newest structure is read, besides what the
    quantities need.

    Parameters
    ----------
    sources
        The collections of all kinds of documents, by property name.
    summaries
        The collection to fill, with the key ``document_id``.
    key_fields
        The ``key_fields`` of each kind of document.
    groups
        Materials and phases to compare with their documents; None compares all.
    chunk_size
        Summaries per write.
    """

    def __init__(
        self,
        sources: dict[str, Store],
        summaries: Store,
        key_fields: dict[str, dict[str, str]],
        groups: Iterable[tuple[str, str]] | None = None,
        chunk_size: int = 200,
    ) -> None:
        self.sources_by_name = sources
        self.summaries = summaries
        self.key_fields = key_fields
        self.groups = None if groups is None else sorted(groups)
        self._start()
        super().__init__(list(sources.values()), [summaries], chunk_size)

    def _start(self) -> None:
        self.n_written = 0
        self.n_removed = 0
        self.skipped: dict[str, str] = {}
        self._empty: list[str] = []

    def get_items(self) -> Iterator[tuple[str, list[dict]]]:
        """Yield the documents of each material and phase with an outdated summary."""
        self._start()
        for group in self._outdated() if self.groups is None else self.groups:
            documents = self._documents(group)
            if documents:
                yield _name(group), documents
            else:
                self._empty.append(_name(group))

    def process_item(self, item: tuple[str, list[dict]]) -> dict | None:
        """Return one summary; None if its documents are inconsistent."""
        name, documents = item
        try:
            summary = SummaryDoc.from_documents(documents, self.key_fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.skipped[name] = f"its documents are inconsistent ({error})"
            return None
        content = jsanitize(summary, strict=True, allow_bson=True)
        digest = sum(map(_digest, documents))
        return {**content, KEY: name, "built_from": self._built_from(digest)}

    def update_targets(self, items: list[dict]) -> None:
        """Write summaries."""
        self.n_written += len(write(self.summaries, items, KEY, self.skipped))

    def finalize(self) -> None:
        """Remove the summaries of removed materials; the stores stay open."""
        criteria = {KEY: {"$in": self._empty}}
        if self._empty and (found := self.summaries.count(criteria)):
            self.summaries.remove_docs(criteria)
            self.n_removed = found

    def _outdated(self) -> Iterator[tuple[str, str]]:
        """Yield the groups whose summary is absent or of other documents."""
        # Read first: summaries that other hosts add meanwhile are not of removed materials.
        stored = readable(self.summaries.query({}, [KEY, "built_from"]), [])
        known = {document[KEY]: document.get("built_from") for document in stored}
        digests: dict[tuple[str, str], int] = {}
        for store in self.sources_by_name.values():
            found = store.query(OF_A_PHASE, [KEY, "job", *GROUP_FIELDS])
            for document in readable(found, []):
                group = group_of(document)
                if group is not None:
                    digests[group] = digests.get(group, 0) + _digest(document)
        self._empty = sorted(known.keys() - set(map(_name, digests)))
        for group, digest in digests.items():
            if known.get(_name(group)) != self._built_from(digest):
                yield group

    def _documents(self, group: tuple[str, str]) -> list[dict]:
        """Return the documents of a group, of which one has its structure."""
        documents: list[dict] = []
        for kind, store in self.sources_by_name.items():
            quantities = self.key_fields.get(kind, {}).values()
            read = [part for path in quantities for part in (path, *paths_of_interval(path))]
            read += quantity_fields(kind)
            found = store.query(members_of(group), projected([*_LIGHT, *read]))
            documents += readable(found, [])
        documents.sort(key=freshness, reverse=True)
        for k, document in enumerate(documents):
            if "lattice" in (document.pop("structure", None) or {}):
                store = self.sources_by_name[document["property_name"]]
                whole = next(readable(store.query({KEY: document[KEY]}, limit=1), []), None)
                if whole is not None:
                    documents[k] = whole
                    break
        for document in documents:
            document.pop("_id", None)
        return documents

    def _built_from(self, digest: int) -> str:
        """Return a hash of the sources of a summary: version, quantities, documents."""
        names = repr((sorted(self.key_fields.items()), sorted(ERRORS.items()), sorted(REPORTED)))
        text = f"vitrion {version('vitrion')} {names} {digest % 2**_BITS:x}"
        return hashlib.sha256(text.encode()).hexdigest()


def _digest(document: dict) -> int:
    """Return a number that identifies a version of a document; sums identify sets of them."""
    text = " ".join(str(document["job"][name]) for name in STAMP)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_BITS // 8).digest())


def _name(group: tuple[str, str]) -> str:
    return ":".join(group)
