"""Build material collections from job outputs.

Builds are idempotent and may run on several hosts at once: a document is stored under the uuid of
its job, and only new or changed outputs are read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from maggma.utils import grouper

from vitrion.database.admission import RESERVED, readable
from vitrion.database.collections import KEY, Collections, ensure_index
from vitrion.database.document_builder import DocumentBuilder
from vitrion.database.potential_builder import PotentialBuilder
from vitrion.database.summary_builder import SummaryBuilder
from vitrion.runtime.work_limit import check_limit

if TYPE_CHECKING:
    from maggma.core import Builder, Store

logger = logging.getLogger(__name__)
_BUILT_FROM_OTHERS = ("potential", "summary")
_OF_ANY_KIND = {"output.property_name": {"$exists": True}}
_OVERLAP = timedelta(minutes=10)
"""Clocks of the hosts that store outputs may differ by this."""


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
        if builder.n_written:
            self.written[kind] = builder.n_written
        if builder.n_removed:
            self.removed[kind] = builder.n_removed
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
    return _build(collections, None)


def build_if_changed(collections: Collections) -> BuildReport:
    """Build what changed since the last build: its cost grows with the new outputs only.

    Cheap enough for every opening of an embedded store. Everything is compared if an older output
    was added or removed, or the kinds or the version changed. An old output that was rewritten by
    a host with a clock that is late by more than ten minutes is detected only by :func:`build`.
    """
    last = next(readable(collections.store("builds").query({KEY: "last"}), []), None)
    known = (last or {}).get("state") or {}
    since = known.get("since")
    now = _state(collections, since)
    if known == now:
        return BuildReport()
    unchanged = ("older", "vitrion", "kinds", "quantities", "undated")
    is_recent = since is not None and all(known.get(name) == now[name] for name in unchanged)
    return _build(collections, since if is_recent else None)


def _build(collections: Collections, since: str | None) -> BuildReport:
    outputs = collections.job_store.docs_store
    for name in ("uuid", "output.property_name", "completed_at"):
        ensure_index(outputs, name)
    state = _state(collections, _time_before(collections))
    builds = collections.store("builds")
    builds.update({KEY: "last", "state": {}}, key=KEY)  # after a kill everything is compared
    report = BuildReport()
    sources = {}
    touched: set[tuple[str, str]] = set()
    for kind, cls in collections.classes.items():
        if kind in _BUILT_FROM_OTHERS or kind in RESERVED:
            continue
        sources[kind] = collections.store(kind)
        builder = DocumentBuilder(outputs, sources[kind], cls, since)
        _run(builder)
        touched |= builder.touched
        report.add(kind, builder)
    potential_builder = PotentialBuilder(outputs, sources, collections.store("potential"))
    _run(potential_builder)
    report.add("potential", potential_builder)
    key_fields = {kind: collections.key_fields(kind) for kind in sources}
    groups = None if since is None else touched
    summary_builder = SummaryBuilder(sources, collections.store("summary"), key_fields, groups)
    _run(summary_builder)
    report.add("summary", summary_builder)
    builds.update({KEY: "last", "state": state}, key=KEY)
    if report.skipped:
        number = sum(map(len, report.skipped.values()))
        logger.warning(
            "Skipped outputs that are not valid documents: %d ('vitrion build' lists them).",
            number,
        )
    return report


def _time_before(collections: Collections) -> str | None:
    """Return a time before the newest output, from which the next build compares; None if unknown.

    Times are compared as the texts that jobflow stores.
    """
    dated = {**_OF_ANY_KIND, "completed_at": {"$gt": ""}}
    try:
        newest = datetime.fromisoformat(_newest(collections.job_store.docs_store, dated))
    except (TypeError, ValueError):
        return None
    return (newest - _OVERLAP).isoformat()


def _newest(outputs: Store, criteria: dict[str, Any]) -> Any:
    """Return the greatest time of completion of the outputs; None if there are none."""
    found = outputs.query(criteria, ["completed_at"], sort={"completed_at": -1}, limit=1)
    return next(readable(found, []), {}).get("completed_at")


def _state(collections: Collections, since: str | None) -> dict[str, Any]:
    """Return numbers that change with the outputs: of all, of older ones, without a time."""
    outputs = collections.job_store.docs_store
    total = outputs.count(_OF_ANY_KIND)
    older, recent, newest = 0, 0, None
    if since is not None:
        older = outputs.count({**_OF_ANY_KIND, "completed_at": {"$lt": since}})
        criteria = {**_OF_ANY_KIND, "completed_at": {"$gte": since}}
        recent = outputs.count(criteria)
        newest = _newest(outputs, criteria)
    return {
        "since": since,
        "outputs": total,
        "older": older,
        "recent": recent,
        "newest": newest,
        "undated": total - older - recent,
        "vitrion": version("vitrion"),
        "kinds": sorted(collections.classes),
        "quantities": sorted(collections.key_fields("summary")),
    }


def _run(builder: Builder) -> None:
    # Like Builder.run(), without progress bars and without closing the stores.
    for chunk in grouper(builder.get_items(), builder.chunk_size):
        check_limit()
        made = [builder.process_item(item) for item in chunk]
        if made := [item for item in made if item is not None]:
            builder.update_targets(made)
    builder.finalize()
