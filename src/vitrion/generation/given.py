"""Candidates from structure files of the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vitrion.chemistry.formulas import usual_formula
from vitrion.chemistry.structures import without_site_properties
from vitrion.errors import InputError
from vitrion.generation.candidate import (
    Candidate,
    Origin,
    StructureGenerator,
    as_formula,
    check_count,
    check_distances,
)

if TYPE_CHECKING:
    from vitrion.chemistry.formulas import CompositionLike


@dataclass
class FileGenerator(StructureGenerator):
    """Structures read from files (CIF, POSCAR, extxyz, JSON of pymatgen).

    Attributes
    ----------
    paths : list of str
        Structure files of the composition.
    """

    paths: list[str] = field(default_factory=list)
    name = "file"

    def generate(self, composition: CompositionLike, n: int, seed: int = 0) -> list[Candidate]:
        """Read the first ``n`` structures; the seed has no effect."""
        from vitrion.generation.diffusion.training_crystals import read_structures

        check_count(n)
        if not self.paths:
            raise InputError("Name at least one structure file.")
        formula = as_formula(composition)
        candidates: list[Candidate] = []
        for path in self.paths:
            for structure in read_structures([path]):
                if not structure.is_ordered:
                    raise InputError(f"{path} holds partial occupancies: order it first.")
                if as_formula(structure.composition) != formula:
                    raise InputError(
                        f"{path} holds {usual_formula(structure.composition)}, not "
                        f"{usual_formula(formula)}."
                    )
                check_distances(structure, f"structure of {path}")
                origin = Origin(
                    generator=self.name,
                    parent=str(path),
                    formula_units=round(len(structure) / formula.num_atoms),
                )
                plain = without_site_properties(structure).remove_oxidation_states()
                candidates.append(Candidate(structure=plain, origin=origin))
        return candidates[:n]
