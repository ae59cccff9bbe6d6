"""Reports of stored documents, of which only the fields that quantities need are read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from vitrion.amorphous.document import AmorphousDoc
from vitrion.conductivity.document import ConductivityDoc
from vitrion.defects.document import DefectDoc
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.materials.material import NEWEST, MaterialReport, material_formula
from vitrion.polymorphs.document import PolymorphDoc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.documents.base import VitrionDoc

_COMMON = ("formula_pretty", "last_updated", "material_id", "phase", "provenance")
_FIELDS: dict[str, tuple[type[VitrionDoc], tuple[str, ...]]] = {
    "conductivity": (
        ConductivityDoc,
        ("route", "sigma_300K", "sigma_300K_bound", "arrhenius", "by_defects", "density"),
    ),
    "amorphous": (
        AmorphousDoc,
        (
            "settings",
            "nsites",
            "is_amorphous",
            "density_relaxed_g_per_cm3",
            "density_equilibrated_g_per_cm3",
            "density_error_g_per_cm3",
            "energy_eV_per_atom",
        ),
    ),
    "polymorphs": (PolymorphDoc, ("polymorphs",)),
    "defects": (
        DefectDoc,
        ("reservoir", "frenkel_energy_eV", "interstitial_energy_eV", "vacancy_energy_eV"),
    ),
    "site_energy_landscape": (
        SiteEnergyLandscapeDoc,
        (
            "n_replicas",
            "landscape_gap_eV",
            "landscape_overlap",
            "lowest_interstitial_energy_eV",
            "ionic_interstitial_energy_eV",
            "percolating_barrier_eV",
            "removal_spread_eV",
        ),
    ),
}


def quantity_fields(kind: str) -> tuple[str, ...]:
    """Return the fields that the quantities need of a kind of document; empty if none."""
    return (*_COMMON, *_FIELDS[kind][1]) if kind in _FIELDS else ()


def stored_report(documents: Sequence[Mapping[str, Any]]) -> MaterialReport | None:
    """Return the report of stored documents, as far as its quantities need it.

    It has the documents that a report of the material reads: the newest of each kind. Deprecated
    ones are used only if there are no others.

    Parameters
    ----------
    documents
        Documents of one material in one phase, with at least their :func:`quantity_fields`.

    Returns
    -------
    MaterialReport or None
        None without a document that has quantities.
    """
    found = [document for document in documents if document["property_name"] in _FIELDS]
    usable = [document for document in found if not document.get("deprecated", False)] or found
    newest = sorted(usable, key=lambda document: document["last_updated"], reverse=True)
    parts = [
        _part(document)
        for kind in _FIELDS
        for document in [each for each in newest if each["property_name"] == kind][:NEWEST]
    ]
    if not parts:
        return None
    formula = material_formula(max(parts, key=lambda part: part.last_updated))
    return MaterialReport.from_documents(d for d in parts if material_formula(d) == formula)


def _part(document: Mapping[str, Any]) -> VitrionDoc:
    """Return a document of some of its fields, which are validated; others have their defaults."""
    kind = document["property_name"]
    cls = _FIELDS[kind][0]
    fields = [name for name in quantity_fields(kind) if name in document]
    return cls.model_construct(
        **{name: _validator(cls, name).validate_python(document[name]) for name in fields}
    )


@cache
def _validator(cls: type[VitrionDoc], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(cls.model_fields[name].rebuild_annotation())
