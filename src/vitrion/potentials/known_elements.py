"""Which potentials know the elements of a composition, and what to do if one does not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vitrion.errors import InputError
from vitrion.potentials.registry import list_potentials
from vitrion.potentials.student import SHIPPED_STUDENTS
from vitrion.runtime.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vitrion.potentials.spec import PotentialSpec

GENERAL_POTENTIAL = "chgnet"
TIMES_SLOWER = 80
"""Time of a step with CHGNet over the time with a student: 82 to 83 in dynamics of 64 to 256 atoms
of Na3PS4 on one core with AVX2."""

DISTILL_S = 1800.0
"""Time of ``vitrion distill`` on two cores in s, by its plan, with cells of ``DISTILL_ATOMS``."""

DISTILL_ATOMS = 40
"""Atoms of the packed cells of a distillation; more if a formula unit has more."""


def check_elements(spec: PotentialSpec, symbols: Iterable[str], formula: str | None = None) -> None:
    """Refuse elements that the potential was not trained on.

    Parameters
    ----------
    spec
        The potential.
    symbols
        Elements.
    formula
        Composition for the advice in the error; None for the elements.

    Raises
    ------
    InputError
        If the potential states its elements and one of ``symbols`` is not among them; the error
        names potentials that know them.
    """
    if spec.elements is None:
        return
    symbols = set(symbols)
    unknown = sorted(symbols - set(spec.elements))
    if unknown:
        raise InputError(
            f"The potential '{spec.name}' does not know {', '.join(unknown)}: "
            f"{_advice(symbols, formula, 'it' if len(unknown) == 1 else 'them')}."
        )


def knowing(symbols: Iterable[str]) -> list[PotentialSpec]:
    """Return the potentials that need no download and know all of these elements."""
    wanted = set(symbols)
    return [spec for spec in list_potentials() if wanted <= set(spec.elements or ())]


def lacking(spec: PotentialSpec, symbols: Iterable[str]) -> list[str] | None:
    """Return the elements that a potential does not know; None if it does not state its own."""
    return None if spec.elements is None else sorted(set(symbols) - set(spec.elements))


def distill_seconds(formula: str | None) -> float:
    """Return the approximate time of ``vitrion distill`` for a composition on two cores in s.

    Cells hold whole formula units. The plan of the distillation considers ions, too.
    """
    from pymatgen.core import Composition

    atoms = Composition(formula).num_atoms if formula else 1.0
    return DISTILL_S * math.ceil(DISTILL_ATOMS / atoms) * atoms / DISTILL_ATOMS


def _advice(symbols: set[str], formula: str | None, unknown: str) -> str:
    names = [spec.name for spec in knowing(symbols)]
    students = [name for name in names if name in SHIPPED_STUDENTS or name[:6] != "chgnet"]
    if students:
        return f"--potential {students[0]} knows {unknown}"
    if GENERAL_POTENTIAL not in names:
        return f"no potential of 'vitrion potential list' knows {unknown}, so name a MACE model"
    return (
        f"--potential {GENERAL_POTENTIAL} knows {unknown}, about {TIMES_SLOWER} times slower; "
        f"vitrion distill {formula or 'FORMULA'} makes a fast one in about "
        f"{duration_text(distill_seconds(formula))}"
    )
