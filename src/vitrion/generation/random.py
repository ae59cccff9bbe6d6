"""Random crystals with symmetry, by PyXtal."""

from __future__ import annotations

import logging
import warnings
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.formulas import parse_composition
from vitrion.errors import InputError
from vitrion.generation.candidate import (
    Candidate,
    Origin,
    StructureGenerator,
    check_formula_units,
    check_request,
    volume_per_atom,
)
from vitrion.generation.seeds import spawn_seeds

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

    from vitrion.chemistry.formulas import CompositionLike

TRIES = 200

LAST_OF_ORDER = (1, 9, 46, 74, 82, 122, 142, 146, 161, 167, 174, 190, 194, 199, 220, 230)
CLASS_ORDERS = (1, 2, 4, 8, 4, 8, 16, 3, 6, 12, 6, 12, 24, 12, 24, 48)
"""Last space groups of ranges whose crystal classes have the same number of operations, and that
number (International Tables A). pymatgen takes 10 s to make all space groups."""


@dataclass
class RandomGenerator(StructureGenerator):
    """Random atoms on the Wyckoff positions of a random space group.

    Attributes
    ----------
    formula_units : tuple of int
        Formula units in the primitive cell, used in turn.
    volume_per_atom_A3 : float or None
        Smaller cells from PyXtal are expanded to this volume; None estimates it.
    """

    formula_units: tuple[int, ...] = (1, 2, 3, 4)
    volume_per_atom_A3: float | None = None
    name = "random"

    def generate(self, composition: CompositionLike, n: int, seed: int) -> list[Candidate]:
        """Make ``n`` random crystals; see ``StructureGenerator``."""
        from importlib.metadata import version

        check_request(n, seed)
        units = check_formula_units(self.formula_units)
        formula = parse_composition(composition)
        volume = volume_per_atom(self.volume_per_atom_A3, formula)
        candidates = []
        for index, child in enumerate(spawn_seeds(seed, n)):
            count = units[index % len(units)]
            group, structure = random_crystal(formula * count, child)
            structure.scale_lattice(max(structure.volume, volume * len(structure)))
            origin = Origin(
                generator=self.name,
                seed=child,
                formula_units=count,
                model=f"PyXtal {version('pyxtal')}",
                details={"space_group_number": group},
            )
            candidates.append(Candidate(structure=structure, origin=origin))
        return candidates


def random_crystal(
    composition: Composition, seed: int, largest_order: int | None = None
) -> tuple[int, Structure]:
    """Put atoms on random Wyckoff positions of a random space group, by PyXtal.

    Parameters
    ----------
    composition : Composition
        Composition of the primitive cell.
    seed : int
    largest_order : int, optional
        Maximum number of operations of the crystal class.

    Returns
    -------
    (int, Structure)
        Number of the space group, drawn uniformly from the compatible ones, and the primitive cell
        at PyXtal's estimated volume.

    Raises
    ------
    InputError
        If PyXtal finds no crystal.
    """
    from pyxtal import pyxtal
    from pyxtal.symmetry import Group

    logging.getLogger("pyxtal").setLevel(logging.ERROR)
    rng = np.random.default_rng(seed)
    symbols = [element.symbol for element in composition]
    amounts = [round(composition[symbol]) for symbol in symbols]
    numbers = [n for n in range(2, 231) if largest_order is None or class_order(n) <= largest_order]
    for _ in range(TRIES):
        number = numbers[rng.integers(len(numbers))]
        group = Group(number)
        conventional = [amount * centering(group.symbol) for amount in amounts]
        if not group.check_compatible(conventional)[0]:
            continue
        crystal = pyxtal()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                crystal.from_random(3, number, symbols, conventional, random_state=rng, max_count=2)
        except Exception:
            continue
        if crystal.valid:
            structure = crystal.to_pymatgen().get_primitive_structure()
            if len(structure) == sum(amounts):
                return number, structure
    raise InputError(
        f"PyXtal found no crystal of {composition.formula} in {TRIES} tries: allow other numbers "
        "of formula units."
    )


def class_order(number: int) -> int:
    """Return the number of operations of the crystal class of a space group (48 for Fm-3m)."""
    return CLASS_ORDERS[bisect_left(LAST_OF_ORDER, number)]


def centering(symbol: str) -> int:
    """Return the number of primitive cells in the conventional cell of a space group."""
    return {"P": 1, "A": 2, "B": 2, "C": 2, "I": 2, "R": 3, "F": 4}[symbol[0]]
