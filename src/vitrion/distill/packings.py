"""Energies of other packings of a known crystal, compared with the teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.frames import ENERGY
from vitrion.distill.repackings import candidates, polymorph_family
from vitrion.distill.validation import relaxed_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

FORMULAS = ("LiF", "Li2O", "Li2CO3", "Li3PO4")


def packing_frames(calculator: Calculator, seed: int, count: int) -> list[Atoms]:
    """Return each known crystal at its minimum, and the minima of ``count`` candidates of it.

    All are to be labelled; ``info`` holds ``packing`` (the formula) and ``known``.
    """
    rng = np.random.default_rng(seed)
    crystals = known_crystals()
    frames = []
    for formula in FORMULAS:
        minima = [relaxed_cell(crystals[formula], calculator, steps=150)]
        for candidate in candidates(formula, count, seed):
            minima += polymorph_family(calculator, candidate, rng)[:1]
        for number, atoms in enumerate(minima):
            atoms.info = {"packing": formula, "known": number == 0}
        frames += minima
    return frames


def packing_errors(
    labelled: Sequence[Atoms], calculator: Calculator
) -> list[dict[str, float | str]]:
    """Compare energies above the known crystal, meV/atom, at the student's minima.

    Returns
    -------
    list of dict
        For each formula: ``n``; the lowest packing's energy above the known crystal by the student
        and by the teacher (NaN if no packing was found); ``rms_difference`` of the two over the
        packings at most 500 meV/atom above (NaN if there is none); ``deepest_hole``, the most by
        which the student puts one of these too low.
    """
    found: list[dict[str, float | str]] = []
    for formula in FORMULAS:
        frames = [atoms for atoms in labelled if atoms.info["packing"] == formula]
        own = np.array([calculator.get_potential_energy(a) / len(a) for a in frames])
        teacher = np.array([a.info[ENERGY] / len(a) for a in frames])
        known = [bool(a.info["known"]) for a in frames].index(True)
        own, teacher = (1000 * np.delete(e - e[known], known) for e in (own, teacher))
        differences = (own - teacher)[teacher < 500]
        found.append(
            {
                "formula": formula,
                "n": len(own),
                "lowest_student": _lowest(own),
                "lowest_teacher": _lowest(teacher),
                "rms_difference": _rms(differences),
                "deepest_hole": float(differences.min(initial=0.0)),
            }
        )
    return found


def _lowest(values: np.ndarray) -> float:
    return float(values.min()) if len(values) else float("nan")


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")
