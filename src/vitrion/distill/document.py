"""Document of an interatomic potential: identity and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from vitrion.distill.validate.regime_errors import RegimeError
from vitrion.documents.base import VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.potentials import describe_potential
from vitrion.potentials.student import is_student, student_card

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from vitrion.potentials import PotentialSpec


class PotentialDoc(VitrionDoc):
    """An interatomic potential used for results; `elements` are the supported elements."""

    key_fields: ClassVar = {
        "potential_name": "name",
        "potential_version": "version",
        "functional": "functional",
        "worst_force_rmse_meV_per_A": "worst_force_rmse_meV_per_A",
    }
    of_material: ClassVar[bool] = False

    property_name: str = "potential"
    name: str = Field(description="Name in the registry, such as vitrion-lipof or chgnet.")
    version: str = Field(description="Version of the weights.")
    backend: str = Field(description="Program that evaluates it: chgnet or mace.")
    sha256: str | None = Field(None, description="SHA-256 of the weights file.")
    functional: str = Field(description="Exchange-correlation functional of its training labels.")
    training_set: str = Field(description="Description of the training set.")
    training_frames: int | None = Field(None, description="Number of training frames.")
    teacher: str | None = Field(
        None, description="Potential that labelled the frames, for a student."
    )
    n_parameters: int | None = Field(None, description="Number of weights.")
    cutoff_A: float | None = Field(None, description="Cutoff radius of one message step in A.")
    license: str = Field(description="License of the weights.")
    citation: str = Field(description="Reference to cite.")
    errors: list[RegimeError] = Field(
        default_factory=list,
        description="Errors relative to the teacher by regime, on frames not used for training; "
        "empty without a data card.",
    )
    worst_force_rmse_meV_per_A: float | None = Field(
        None, description="Largest error of a force component over the regimes in meV/A."
    )
    failure: str | None = Field(
        None,
        description="Why a student failed in its validation, such as atoms that fused in its "
        "dynamics; None if it did not.",
    )
    used_by: dict[str, int] = Field(
        default_factory=dict, description="Number of documents computed with it, by kind."
    )

    @classmethod
    def from_potential(
        cls, potential: PotentialSpec | str, card: Mapping[str, Any] | None = None, **fields: Any
    ) -> Self:
        """Describe a potential.

        Parameters
        ----------
        potential
            Its description, or its name in the registry.
        card
            Further data: ``validation``, ``failure``, ``teacher``, ``parameters``,
            ``training_frames``. None uses the card of a student if its file is unchanged.
        **fields
            Other fields of the document.

        Raises
        ------
        InputError
            If the name is unknown.
        """
        spec = describe_potential(potential)
        card = _own_card(spec) if card is None else card
        errors = [RegimeError.model_validate(entry) for entry in card.get("validation", [])]
        values = spec.model_dump(exclude={"path", "elements"})
        elements = sorted(spec.elements or ())
        return cls(
            **values,
            elements=elements or None,
            nelements=len(elements) or None,
            teacher=card.get("teacher"),
            n_parameters=card.get("parameters"),
            training_frames=card.get("training_frames"),
            errors=errors,
            failure=card.get("failure"),
            worst_force_rmse_meV_per_A=max(
                (entry.force_rmse_meV_per_A for entry in errors), default=None
            ),
            provenance=Provenance.collect(spec.model_copy(update={"path": None})),
            **fields,
        )


def _own_card(spec: PotentialSpec) -> Mapping[str, Any]:
    if not is_student(spec.name) or spec.sha256 is None:
        return {}
    card = student_card(spec.name)
    return card if card["sha256"] == spec.sha256 else {}
