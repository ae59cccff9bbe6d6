"""Energies of other packings of a known crystal, compared with the teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.data.frames import ENERGY
from vitrion.distill.data.relaxed_cells import relaxed_cell
from vitrion.distill.sample.repackings import candidates, polymorph_family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

FORMULAS = ("LiF", "Li2O", "Li2CO3", "Li3PO4")


def packing_frames(calculator: Calculator, seed: int, count: int) -> list[Atoms]:
    """Return each known crystal at its minimum, and the minima of ``count`` candidates of it.

    The frames need labels; ``info`` contains ``packing`` (the formula) and ``known``.
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
        For each formula: ``n``; the energy of the lowest packing above the known crystal by the
        student and by the teacher (NaN without packings); ``rms_difference`` of the two over the
        packings up to 500 meV/atom above (NaN without any); ``lowest_difference``, the most
        negative error of the student among these.
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
                "lowest_difference": float(differences.min(initial=0.0)),
            }
        )
    return found


def _lowest(values: np.ndarray) -> float:
    return float(values.min()) if len(values) else float("nan")


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")
