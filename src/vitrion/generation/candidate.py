"""Candidate structures, their origin, and the interface of generators."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import fields
from numbers import Integral
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pymatgen.core import Structure

from vitrion.chemistry.decoding import as_structure
from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pymatgen.core import Composition

    from vitrion.chemistry.formulas import CompositionLike

SHORTEST_A = 0.6
"""Minimum distance in A between two atoms of a given structure."""

PlainStructure = Annotated[
    Structure,
    BeforeValidator(as_structure),
    PlainSerializer(lambda structure: structure.as_dict(), return_type=dict),
]


class Origin(BaseModel):
    """Origin of a candidate; reproducible with the same versions."""

    model_config = ConfigDict(frozen=True)

    generator: str = Field(
        description="diffusion, inpainting, random, substitution, file or external."
    )
    seed: int | None = Field(None, description="Seed of this candidate; None if unused.")
    formula_units: int | None = Field(None, description="Formula units in the cell.")
    model: str | None = Field(None, description="Weights or program, with version or hash.")
    parent: str | None = Field(None, description="File, prototype or host of the candidate.")
    details: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the generator for this candidate."
    )


class Candidate(BaseModel):
    """An unrelaxed structure with its origin."""

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    structure: PlainStructure = Field(description="The structure; lengths in A.")
    origin: Origin = Field(description="Origin of the structure.")


class StructureGenerator(ABC):
    """Makes candidate structures of a composition.

    A generator is a dataclass of its settings; the same settings and seed give the same
    candidates.
    """

    name: str

    def __post_init__(self) -> None:
        """Convert lists to tuples, which JSON does not keep."""
        for part in fields(self):  # type: ignore[arg-type]
            value = getattr(self, part.name)
            if isinstance(part.default, tuple) and isinstance(value, list):
                setattr(self, part.name, tuple(value))

    @abstractmethod
    def generate(self, composition: CompositionLike, n: int, seed: int) -> list[Candidate]:
        """Make candidates.

        Parameters
        ----------
        composition : Composition or str
            Formula; the cells hold one or more reduced formula units.
        n : int
            Number of candidates; fewer are returned if the generator has no more.
        seed : int

        Returns
        -------
        list of Candidate

        Raises
        ------
        InputError
            If the generator does not support this composition, or a setting is invalid.
        """


def check_request(n: int, seed: int) -> None:
    """Raise InputError unless at least one candidate is requested, with a usable seed."""
    for what, value, least in (("Number of candidates", n, 1), ("Seed", seed, 0)):
        if not isinstance(value, Integral):
            raise InputError(f"{what} {value!r} must be a whole number.")
        if value < least:
            raise InputError(f"{what} {value} must be at least {least}.")


def volume_per_atom(given_A3: float | None, formula: Composition) -> float:
    """Return the given volume per atom in A3; None estimates it.

    Raises
    ------
    InputError
        If it is not positive.
    """
    if given_A3 is None:
        return crystal_volume_per_atom(formula)
    if not 0 < given_A3 < math.inf:
        raise InputError(f"volume_per_atom_A3 {given_A3:g} must be positive, or None (estimated).")
    return given_A3


def check_formula_units(units: Iterable[int]) -> tuple[int, ...]:
    """Return the formula units to try, or raise InputError if one is not positive."""
    units = tuple(units)
    if not units or min(units) < 1:
        raise InputError("The formula units of a cell must be positive whole numbers.")
    return units


def check_distances(structure: Structure, what: str) -> None:
    """Raise InputError if two atoms of a structure are closer than :data:`SHORTEST_A`."""
    from vitrion.chemistry.distances import shortest_distance

    found = shortest_distance(structure)
    if found < SHORTEST_A:
        raise InputError(
            f"In the {what}, two atoms are {found:.2f} A apart, less than {SHORTEST_A:g} A: remove "
            "the overlap."
        )
