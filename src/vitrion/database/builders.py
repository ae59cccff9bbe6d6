"""Build material collections from job outputs.

Builds are idempotent and may run on several hosts at once: a document is stored under the uuid of
its job, and only new or changed outputs are read.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from maggma.core import Builder
from maggma.utils import grouper
from monty.json import jsanitize

from vitrion.database.admission import RESERVED, NotADocumentError, admit, readable
from vitrion.database.collections import KEY, Collections
from vitrion.database.potential_builder import PotentialBuilder
from vitrion.database.summary import SummaryDoc
from vitrion.documents.base import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maggma.core import Store

    from vitrion.documents.base import VitrionDoc

logger = logging.getLogger(__name__)
_STAMP = ("uuid", "index", "completed_at")
_GROUP = ("material_id", "formula_pretty", "phase")
_OF_A_PHASE = {"phase": {"$in": list(PHASES)}, "last_updated": {"$exists": True}}
_BUILT_FROM_OTHERS = ("potential", "summary")


class DocumentBuilder(Builder):
    """Synchronize the collection of one kind of document with the job outputs.

    The collection contains the last output of each job, flat, with ``document_id`` (the job's uuid)
    and ``job`` (its uuid, index, time of completion and name). Invalid outputs are skipped and
    reported; see :func:`vitrion.database.admission.admit`. Large objects stay in the JobStore; the
    document keeps the references. Documents of removed outputs are removed.

    Parameters
    ----------
    outputs
        The ``docs_store`` of a JobStore.
    collection
        The collection to fill, with the key ``document_id``.
    cls
        The class of the documents.
    chunk_size
        Documents per write.
    """

    def __init__(
        self, outputs: Store, collection: Store, cls: type[VitrionDoc], chunk_size: int = 200
    ) -> None:
        self.outputs = outputs
        self.collection = collection
        self.cls = cls
        self.property_name = str(cls.model_fields["property_name"].default)
        self.written: list[str] = []
        self.removed: list[str] = []
        self.skipped: dict[str, str] = {}
        self._known: set[str] = set()
        self._damaged: set[str] = set()
        super().__init__([outputs], [collection], chunk_size)

    def prechunk(self, number_splits: int) -> Iterator[dict]:
        """Raise NotImplementedError: the build is not distributed."""
        raise NotImplementedError("Run this builder in one process.")

    def get_items(self) -> Iterator[dict]:
        """Yield the job outputs without an up-to-date document."""
        self.written, self.removed, self.skipped = [], [], {}
        # Read first: documents that other hosts add meanwhile are not removed outputs.
        # Damaged documents are rebuilt.
        stored = readable(self.collection.query({}, [KEY, "job"]), [])
        known = {doc[KEY]: doc.get("job") or {} for doc in stored}
        self._known = set(known)
        stamps = self._newest_outputs()
        self.removed = sorted(known.keys() - stamps.keys() - self.skipped.keys())
        fresh = [
            stamp
            for uuid, stamp in stamps.items()
            if {name: known.get(uuid, {}).get(name) for name in _STAMP} != stamp
        ]
        self.total = len(fresh)
        for chunk in grouper(fresh, self.chunk_size):
            uuids = [stamp["uuid"] for stamp in chunk]
            criteria = {"uuid": {"$in": uuids}, **self._criteria()}
            for output in readable(self.outputs.query(criteria), []):
                if output["index"] == stamps[output["uuid"]]["index"]:
                    yield output

    def process_item(self, item: dict) -> dict | None:
        """Return the document of one job output; None if it is invalid."""
        try:
            content = admit(item, self.cls)
        except NotADocumentError as reason:
            self.skipped[item["uuid"]] = str(reason)
            return None
        stamp = {name: item.get(name) for name in _STAMP}
        return {**content, KEY: item["uuid"], "job": {**stamp, "name": item.get("name")}}

    def update_targets(self, items: list[dict]) -> None:
        """Write documents."""
        self.collection.update(items, key=KEY)
        self.written += [item[KEY] for item in items]

    def finalize(self) -> None:
        """Remove documents with removed or invalid outputs; the stores stay open."""
        self.removed += sorted(self._known & self.skipped.keys() - self._damaged)
        if self.removed:
            self.collection.remove_docs({KEY: {"$in": self.removed}})

    def _criteria(self) -> dict[str, Any]:
        return {"output.property_name": self.property_name}

    def _newest_outputs(self) -> dict[str, dict]:
        newest: dict[str, dict] = {}
        damaged: list[str] = []
        for doc in readable(self.outputs.query(self._criteria(), list(_STAMP)), damaged):
            uuid, index = doc.get("uuid"), doc.get("index")
            if not isinstance(uuid, str) or not isinstance(index, int):
                self.skipped[str(uuid)] = "its uuid is not a text or its index not a number"
            elif uuid not in newest or index > newest[uuid]["index"]:
                newest[uuid] = {name: doc.get(name) for name in _STAMP}
        self._damaged = set(damaged) - newest.keys()
        self.skipped |= dict.fromkeys(self._damaged, "its stored content is damaged")
        return newest


class SummaryBuilder(Builder):
    """Synchronize one summary per material and phase with the material collections.

    Documents without a phase, such as single runs, and outputs of other packages are not
    summarized.

    Parameters
    ----------
    sources
        The collections of all kinds of documents, by property name.
    summaries
        The collection to fill, with the key ``document_id``.
    key_fields
        The ``key_fields`` of each kind of document.
    chunk_size
        Summaries per write.
    """

    def __init__(
        self,
        sources: dict[str, Store],
        summaries: Store,
        key_fields: dict[str, dict[str, str]],
        chunk_size: int = 200,
    ) -> None:
        self.sources_by_name = sources
        self.summaries = summaries
        self.key_fields = key_fields
        self.written: list[str] = []
        self.removed: list[str] = []
        self.skipped: dict[str, str] = {}
        super().__init__(list(sources.values()), [summaries], chunk_size)

    def get_items(self) -> Iterator[tuple[str, list[dict]]]:
        """Yield the documents of each material and phase with an outdated summary."""
        self.written, self.removed, self.skipped = [], [], {}
        known = {
            doc[KEY]: doc.get("built_from")
            for doc in readable(self.summaries.query({}, [KEY, "built_from"]), [])
        }
        members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        stamps: dict[str, list[str]] = defaultdict(list)
        for kind, store in self.sources_by_name.items():
            for doc in readable(store.query(_OF_A_PHASE, [KEY, "job", *_GROUP]), []):
                group = _group_id(doc)
                members[group][kind].append(doc[KEY])
                stamps[group].append(_stamp(doc))
        self.removed = sorted(known.keys() - members.keys())
        fresh = [group for group in members if known.get(group) != self._built_from(stamps[group])]
        self.total = len(fresh)
        for group in fresh:
            documents: list[dict] = []
            for kind, ids in members[group].items():
                documents += readable(self.sources_by_name[kind].query({KEY: {"$in": ids}}), [])
            if documents:  # otherwise removed meanwhile
                yield group, documents

    def process_item(self, item: tuple[str, list[dict]]) -> dict | None:
        """Return one summary; None if its documents are inconsistent."""
        group, documents = item
        for document in documents:
            document.pop("_id", None)
        try:
            summary = SummaryDoc.from_documents(documents, self.key_fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.skipped[group] = f"its documents are inconsistent ({error})"
            return None
        content = jsanitize(summary, strict=True, allow_bson=True)
        return {**content, KEY: group, "built_from": self._built_from(map(_stamp, documents))}

    def update_targets(self, items: list[dict]) -> None:
        """Write summaries."""
        self.summaries.update(items, key=KEY)
        self.written += [item[KEY] for item in items]

    def finalize(self) -> None:
        """Remove the summaries of removed materials; the stores stay open."""
        if self.removed:
            self.summaries.remove_docs({KEY: {"$in": self.removed}})

    def _built_from(self, stamps: Iterable[str]) -> list[str]:
        """Return the sources of a summary: documents, version, quantities."""
        names = hashlib.sha256(repr(sorted(self.key_fields.items())).encode()).hexdigest()
        return [f"vitrion {version('vitrion')}, quantities {names[:10]}", *sorted(stamps)]


def _stamp(document: dict) -> str:
    return " ".join(str(document["job"][name]) for name in _STAMP)


def _group_id(document: dict) -> str:
    material = document.get("material_id") or document.get("formula_pretty") or "unknown"
    return f"{material}:{document['phase']}"


@dataclass
class BuildReport:
    """Changes made by a build.

    Attributes
    ----------
    written, removed : dict[str, int]
        Number of documents by kind, if not zero.
    skipped : dict[str, dict[str, str]]
        Invalid outputs and the reasons, by kind.
    """

    written: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, kind: str, builder: DocumentBuilder | PotentialBuilder | SummaryBuilder) -> None:
        """Add the counts of a builder."""
        if builder.written:
            self.written[kind] = len(builder.written)
        if builder.removed:
            self.removed[kind] = len(builder.removed)
        if builder.skipped:
            self.skipped[kind] = dict(builder.skipped)


def build(collections: Collections) -> BuildReport:
    """Update all material collections and summaries from the job outputs.

    Parameters
    ----------
    collections
        The collections of a connected JobStore.

    Returns
    -------
    BuildReport
        Written, removed and skipped documents; empty without changes.
    """
    outputs = collections.job_store.docs_store
    for name in ("uuid", "output.property_name"):
        outputs.ensure_index(name)
    state = _state(collections)
    report = BuildReport()
    sources = {}
    for kind, cls in collections.classes.items():
        if kind in _BUILT_FROM_OTHERS or kind in RESERVED:
            continue
        sources[kind] = collections.store(kind)
        builder = DocumentBuilder(outputs, sources[kind], cls)
        _run(builder)
        report.add(kind, builder)
    potential_builder = PotentialBuilder(outputs, sources, collections.store("potential"))
    _run(potential_builder)
    report.add("potential", potential_builder)
    key_fields = {kind: collections.key_fields(kind) for kind in sources}
    summary_builder = SummaryBuilder(sources, collections.store("summary"), key_fields)
    _run(summary_builder)
    report.add("summary", summary_builder)
    collections.store("builds").update({KEY: "last", "state": state}, key=KEY)
    if report.skipped:
        number = sum(map(len, report.skipped.values()))
        logger.warning(
            "%d output(s) are not valid documents and were skipped: 'vitrion build' lists them.",
            number,
        )
    return report


def build_if_changed(collections: Collections) -> BuildReport:
    """Build if the number of outputs, the newest output, or the kinds changed since the last build.

    Cheap enough for every opening of an embedded store. Outputs rewritten by a host with a slow
    clock are detected only by :func:`build`.
    """
    last = next(readable(collections.store("builds").query({KEY: "last"}), []), None)
    if last is not None and last.get("state") == _state(collections):
        return BuildReport()
    return build(collections)


def _state(collections: Collections) -> dict[str, Any]:
    outputs = collections.job_store.docs_store
    criteria = {"output.property_name": {"$exists": True}}
    ordered = outputs.query(criteria, ["completed_at"], sort={"completed_at": -1}, limit=1)
    newest = next(readable(ordered, []), {})
    return {
        "outputs": outputs.count(criteria),
        "newest": newest.get("completed_at"),
        "vitrion": version("vitrion"),
        "kinds": sorted(collections.classes),
    }


def _run(builder: Builder) -> None:
    # Like Builder.run(), without progress bars and without closing the stores.
    for chunk in grouper(builder.get_items(), builder.chunk_size):
        made = [builder.process_item(item) for item in chunk]
        if made := [item for item in made if item is not None]:
            builder.update_targets(made)
    builder.finalize()
