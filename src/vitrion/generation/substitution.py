"""Known structure types with substituted elements."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import permutations
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.errors import InputError
from vitrion.generation.candidate import (
    Candidate,
    Origin,
    StructureGenerator,
    check_request,
    volume_per_atom,
)
from vitrion.generation.hosts import repeat_shortest
from vitrion.generation.seeds import spawn_seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pymatgen.core import Composition, Structure

    from vitrion.chemistry.formulas import CompositionLike

ANION_ELECTRONEGATIVITY = 2.56
"""Elements above it count as anions, which may share the sites of one anion."""


@dataclass
class SubstitutionGenerator(StructureGenerator):
    """Prototypes of the AFLOW library (bundled with pymatgen), substituted with the composition.

    A prototype matches if its species can be mapped to the elements, or to groups of anions that
    share the sites of one species (LiPO2F2 in an ABX4 type); shared sites are filled at random.
    The cell is scaled to the estimated volume of the composition.

    Attributes
    ----------
    most_atoms : int
        Maximum number of atoms in the cell.
    volume_per_atom_A3 : float or None
        Volume per atom; None estimates it.
    """

    most_atoms: int = 48
    volume_per_atom_A3: float | None = None
    name = "substitution"

    def generate(self, composition: CompositionLike, n: int, seed: int) -> list[Candidate]:
        """Make up to ``n`` substituted prototypes; see ``StructureGenerator``."""
        check_request(n, seed)
        formula = parse_composition(composition)
        volume = volume_per_atom(self.volume_per_atom_A3, formula)
        fits = [
            (label, cell, groups)
            for index, (label, prototype) in enumerate(_prototypes())
            if _has_ratios(formula, prototype.composition)
            for cell in [_primitive_cell(index)]
            for groups in _assignments(formula, cell, self.most_atoms)
        ]
        if not fits:
            raise InputError(
                f"No prototype matches {usual_formula(formula)}: use another generator, or "
                "structure files."
            )
        order = np.random.default_rng(seed).permutation(len(fits))
        candidates: list[Candidate] = []
        for turn, child in enumerate(spawn_seeds(seed, n)):
            label, cell, groups = fits[order[turn % len(order)]]
            if turn >= len(order) and not any(len(group) > 1 for group in groups.values()):
                continue  # without shared sites it would repeat the same structure
            structure = _fill(formula, cell, groups, child)
            structure.scale_lattice(volume * len(structure))
            origin = Origin(
                generator=self.name,
                seed=child,
                formula_units=round(len(structure) / formula.num_atoms),
                parent=label,
                details={"sites": {old: "/".join(new) for old, new in groups.items()}},
            )
            candidates.append(Candidate(structure=structure, origin=origin))
        return candidates


@lru_cache(maxsize=1)
def _prototypes() -> tuple[tuple[str, Structure], ...]:
    """Return label and structure of each ordered prototype.

    They are read from pymatgen's file, because its module takes seconds to parse their references.
    """
    from monty.io import zopen
    from pymatgen.core import Structure

    module = find_spec("pymatgen.analysis.prototypes")
    assert module is not None
    assert module.origin is not None
    (path,) = Path(module.origin).parent.glob("aflow_prototypes.json*")
    with zopen(path, "rt", encoding="utf-8") as file:
        entries = json.load(file)
    made = ((entry["tags"], Structure.from_dict(entry["snl"])) for entry in entries)
    return tuple(
        (f"{tags['aflow']} ({tags['mineral']})", structure)
        for tags, structure in made
        if structure.is_ordered
    )


@cache
def _primitive_cell(index: int) -> Structure:
    """Return the primitive cell of a prototype; all of them would take seconds."""
    return _prototypes()[index][1].get_primitive_structure()


def _has_ratios(formula: Composition, prototype: Composition) -> bool:
    """Whether the species of a prototype have the ratios of elements or groups of anions."""
    wanted = _ratios(prototype.values())
    return any(
        _ratios(sum(formula[el] for el in group) for group in groups) == wanted
        for groups in _groupings(formula, len(prototype))
    )


def _ratios(amounts: Iterable[float]) -> list[int]:
    """Return integer amounts in ascending order without their common divisor."""
    whole = sorted(round(amount) for amount in amounts)
    divisor = gcd(*whole)
    return [amount // divisor for amount in whole]


def _assignments(
    formula: Composition, cell: Structure, most_atoms: int
) -> Iterator[dict[str, tuple[str, ...]]]:
    """Yield maps from each species of a prototype to the elements on its sites."""
    if len(cell) > most_atoms:
        return
    amounts = {element.symbol: round(count) for element, count in cell.composition.items()}
    n_formula = round(formula.num_atoms)
    repeat = n_formula // gcd(len(cell), n_formula)
    if len(cell) * repeat > most_atoms:
        return
    units = len(cell) * repeat // n_formula
    for groups in _groupings(formula, len(amounts)):
        totals = [round(sum(formula[el] for el in group)) * units for group in groups]
        if sorted(totals) != sorted(count * repeat for count in amounts.values()):
            continue
        for order in permutations(range(len(groups))):
            chosen = dict(zip(amounts, order, strict=True))
            if all(totals[chosen[old]] == amounts[old] * repeat for old in amounts):
                yield {old: groups[index] for old, index in chosen.items()}


def _groupings(formula: Composition, n_groups: int) -> list[list[tuple[str, ...]]]:
    """Return the partitions of the elements into groups in which only anions are joined."""
    anions = [el.symbol for el in formula if ANION_ELECTRONEGATIVITY < el.X]
    others = [(el.symbol,) for el in formula if el.symbol not in anions]
    wanted = n_groups - len(others)
    return [[*others, *parts] for parts in _partitions(tuple(anions)) if len(parts) == wanted]


def _partitions(items: tuple[str, ...]) -> list[list[tuple[str, ...]]]:
    if not items:
        return [[]]
    first, rest = items[0], items[1:]
    found = []
    for parts in _partitions(rest):
        found.append([(first,), *parts])
        for index, part in enumerate(parts):
            found.append([*parts[:index], (first, *part), *parts[index + 1 :]])
    return found


def _fill(
    formula: Composition, cell: Structure, groups: dict[str, tuple[str, ...]], seed: int
) -> Structure:
    """Put the elements on the sites; repeat the cell along its shortest axis if needed."""
    n_formula = round(formula.num_atoms)
    repeat = n_formula // gcd(len(cell), n_formula)
    filled = repeat_shortest(cell, repeat) if repeat > 1 else cell
    units = len(filled) // n_formula
    rng = np.random.default_rng(seed)
    symbols = [""] * len(filled)
    for old, elements in groups.items():
        sites = [i for i, site in enumerate(filled) if site.specie.symbol == old]
        new = [el for el in elements for _ in range(round(formula[el]) * units)]
        for site, element in zip(sites, rng.permutation(new).tolist(), strict=True):
            symbols[site] = element
    return type(filled)(filled.lattice, symbols, filled.frac_coords)
