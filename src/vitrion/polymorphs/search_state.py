"""State of a search, and its stop criteria."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from vitrion.polymorphs.filters import reason_class
from vitrion.polymorphs.group import (
    SAME_ENERGY_EV,
    Group,
    JudgedCandidate,
    add_to_groups,
    same_crystal,
)
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core import Structure

    from vitrion.polymorphs.search_settings import SearchSettings


class SearchState(BaseModel):
    """The crystals found so far, without duplicates; it travels from iteration to iteration."""

    groups: list[Group] = Field(default_factory=list, description="Distinct crystals.")
    rejected: dict[str, int] = Field(
        default_factory=dict, description="Rejected candidates by reason."
    )
    relaxations: dict[str, int] = Field(
        default_factory=dict, description="Relaxed candidates by generator."
    )
    evaluations: dict[str, int] = Field(
        default_factory=dict, description="Evaluations of the potential by generator."
    )
    best_energies: list[float | None] = Field(
        default_factory=list,
        description="Lowest energy in eV/atom after each relaxation; None without a crystal.",
    )
    n_iterations: int = Field(0, description="Number of finished iterations.")

    @property
    def n_relaxations(self) -> int:
        """Candidates relaxed so far."""
        return sum(self.relaxations.values())

    @property
    def ranked(self) -> list[Group]:
        """Groups by increasing energy."""
        return sorted(self.groups, key=lambda group: group.energy_eV_per_atom)

    def add(self, findings: Iterable[JudgedCandidate]) -> None:
        """Add relaxed candidates; a rejected one counts as a relaxation if it took steps."""
        rejected = Counter(self.rejected)
        for finding in findings:
            generator = finding.origin.generator
            if finding.evaluations:
                self.evaluations[generator] = (
                    self.evaluations.get(generator, 0) + finding.evaluations
                )
            if finding.steps:
                self.relaxations[generator] = self.relaxations.get(generator, 0) + 1
            if finding.rejected is not None:
                rejected[reason_class(finding.rejected)] += 1
            else:
                add_to_groups(self.groups, finding, self.n_relaxations)
            if finding.steps:
                lowest = [group.energy_eV_per_atom for group in self.groups]
                self.best_energies.append(min(lowest, default=None))
        self.rejected = dict(rejected)

    def merge(self) -> None:
        """Merge groups that further relaxation turned into the same crystal."""
        merged: list[Group] = []
        for group in self.ranked:
            for kept in merged:
                gap = abs(kept.energy_eV_per_atom - group.energy_eV_per_atom)
                if gap < SAME_ENERGY_EV and same_crystal(kept.structure, group.structure):
                    kept.absorb(group)
                    break
            else:
                merged.append(group)
        self.groups = merged

    def best(self, n: int) -> list[Structure]:
        """Return the structures of the ``n`` crystals of lowest energy."""
        return [group.structure for group in self.ranked[:n]]

    def stop_reason(self, settings: SearchSettings) -> str | None:
        """Return the reason to stop the search, or None to continue."""
        if self.groups and self.ranked[0].independent_count >= settings.found_again:
            found = counted(self.ranked[0].independent_count, "time")
            return f"the best crystal was found {found}"
        if self.n_relaxations >= settings.max_relaxations:
            return f"the budget of {counted(settings.max_relaxations, 'relaxation')} is spent"
        if self.n_iterations >= settings.max_iterations:
            return f"the limit of {counted(settings.max_iterations, 'iteration')} is reached"
        return None
