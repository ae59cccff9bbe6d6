"""Crystals of one composition in other packings, relaxed by the student.

A crystal search finds the lowest minima of the student, true or spurious. Labels at minima of the
student remove the spurious ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.distill.data.frames import plain_cell, reduced_formula
from vitrion.distill.data.relaxed_cells import relaxed_cell
from vitrion.distill.sample.sampling import collapsed, strained_and_rattled
from vitrion.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from ase.calculators.calculator import Calculator

MOST_ATOMS = 26
_FEWEST_A3, _MOST_A3 = 4.0, 40.0


def candidates(formula: str, count: int, seed: int) -> list[Atoms]:
    """Return random symmetric crystals and crystals of known structure types, at most half each.

    Cells above ``MOST_ATOMS`` atoms are skipped to limit the cost of labels.
    """
    from pymatgen.core import Composition

    from vitrion.generation import RandomGenerator, SubstitutionGenerator

    size = round(Composition(formula).reduced_composition.num_atoms)
    units = tuple(n for n in (1, 2, 3, 4) if n * size <= MOST_ATOMS)
    found = []
    for generator, number in (
        (SubstitutionGenerator(most_atoms=MOST_ATOMS), count // 2),
        (RandomGenerator(formula_units=units), count - count // 2),
    ):
        try:
            made = generator.generate(formula, number, seed) if number else []
        except InputError:  # no structure type or space group fits
            continue
        found += [AseAtomsAdaptor.get_atoms(candidate.structure) for candidate in made]
    return [plain_cell(atoms) for atoms in found]


def polymorph_family(
    calculator: Calculator, atoms: Atoms, rng: np.random.Generator, steps: int = 120
) -> list[Atoms]:
    """Relax a candidate with its cell; return the minimum and a strained, rattled copy of it.

    The result is empty if it collapses or evaporates.
    """
    name = reduced_formula(atoms)
    minimum = relaxed_cell(atoms, calculator, fmax_eV_per_A=0.05, steps=steps)
    volume = minimum.get_volume() / len(minimum)
    if not _FEWEST_A3 < volume < _MOST_A3 or collapsed(minimum):
        return []
    shaken = strained_and_rattled(minimum, rng, 0.03, float(rng.choice([0.05, 0.12])))
    frames = [plain_cell(minimum), plain_cell(shaken)]
    for frame, stage in zip(frames, ("minimum", "shaken"), strict=True):
        frame.info = {"config_type": f"polymorph:{name}:{stage}"}
    return frames
