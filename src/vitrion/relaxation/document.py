"""Document of one relaxation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from vitrion.documents.base import SchemaOnce, StoredStructure
from vitrion.documents.provenance import Provenance
from vitrion.relaxation.relax import RelaxSettings

if TYPE_CHECKING:
    from typing import Self

    from vitrion.relaxation.relax import Relaxation


class RelaxationDoc(SchemaOnce, BaseModel):
    """A relaxed structure and how it was relaxed: a step of a flow, not a final result."""

    structure: StoredStructure = Field(description="Relaxed structure; lengths in A.")
    energy_eV: float = Field(description="Energy of the cell in eV.")
    energy_eV_per_atom: float = Field(description="Energy in eV per atom.")
    max_force_eV_per_A: float = Field(description="Largest force on an atom in eV/A.")
    pressure_GPa: float | None = Field(
        None, description="Pressure of the structure in GPa; None if the cell was kept."
    )
    max_stress_GPa: float | None = Field(
        None, description="Largest element of the stress less the outer pressure in GPa."
    )
    additional_fields: dict[str, Any] = Field(
        default_factory=dict, description="Fields added by the user."
    )
    n_steps: int = Field(description="Steps of the relaxation.")
    converged: bool = Field(description="Whether forces and stress reached the tolerance.")
    reason: str | None = Field(None, description="Why the relaxation did not converge.")
    settings: RelaxSettings = Field(description="How it was relaxed.")
    provenance: Provenance = Field(description="Potential, job and package versions.")

    @classmethod
    def from_relaxation(
        cls, relaxation: Relaxation, settings: RelaxSettings, potential: str | None
    ) -> Self:
        """Make the document of a relaxation with a potential of the registry."""
        names = (
            "structure energy_eV energy_eV_per_atom max_force_eV_per_A pressure_GPa "
            "max_stress_GPa n_steps converged reason"
        ).split()
        return cls(
            **{name: getattr(relaxation, name) for name in names},
            settings=settings,
            provenance=Provenance.collect(potential),
        )
