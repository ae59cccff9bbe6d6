"""Document of a polymorph search."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, Field

from vitrion.documents.base import StoredStructure, VitrionDoc
from vitrion.errors import SimulationError
from vitrion.generation.candidate import Origin
from vitrion.runtime.counts import counted


class SpaceGroupAt(BaseModel):
    """Symmetry of a structure at one tolerance."""

    tolerance_A: float = Field(description="Tolerance of the search for symmetry in A.")
    number: int = Field(description="Number of the space group.")
    symbol: str = Field(description="Hermann-Mauguin symbol of the space group.")


class Polymorph(BaseModel):
    """One crystal found by the search."""

    structure: StoredStructure = Field(description="Relaxed primitive cell; lengths in A.")
    energy_eV_per_atom: float = Field(description="Energy per atom in eV.")
    energy_above_hull_eV_per_atom: float | None = Field(
        None,
        description="Energy in eV/atom above the hull of the references; negative if it is "
        "more stable; None if the references do not span the composition.",
    )
    energy_above_best_eV_per_atom: float = Field(
        description="Energy in eV/atom above the best crystal of this search."
    )
    max_force_eV_per_A: float = Field(description="Largest residual force in eV/A.")
    converged: bool | None = Field(
        None, description="Whether its last relaxation reached its force tolerance."
    )
    space_groups: list[SpaceGroupAt] = Field(description="Symmetry at several tolerances.")
    density_g_per_cm3: float = Field(description="Density in g/cm3.")
    volume_per_atom_A3: float = Field(description="Volume per atom in A3.")
    coordination: dict[str, dict[str, float]] = Field(
        description="For each element, the fraction of its atoms with each set of more "
        'electronegative neighbors, such as {"P": {"F2O2": 1.0}}.'
    )
    times_found: int = Field(description="Number of candidates that relaxed to this crystal.")
    found_by: dict[str, int] = Field(description="Number of these candidates by generator.")
    first_found_at: int = Field(
        description="Number of the relaxation in which it was first found, starting at 1."
    )
    origins: list[Origin] = Field(description="Origins of the first candidates that found it.")


class Stability(BaseModel):
    """Phonons of a crystal, and its coordination in a short run."""

    supercell: list[int] = Field(description="Cells along each axis.")
    n_atoms: int = Field(description="Atoms of the supercell.")
    lowest_phonon_per_cm: float = Field(
        description="Lowest frequency at the wave vectors of the supercell in 1/cm; negative where "
        "it is imaginary. Finite displacements cause an error of a few 1/cm."
    )
    highest_phonon_per_cm: float = Field(description="Highest frequency in 1/cm.")
    temperature_K: float = Field(description="Temperature of the run in K.")
    duration_ps: float = Field(description="Duration of the run in ps.")
    coordination_before: dict[str, dict[str, float]] = Field(
        description="Coordination of the relaxed crystal, as in Polymorph."
    )
    coordination_during: list[dict[str, dict[str, float]]] = Field(
        description="Coordination at evenly spaced times of the run."
    )


class HullReference(BaseModel):
    """A reference phase of the hull."""

    name: str = Field(description="Name of the phase.")
    formula: str = Field(description="Reduced formula.")
    energy_eV_per_atom: float = Field(
        description="Energy per atom in eV, relaxed with the potential of the search."
    )


class PolymorphDoc(VitrionDoc):
    """Result of a polymorph search; ``structure`` is the crystal of lowest energy."""

    key_fields: ClassVar = {
        "energy_above_hull_eV_per_atom": "polymorphs.0.energy_above_hull_eV_per_atom",
    }

    property_name: str = "polymorphs"

    polymorphs: list[Polymorph] = Field(description="Distinct crystals by increasing energy.")
    stability: Stability | None = Field(
        None,
        description="Tests of the best crystal; None if not requested or failed.",
    )
    references: list[HullReference] = Field(
        default_factory=list, description="Phases of the hull, relaxed with the same potential."
    )
    decomposition: dict[str, float] = Field(
        default_factory=dict,
        description="Decomposition products on the hull with their atomic fractions.",
    )
    n_relaxations: int = Field(description="Candidates that were relaxed.")
    n_relaxations_by_generator: dict[str, int] = Field(
        default_factory=dict, description="Relaxed candidates by generator."
    )
    n_evaluations_by_generator: dict[str, int] = Field(
        default_factory=dict,
        description="Evaluations of the potential by generator: relaxation steps, and one for each "
        "screened candidate.",
    )
    rejected: dict[str, int] = Field(
        default_factory=dict, description="Rejected candidates by reason."
    )
    n_iterations: int = Field(description="Iterations of the search.")
    stop_reason: str = Field(description="Why the search ended.")
    best_energy_eV_per_atom: list[float | None] = Field(
        default_factory=list,
        description="Lowest energy in eV/atom after each relaxation; None without a crystal.",
    )
    remarks: list[str] = Field(
        default_factory=list, description="Requested steps that failed, with the reason."
    )

    def require_crystals(self) -> Self:
        """Return the document.

        Raises
        ------
        SimulationError
            If the search found no crystal.
        """
        if not self.polymorphs:
            relaxed = counted(self.n_relaxations, "relaxation")
            raise SimulationError(
                f"The search found no crystal in {relaxed}: increase max_relaxations."
            )
        return self
