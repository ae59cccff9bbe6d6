"""Candidates from structure files of the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.decoding import structure_from_dict
from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.chemistry.structures import structure_as_json, without_site_properties
from vitrion.errors import InputError
from vitrion.generation.candidate import (
    Candidate,
    Origin,
    StructureGenerator,
    check_distances,
    check_request,
)

if TYPE_CHECKING:
    from vitrion.chemistry.formulas import CompositionLike


FILE_KEY = "file"
"""Property of a structure that names its file."""


def read_given(path: str) -> list[dict[str, Any]]:
    """Return the structures of a file as pymatgen dictionaries, which name the file.

    Raises
    ------
    InputError
        If the file is missing or holds no structure.
    """
    from vitrion.generation.diffusion.training_crystals import read_structures

    contents = []
    for structure in read_structures([path]):
        structure.properties = {FILE_KEY: path}
        contents.append(structure_as_json(structure))
    return contents


@dataclass
class FileGenerator(StructureGenerator):
    """Structures read from files (CIF, POSCAR, extxyz, JSON of pymatgen).

    Attributes
    ----------
    paths : list of str or dict
        Structure files of the composition, or their structures as :func:`read_given` returns them.
    """

    paths: list[str | dict[str, Any]] = field(default_factory=list)
    name = "file"

    def generate(self, composition: CompositionLike, n: int, seed: int = 0) -> list[Candidate]:
        """Read the first ``n`` structures; the seed has no effect."""
        check_request(n, seed)
        if not self.paths:
            raise InputError("Name at least one structure file.")
        formula = parse_composition(composition)
        candidates: list[Candidate] = []
        for given in self.paths:
            for content in [given] if isinstance(given, dict) else read_given(given):
                structure = structure_from_dict(content)
                path = structure.properties.get(FILE_KEY, "A given structure")
                if not structure.is_ordered:
                    raise InputError(f"{path} holds partial occupancies: order it first.")
                if parse_composition(structure.composition) != formula:
                    raise InputError(
                        f"{path} holds {usual_formula(structure.composition)}, not "
                        f"{usual_formula(formula)}."
                    )
                check_distances(structure, f"structure of {path}")
                origin = Origin(
                    generator=self.name,
                    parent=path,
                    formula_units=round(len(structure) / formula.num_atoms),
                )
                plain = without_site_properties(structure).remove_oxidation_states()
                plain.properties = {}
                candidates.append(Candidate(structure=plain, origin=origin))
        return candidates[:n]
