"""The parent of all vitrion documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from emmet.core.base import EmmetMeta
from emmet.core.material_property import PropertyDoc
from monty.json import jsanitize
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import to_json
from pymatgen.core import Structure

from vitrion.chemistry.decoding import as_structure
from vitrion.documents.provenance import Provenance, utc_now
from vitrion.errors import InputError
from vitrion.potentials.trust import TrustReport

if TYPE_CHECKING:
    from typing import Self

Phase = Literal["crystalline", "amorphous", "liquid"]
PHASES = get_args(Phase)
"""Phases in the order in which they are shown."""


def check_phase(phase: str | None) -> None:
    """Refuse a word that is no phase; None stands for any.

    Raises
    ------
    InputError
        If it is none.
    """
    if phase is not None and phase not in PHASES:
        raise InputError(f"The phase is one of {', '.join(PHASES)}, not '{phase}'.")


StoredStructure = Annotated[
    Structure,
    BeforeValidator(as_structure),
    # Site properties may be numpy arrays, which JSON does not know.
    PlainSerializer(lambda structure: jsanitize(structure.as_dict()), return_type=dict),
    WithJsonSchema({"type": "object", "description": "pymatgen Structure as a dictionary"}),
]
"""A pymatgen Structure that keeps all its site properties through dump and validation."""


def _meta() -> EmmetMeta:
    return EmmetMeta(build_date=utc_now())


class VitrionDoc(PropertyDoc):
    """What every vitrion document carries, whatever it is about.

    Differs from emmet-core's ``PropertyDoc`` where its defaults would lose or change data: a new
    document is not deprecated, an identifier is kept as the string it is, the structure is part of
    every dump, and times are whole milliseconds, as BSON stores them.

    A subclass gives ``property_name`` a default; that name is how stores, builders and the query
    client find documents of its kind. ``key_fields`` names the quantities that one filters, sorts
    and shows, and that a summary repeats: a public name, unique among all documents, and the dotted
    path of a number, string or flag in the document. ``of_material`` is False for documents about
    something else, which are in no summary.
    """

    key_fields: ClassVar[Mapping[str, str]] = {}
    of_material: ClassVar[bool] = True

    property_name: str = Field(description="Kind of document; the name of its collection.")
    schema_version: str = Field("1.0", description="Version of the schema of this document.")
    deprecated: bool = Field(False, description="Whether the document should no longer be used.")
    material_id: str | None = Field(
        None, description="Identifier of the material, kept as given (mp-1234, or any string)."
    )
    phase: Phase | None = Field(None, description="State of the material the document is about.")
    structure: StoredStructure | None = Field(
        None, description="Structure the document is about; lengths in A."
    )
    builder_meta: EmmetMeta | None = Field(
        default_factory=_meta, description="Versions of emmet-core and pymatgen, and build date."
    )
    last_updated: datetime = Field(
        default_factory=utc_now, description="Time of the last change in UTC, whole milliseconds."
    )
    provenance: Provenance = Field(
        default_factory=Provenance.collect, description="Potential, seeds, jobs and packages."
    )
    trust: TrustReport | None = Field(
        None, description="Whether the run left its potential's range, and the force error on it."
    )

    @classmethod
    def from_structure(  # type: ignore[override]
        cls,
        meta_structure: Structure,
        material_id: str | None = None,
        deprecated: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Make a document whose composition, density and symmetry are read off a structure.

        Parameters
        ----------
        meta_structure
            Structure the document is about; it is stored with the document.
        material_id
            Identifier of the material; any string, kept unchanged.
        deprecated
            Whether the document should no longer be used.
        **kwargs
            Values of the other fields of the document.

        Returns
        -------
        Self
            The document.
        """
        return super().from_structure(
            meta_structure, material_id=material_id, deprecated=deprecated, **kwargs
        )

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return JSON in which NaN and infinities are the strings that validation takes for them.

        pydantic's own turns those of nested models into null.

        Parameters
        ----------
        indent
            Spaces of each level; None for one line.
        **options
            As in ``model_dump``.
        """
        content = self.model_dump(**options)
        return to_json(content, indent=indent, inf_nan_mode="strings").decode()
