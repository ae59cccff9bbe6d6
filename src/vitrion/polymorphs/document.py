"""The document of a search for the crystals of a composition."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from vitrion.documents.base import StoredStructure, VitrionDoc
from vitrion.generation.candidate import Origin


class SpaceGroupAt(BaseModel):
    """Symmetry of a structure at one tolerance."""

    tolerance_A: float = Field(description="Tolerance of the search for symmetry in A.")
    number: int = Field(description="Number of the space group.")
    symbol: str = Field(description="Hermann-Mauguin symbol of the space group.")


class Polymorph(BaseModel):
    """One crystal that the search found."""

    structure: StoredStructure = Field(description="Relaxed primitive cell; lengths in A.")
    energy_eV_per_atom: float = Field(description="Energy per atom in eV.")
    energy_above_hull_eV_per_atom: float | None = Field(
        None,
        description="Energy in eV/atom above the hull of the references; negative for a crystal "
        "more stable than all of them together; None where they cannot add up to the composition.",
    )
    energy_above_best_eV_per_atom: float = Field(
        description="Energy in eV/atom above the best crystal of this search."
    )
    max_force_eV_per_A: float = Field(description="Largest force left on an atom in eV/A.")
    converged: bool | None = Field(
        None, description="Whether its last relaxation reached its force tolerance."
    )
    space_groups: list[SpaceGroupAt] = Field(description="Symmetry at several tolerances.")
    density_g_per_cm3: float = Field(description="Density in g/cm3.")
    volume_per_atom_A3: float = Field(description="Volume per atom in A3.")
    coordination: dict[str, dict[str, float]] = Field(
        description="For each element, the share of its atoms with each set of more "
        'electronegative neighbors, such as {"P": {"F2O2": 1.0}}.'
    )
    times_found: int = Field(description="How many relaxed candidates ended in this crystal.")
    found_by: dict[str, int] = Field(description="The same number by generator.")
    first_found_at: int = Field(
        description="Number of relaxations made when it was first found, this one included."
    )
    origins: list[Origin] = Field(description="Origins of the first candidates that led to it.")


class Stability(BaseModel):
    """Phonons of a crystal, and its bonds in a short run."""

    supercell: list[int] = Field(description="Cells along each axis.")
    n_atoms: int = Field(description="Atoms of the supercell.")
    lowest_phonon_per_cm: float = Field(
        description="Lowest frequency at the wave vectors of the supercell in 1/cm; negative where "
        "it is imaginary. Some 1/cm either way are the error of the displacements."
    )
    highest_phonon_per_cm: float = Field(description="Highest frequency in 1/cm.")
    temperature_K: float = Field(description="Temperature of the run in K.")
    duration_ps: float = Field(description="Duration of the run in ps.")
    coordination_before: dict[str, dict[str, float]] = Field(
        description="Neighbors of the atoms at rest, as in Polymorph."
    )
    coordination_during: list[dict[str, dict[str, float]]] = Field(
        description="The same at evenly spaced times of the run."
    )


class HullReference(BaseModel):
    """A phase the hull was made of."""

    name: str = Field(description="Name of the phase.")
    formula: str = Field(description="Reduced formula.")
    energy_eV_per_atom: float = Field(
        description="Energy per atom in eV, relaxed with the potential of the search."
    )


class PolymorphDoc(VitrionDoc):
    """What a search for the crystals of one composition found; ``structure`` is the best."""

    key_fields: ClassVar = {
        "energy_above_hull_eV_per_atom": "polymorphs.0.energy_above_hull_eV_per_atom",
    }

    property_name: str = "polymorphs"

    polymorphs: list[Polymorph] = Field(description="Different crystals by rising energy.")
    stability: Stability | None = Field(
        None,
        description="Tests of the best crystal; None where they were not asked for, or failed.",
    )
    references: list[HullReference] = Field(
        default_factory=list, description="Phases of the hull, relaxed with the same potential."
    )
    decomposition: dict[str, float] = Field(
        default_factory=dict,
        description="Phases the composition falls apart into on the hull, with atomic fractions.",
    )
    n_relaxations: int = Field(description="Candidates that were relaxed.")
    n_relaxations_by_generator: dict[str, int] = Field(
        default_factory=dict, description="The same number by generator."
    )
    n_evaluations_by_generator: dict[str, int] = Field(
        default_factory=dict,
        description="Evaluations of the potential for the candidates of each generator: steps of "
        "their relaxations, and one for each from which those to relax were chosen.",
    )
    rejected: dict[str, int] = Field(
        default_factory=dict, description="Candidates that were dropped, by reason."
    )
    rounds: int = Field(description="Rounds of the search.")
    stop_reason: str = Field(description="Why the search ended.")
    best_energy_eV_per_atom: list[float | None] = Field(
        default_factory=list,
        description="Lowest energy in eV/atom after each relaxation; None while there is none.",
    )
    remarks: list[str] = Field(
        default_factory=list, description="What was asked for and could not be done, and why."
    )
