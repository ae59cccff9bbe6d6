"""Base class of all vitrion documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from emmet.core.base import EmmetMeta
from emmet.core.material_property import PropertyDoc
from monty.json import jsanitize
from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import to_json
from pymatgen.core import Structure

from vitrion.chemistry.decoding import as_structure
from vitrion.chemistry.formulas import display_formula
from vitrion.chemistry.phases import read_phase
from vitrion.chemistry.structures import pymatgen_structures
from vitrion.documents.provenance import Provenance, utc_now
from vitrion.documents.stored_form import document_content, reference_at
from vitrion.errors import InputError
from vitrion.potentials.trust import TrustReport
from vitrion.runtime.notebook_display import NotebookFigure

if TYPE_CHECKING:
    from typing import Self

Phase = Literal["crystalline", "amorphous", "liquid"]
PHASES = get_args(Phase)
"""Phases in display order."""


def check_phase(phase: str | None) -> Phase | None:
    """Return the phase of a word, such as ``glass``; None means any phase.

    Raises
    ------
    InputError
        If it is not a phase.
    """
    word = read_phase(phase)
    if word is not None and word not in PHASES:
        raise InputError(
            f"Phase '{phase}' must be one of {', '.join(PHASES)} (or crystal, glass, melt)."
        )
    return word


StoredStructure = Annotated[
    Structure,
    BeforeValidator(as_structure),
    # Site properties may be numpy arrays, which JSON cannot represent.
    PlainSerializer(lambda structure: jsanitize(structure.as_dict()), return_type=dict),
    WithJsonSchema({"type": "object", "description": "pymatgen Structure as a dictionary"}),
]
"""A pymatgen Structure that keeps all its site properties through dump and validation."""


def _kind_of(content: Any) -> Any:
    return content.get("property_name") if isinstance(content, Mapping) else None


def _meta() -> EmmetMeta:
    return EmmetMeta(build_date=utc_now())


_SCHEMAS: dict[type, dict[str, Any]] = {}


class SchemaOnce:
    """Base class of documents whose JSON schema is generated once.

    jobflow asks for the schema at every access to an attribute of an output, and to generate it
    takes tens of milliseconds: flows of many jobs would take seconds to create.
    """

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the JSON schema; without arguments, the same dictionary at every call."""
        generate = super().model_json_schema  # type: ignore[misc]
        if args or kwargs:
            return generate(*args, **kwargs)
        if cls not in _SCHEMAS:
            _SCHEMAS[cls] = generate()
        return _SCHEMAS[cls]


class VitrionDoc(NotebookFigure, SchemaOnce, PropertyDoc):
    """Common fields of all vitrion documents.

    Differs from emmet-core's ``PropertyDoc`` where its defaults would lose or change data: a new
    document is not deprecated, an identifier is kept as a string, the structure is part of every
    dump, and times are whole milliseconds, as BSON stores them.

    A subclass sets the default of ``property_name``, by which stores, builders and the query client
    find its documents. ``key_fields`` lists the quantities to filter, sort and show, which a
    summary repeats: a public name, unique among all documents, and the dotted path of a number,
    string or flag in the document. ``of_material`` is False for documents that do not describe a
    material; summaries exclude them.
    """

    key_fields: ClassVar[Mapping[str, str]] = {}
    of_material: ClassVar[bool] = True

    property_name: str = Field(description="Kind of document; the name of its collection.")
    schema_version: str = Field("1.0", description="Version of the schema of this document.")
    deprecated: bool = Field(False, description="Whether the document should no longer be used.")
    material_id: str | None = Field(
        None, description="Identifier of the material: any string, such as mp-1234."
    )
    phase: Phase | None = Field(None, description="Phase of the material.")
    structure: StoredStructure | None = Field(
        None, description="Structure of the document; lengths in A."
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
        None, description="Extrapolation of the potential in the run, and its force error."
    )
    additional_fields: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the user, such as from atomate2's add_metadata_to_flow.",
    )

    @cached_property  # not a field, so that a stored document equals its original
    def document_id(self) -> str | None:
        """Identifier in the store, set by a search; None for a document from elsewhere."""
        return None

    @field_validator("formula_pretty", check_fields=False)
    @classmethod
    def _usual_formula(cls, formula: str | None) -> str | None:
        return formula if formula is None else display_formula(formula)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the document of a dictionary, such as an entry of a JobStore or of MongoDB.

        Parameters
        ----------
        obj
            A document, its fields, or an entry of a JobStore, which has it as ``output``; dates may
            be in MongoDB's extended JSON.
        **options
            As of pydantic.

        Raises
        ------
        InputError
            If it is another kind of document, or a field is a reference to a large object.
        ValidationError
            If a field is missing or invalid.
        """
        content = document_content(obj)
        kind, own = _kind_of(content), cls.model_fields["property_name"].default
        if isinstance(kind, str) and isinstance(own, str) and kind != own:
            raise InputError(f"The document is of the kind '{kind}', not '{own}': use its class.")
        try:
            return super().model_validate(content, **options)
        except ValidationError as error:
            found = (reference_at(content, fault["loc"]) for fault in error.errors())
            field = next((path for path in found if path), None)
            if field is None:
                raise
            raise InputError(
                f"The field '{field}' refers to a large object in another store: get the document "
                "from VitrionClient, or the output from JobStore.get_output(uuid, load=True)."
            ) from error

    @classmethod
    def from_structure(  # type: ignore[override]
        cls,
        meta_structure: Structure,
        material_id: str | None = None,
        deprecated: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Create a document with composition, density and symmetry of a structure.

        Parameters
        ----------
        meta_structure
            Structure or ASE Atoms of the document; it is stored with the document.
        material_id
            Identifier of the material: any string, kept unchanged.
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
            pymatgen_structures(meta_structure),
            material_id=material_id,
            deprecated=deprecated,
            **kwargs,
        )

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return JSON with NaN and infinities as strings that validation accepts.

        pydantic's default converts NaN and infinities of nested models to null.

        Parameters
        ----------
        indent
            Spaces per level; None for one line.
        **options
            As in ``model_dump``.
        """
        content = self.model_dump(**options)
        return to_json(content, indent=indent, inf_nan_mode="strings").decode()
