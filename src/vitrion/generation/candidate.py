"""A candidate structure, where it comes from, and what makes candidates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pymatgen.core import Composition, Structure

from vitrion.chemistry.decoding import as_structure
from vitrion.chemistry.formulas import parse_composition
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


PlainStructure = Annotated[
    Structure,
    BeforeValidator(as_structure),
    PlainSerializer(lambda structure: structure.as_dict(), return_type=dict),
]


class Origin(BaseModel):
    """How a candidate was made; with the same versions it can be made again."""

    model_config = ConfigDict(frozen=True)

    generator: str = Field(
        description="diffusion, inpainting, random, substitution, file or external."
    )
    seed: int | None = Field(None, description="Seed of this candidate; None where none was used.")
    formula_units: int | None = Field(None, description="Formula units in the cell.")
    model: str | None = Field(None, description="Weights or program, with version or hash.")
    parent: str | None = Field(
        None, description="File, prototype or host the candidate was made from."
    )
    details: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the generator that led to this candidate."
    )


class Candidate(BaseModel):
    """A structure that has not been relaxed, with its origin."""

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    structure: PlainStructure = Field(description="The structure; lengths in A.")
    origin: Origin = Field(description="How it was made.")


class StructureGenerator(ABC):
    """Makes candidate structures of a composition.

    A generator is a dataclass of its settings; the same settings and seed give the same
    candidates.
    """

    name: str

    @abstractmethod
    def generate(self, composition: Composition | str, n: int, seed: int) -> list[Candidate]:
        """Make candidates.

        Parameters
        ----------
        composition : Composition or str
            Formula; the cells hold one or more reduced formula units.
        n : int
            Candidates wanted; fewer are returned where the generator has no more.
        seed : int

        Returns
        -------
        list of Candidate

        Raises
        ------
        InputError
            If the generator cannot make this composition.
        """


def as_formula(composition: Composition | str) -> Composition:
    """Return one reduced formula unit with integer amounts."""
    return parse_composition(composition)


def check_count(n: int) -> None:
    """Raise InputError unless at least one candidate is asked for."""
    if n < 1:
        raise InputError(f"At least one candidate must be asked for, not {n}.")


def check_formula_units(units: Iterable[int]) -> tuple[int, ...]:
    """Return the formula units to try, or raise InputError where one is not positive."""
    units = tuple(units)
    if not units or min(units) < 1:
        raise InputError("The formula units of a cell must be positive whole numbers.")
    return units


def check_distances(structure: Structure, shortest: float, what: str) -> None:
    """Raise InputError where two atoms of a given structure are closer than ``shortest`` A."""
    from vitrion.chemistry.distances import shortest_distance

    found = shortest_distance(structure)
    if found < shortest:
        raise InputError(
            f"In the {what}, two atoms are {found:.2f} A apart: mend or remove the overlap."
        )
