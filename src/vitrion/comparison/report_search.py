"""Find the documents of a material in a store, and collect them in reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from vitrion.database.collections import KEY
from vitrion.database.query import build_criteria
from vitrion.documents.base import PHASES, check_phase
from vitrion.errors import InputError
from vitrion.materials.material import (
    KINDS,
    NEWEST,
    MaterialReport,
    disambiguate,
    phase_rank,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vitrion.database.client import VitrionClient
    from vitrion.documents.base import VitrionDoc

MAX_MATERIALS = 4
"""Materials of one formula and phase that a report shows."""


@dataclass(frozen=True)
class _Found:
    """What the choice of documents depends on, read before the documents themselves."""

    kind: str
    document_id: str
    last_updated: datetime
    formula: str | None
    phase: str | None
    material_id: str | None


_Groups: TypeAlias = "dict[tuple[str | None, str | None], list[_Found]]"
"""Documents of each phase and material identifier."""


def find_reports(
    client: VitrionClient,
    identifier: str,
    phase: str | None = None,
    *,
    max_materials: int = MAX_MATERIALS,
) -> list[MaterialReport]:
    """Find the documents of a material, and return one report per phase.

    Parameters
    ----------
    client : VitrionClient
        An open client.
    identifier : str
        A material identifier, a formula, or the identifier of a document of the material, which
        the report then shows.
    phase : str, optional
        Requested phase; default: all.
    max_materials : int
        Materials of one formula and phase, the newest; others are counted only.

    Returns
    -------
    list of MaterialReport
        The crystal first, then the glass.

    Raises
    ------
    InputError
        If no document is found.
    """
    phase = check_phase(phase)
    chosen, groups = _find_materials(client, identifier)
    groups = {key: group for key, group in groups.items() if phase in (None, key[0])}
    if not groups:
        tail = "" if phase is None else f" in the phase '{phase}'"
        raise InputError(
            f"The store has nothing of '{identifier}'{tail}: 'vitrion query' lists its documents."
        )
    groups = {
        key: list(dict.fromkeys([*_of_group(client, key, group), *set(group).intersection(chosen)]))
        for key, group in _newest_materials(groups, max_materials).items()
    }
    unread = _count_unread(client, groups)
    documents = _read(client, [found for group in groups.values() for found in group])
    return disambiguate(
        replace(
            MaterialReport.from_documents(
                [documents[found] for found in groups[key] if found in documents],
                preferred=[documents[found] for found in chosen if found in documents],
            ),
            n_unread=unread[key[0]],
        )
        for key in sorted(groups, key=_order)
    )


def _find_materials(client: VitrionClient, identifier: str) -> tuple[list[_Found], _Groups]:
    """Find the document of an identifier, and newest documents of the materials it may mean."""
    chosen = _search(client, document_id=identifier, deprecated=None)
    named = chosen or _search(client, material_id=identifier)
    formulas = {found.formula for found in named} or {identifier}
    groups: _Groups = {}
    for found in dict.fromkeys([*_search_formula(client, *formulas), *named]):
        groups.setdefault((found.phase, found.material_id), []).append(found)
    return chosen, _of_material(groups, named[0].material_id) if named else groups


def _of_material(groups: _Groups, material_id: str | None) -> _Groups:
    """Keep one material and, for comparison, the same formula in other phases."""
    own = {phase for phase, name in groups if name == material_id}
    return {
        key: group for key, group in groups.items() if key[1] == material_id or key[0] not in own
    }


def _newest_materials(groups: _Groups, count: int) -> _Groups:
    """Keep the materials of each phase with the newest documents."""
    times = {key: max(found.last_updated for found in groups[key]) for key in groups}
    kept: _Groups = {}
    shown: Counter[str | None] = Counter()
    for key in sorted(groups, key=lambda key: times[key], reverse=True):
        shown[key[0]] += 1
        if shown[key[0]] <= count:
            kept[key] = groups[key]
    return kept


def _of_group(
    client: VitrionClient, key: tuple[str | None, str | None], found: Sequence[_Found]
) -> list[_Found]:
    """Find the newest documents of each kind of one material, of its newest composition."""
    phase, material_id = key
    criteria = {
        "deprecated": False,
        "formula_pretty": max(found, key=lambda each: each.last_updated).formula,
        "phase": phase,
        "material_id": material_id or {"$in": [None, ""]},
    }
    return [each for kind in KINDS for each in _newest(client, kind, criteria)]


def _search(client: VitrionClient, **filters: Any) -> list[_Found]:
    """Find the newest documents of each kind and phase."""
    found: list[_Found] = []
    for kind in KINDS:
        criteria = build_criteria(filters, client[kind].key_fields, kind)
        newest = _newest(client, kind, criteria)
        if len(newest) == NEWEST:  # there may be more, of each phase
            newest = [document for document in newest if not document.phase]
            for phase in PHASES:
                newest += _newest(client, kind, {**criteria, "phase": phase})
        found += newest
    return found


def _newest(client: VitrionClient, kind: str, criteria: dict[str, Any]) -> list[_Found]:
    fields = ("last_updated", "formula_pretty", "phase", "material_id")
    order: dict[str, Any] = {"last_updated": -1}
    rows = client[kind].store.query(criteria, [KEY, *fields], order, limit=NEWEST)
    return [
        _Found(kind, row[KEY], row["last_updated"], *(row.get(name) or None for name in fields[1:]))
        for row in rows
    ]


def _read(client: VitrionClient, found: Sequence[_Found]) -> dict[_Found, VitrionDoc]:
    documents: dict[_Found, VitrionDoc] = {}
    for kind in KINDS:
        wanted = {each.document_id: each for each in found if each.kind == kind}
        if not wanted:
            continue
        for document in client[kind].search(document_id=list(wanted), deprecated=None):
            documents[wanted[document.document_id]] = document
    return documents


def _search_formula(client: VitrionClient, *formulas: str | None) -> list[_Found]:
    try:
        return _search(client, formula=[formula for formula in formulas if formula])
    except InputError:  # not a formula
        return []


def _count_unread(client: VitrionClient, groups: _Groups) -> Counter[str | None]:
    """Return the number of documents of these compositions that are not in the groups, by phase."""
    found = [each for group in groups.values() for each in group]
    formulas = sorted({each.formula for each in found if each.formula})
    unread: Counter[str | None] = Counter()
    for phase in {key[0] for key in groups} - {None}:
        read = sum(len(group) for key, group in groups.items() if key[0] == phase)
        stored = sum(client[kind].count(formula=formulas, phase=phase) for kind in KINDS)
        unread[phase] = max(stored - read, 0)
    return unread


def _order(key: tuple[str | None, str | None]) -> tuple[int, str]:
    phase, material_id = key
    return phase_rank(phase), material_id or ""
