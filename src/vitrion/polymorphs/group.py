"""Group relaxed candidates that are the same crystal."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from vitrion.generation.candidate import Origin, PlainStructure

if TYPE_CHECKING:
    from typing import Self

    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    from vitrion.generation.candidate import Candidate
    from vitrion.relaxation.relax import Relaxation

SAME_ENERGY_EV = 0.01
"""Largest energy difference per atom in eV within one crystal: relaxation to forces of 0.05 eV/A
leaves errors of a few meV/atom."""
KEPT_ORIGINS = 10


class JudgedCandidate(BaseModel):
    """One relaxed candidate, accepted or rejected."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    structure: PlainStructure = Field(description="Relaxed structure.")
    origin: Origin = Field(description="How the candidate was made.")
    energy_eV_per_atom: float = Field(description="Energy per atom in eV; 0 if never relaxed.")
    max_force_eV_per_A: float = Field(description="Largest residual force in eV/A.")
    converged: bool | None = Field(
        None, description="Whether its relaxation converged; None if it was not relaxed."
    )
    steps: int = Field(description="Evaluations of the potential in its relaxation.")
    screened: bool = Field(
        False, description="Whether the candidate was screened by one additional evaluation."
    )
    rejected: str | None = Field(None, description="Reason of rejection; None if accepted.")

    @classmethod
    def unrelaxed(cls, candidate: Candidate, reason: str, *, screened: bool = False) -> Self:
        """Return the record of a candidate rejected before relaxation."""
        return cls(
            structure=candidate.structure,
            origin=candidate.origin,
            energy_eV_per_atom=0.0,
            max_force_eV_per_A=0.0,
            steps=0,
            screened=screened,
            rejected=reason,
        )

    @property
    def evaluations(self) -> int:
        """Number of evaluations of the potential for this candidate."""
        return self.steps + self.screened


class Group(BaseModel):
    """Candidates that relaxed to the same crystal."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    structure: PlainStructure = Field(description="The member of lowest energy.")
    energy_eV_per_atom: float = Field(description="Its energy per atom in eV.")
    max_force_eV_per_A: float = Field(description="Its largest force in eV/A.")
    converged: bool | None = Field(None, description="Whether its last relaxation converged.")
    count: int = Field(1, description="Members.")
    found_by: dict[str, int] = Field(description="Members by generator.")
    first_found_at: int = Field(description="Relaxations made when the first was found.")
    origins: list[Origin] = Field(description="Origins of the first members.")

    @property
    def independent_count(self) -> int:
        """Number of independent members: all fillings of hosts count as one.

        A host made from a crystal leads back to that crystal and is not an independent result.
        """
        fillings = self.found_by.get("inpainting", 0)
        return self.count - fillings + (1 if fillings else 0)

    @classmethod
    def of(cls, finding: JudgedCandidate, number: int) -> Group:
        """Create a group from the finding with the given number."""
        return cls(
            structure=finding.structure,
            energy_eV_per_atom=finding.energy_eV_per_atom,
            max_force_eV_per_A=finding.max_force_eV_per_A,
            converged=finding.converged,
            found_by={finding.origin.generator: 1},
            first_found_at=number,
            origins=[finding.origin],
        )

    def add(self, finding: JudgedCandidate) -> None:
        """Add a member."""
        self.count += 1
        generator = finding.origin.generator
        self.found_by[generator] = self.found_by.get(generator, 0) + 1
        if len(self.origins) < KEPT_ORIGINS:
            self.origins.append(finding.origin)
        if finding.energy_eV_per_atom < self.energy_eV_per_atom:
            self.take(finding)

    def take(self, found: JudgedCandidate | Relaxation) -> None:
        """Replace the member of lowest energy."""
        self.structure = found.structure
        self.energy_eV_per_atom = found.energy_eV_per_atom
        self.max_force_eV_per_A = found.max_force_eV_per_A
        self.converged = found.converged

    def absorb(self, other: Group) -> None:
        """Add the members of a group of higher energy."""
        self.count += other.count
        for generator, count in other.found_by.items():
            self.found_by[generator] = self.found_by.get(generator, 0) + count
        self.first_found_at = min(self.first_found_at, other.first_found_at)
        self.origins = [*self.origins, *other.origins][:KEPT_ORIGINS]


def same_crystal(first: Structure, second: Structure) -> bool:
    """Return whether two structures are the same crystal, for any choice of cells."""
    return bool(_matcher().fit(first, second))


@lru_cache(maxsize=1)
def _matcher() -> StructureMatcher:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5)


def add_to_groups(groups: list[Group], finding: JudgedCandidate, number: int) -> None:
    """Add a finding to the group of its crystal, or create a new group."""
    for group in sorted(
        groups, key=lambda g: abs(g.energy_eV_per_atom - finding.energy_eV_per_atom)
    ):
        if abs(group.energy_eV_per_atom - finding.energy_eV_per_atom) > SAME_ENERGY_EV:
            break
        if same_crystal(group.structure, finding.structure):
            group.add(finding)
            return
    groups.append(Group.of(finding, number))
