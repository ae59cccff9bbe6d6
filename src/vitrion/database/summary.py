"""Document that summarizes one material in one phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from vitrion.database.dotted_path import follow
from vitrion.database.intervals import interval_of
from vitrion.documents.base import VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.materials.quantities import SUMMARIZED, quantities_of
from vitrion.materials.stored_report import stored_report
from vitrion.uncertainty import Bound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
Value = Annotated[
    float | str | bool | None,
    BeforeValidator(lambda value: _SPECIAL.get(value, value) if isinstance(value, str) else value),
]
"""A quantity; NaN and infinity may be strings."""

METADATA = (
    "material_id",
    "phase",
    "elements",
    "nelements",
    "composition",
    "composition_reduced",
    "formula_pretty",
    "formula_anonymous",
    "chemsys",
)

REPORTED = {name for quantity in SUMMARIZED for name in (quantity.key, f"{quantity.key}_bound")}
"""Names of the quantities that are computed as in a report."""


class SummaryDoc(VitrionDoc):
    """The quantities of a material in one phase, and their source documents."""

    property_name: str = "summary"
    document_ids: dict[str, list[str]] = Field(
        description="Identifiers of the documents of each kind, newest first."
    )
    values: dict[str, Value] = Field(
        description="Quantities by their public names, as in a report of the material: of several "
        "glasses made in the same way, the mean. Other quantities of a kind are from its newest "
        "document that states any. Units as in the description of the document's field."
    )
    intervals: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Ends of the 95 % intervals of the quantities that have one, by public name.",
    )
    potentials: list[str] = Field(
        default_factory=list,
        description="Names of the potentials of the documents.",
    )

    @classmethod
    def from_documents(
        cls, documents: Sequence[Mapping[str, Any]], key_fields: Mapping[str, Mapping[str, str]]
    ) -> SummaryDoc:
        """Summarize the documents of one material in one phase.

        Parameters
        ----------
        documents
            Documents of the material collections, with their ``document_id``; at least one.
            Deprecated documents and crystallized glasses are used only if there are no others.
        key_fields
            The ``key_fields`` of each kind of document, by property name.

        Returns
        -------
        SummaryDoc
            The summary, with the structure of the newest document that has one.
        """
        newest = sorted(documents, key=freshness, reverse=True)
        ids: dict[str, list[str]] = {}
        for document in newest:
            ids.setdefault(document["property_name"], []).append(document["document_id"])
        values, intervals = _reported(newest)
        for kind in ids:
            stated = key_fields.get(kind, {})
            own = {name: path for name, path in stated.items() if name not in REPORTED}
            found = [d for d in newest if d["property_name"] == kind and _quantities(d, own)]
            for document in found[:1]:  # one document, such as of a value and its bound
                values |= _quantities(document, own)
                intervals |= _intervals(document, own)
        with_structure = [d for d in newest if "lattice" in (d.get("structure") or {})]
        source = with_structure[0] if with_structure else newest[0]
        fields = (*METADATA, "nsites", "volume", "density", "density_atomic", "symmetry")
        jobs = [document["document_id"] for document in newest]
        return cls(
            **{name: source.get(name) for name in fields},
            structure=source["structure"] if with_structure else None,
            deprecated=all(document.get("deprecated", False) for document in newest),
            last_updated=max(document["last_updated"] for document in newest),
            document_ids=ids,
            values=values,
            intervals=intervals,
            potentials=sorted({name for name in map(_potential, newest) if name}),
            provenance=Provenance.collect(job_uuids=jobs),
        )


def _potential(document: Mapping[str, Any]) -> str | None:
    return follow(document, "provenance.potential.name")


def freshness(document: Mapping[str, Any]) -> tuple:
    """Return the rank of a document in its material: valid ones last, then by time.

    Of two documents of one time, the one with the conductivity from defects extends the other.
    """
    usable = not document.get("deprecated", False) and document.get("is_amorphous") is not False
    by_defects = document.get("route") == "defects"
    return usable, document["last_updated"], by_defects, document["document_id"]


def _reported(
    documents: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Return the quantities that a report of the documents has, and their intervals."""
    values: dict[str, Any] = {}
    intervals: dict[str, tuple[float, float]] = {}
    report = stored_report(documents)
    for name, found in ({} if report is None else quantities_of(report)).items():
        if isinstance(found, Bound):
            values[f"{name}_bound"] = found.limit
            continue
        values[name] = found.value
        interval = found.interval_95
        if interval is not None and all(map(math.isfinite, interval)):
            intervals[name] = interval
    return values, intervals


def _quantities(document: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    found = {name: follow(document, path) for name, path in paths.items()}
    return {name: v for name, v in found.items() if isinstance(v, (bool, int, float, str))}


def _intervals(
    document: Mapping[str, Any], paths: Mapping[str, str]
) -> dict[str, tuple[float, float]]:
    found = {name: interval_of(document, path) for name, path in paths.items()}
    return {name: interval for name, interval in found.items() if interval is not None}
