"""Default volume of the packed cell of a glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry.formulas import usual_formula
from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

MELT_EXPANSION = 1.35
"""Volume of the packed cell over the volume of the crystal. Alkali halides at their melting point
have 1.39 (NaCl: 1.556 g/cm3 against 2.16) to 1.46 (LiF: 1.81 against 2.64) times the volume of the
cold crystal (Janz, Molten Salts Handbook, 1967). LiPO2F2 has 15.1 A3/atom; 13.5 A3/atom gave a
pressure of 1.6 GPa with CHGNet at 300 K."""

DENSEST, LOOSEST = 0.6, 4.0
"""Accepted range of packed volumes in units of the default volume."""


def default_volume_per_atom(composition: Composition) -> float:
    """Return the default packed volume per atom of a composition in A3."""
    return MELT_EXPANSION * crystal_volume_per_atom(composition)


def check_volume_per_atom(composition: Composition, volume_per_atom: float) -> None:
    """Reject a volume per atom (A3) outside the range of liquids of this composition.

    Raises
    ------
    InputError
        If it lies outside 0.6 to 4 times the default.
    """
    default = default_volume_per_atom(composition)
    if not DENSEST * default <= volume_per_atom <= LOOSEST * default:
        raise InputError(
            f"Volume {volume_per_atom:g} A3 per atom is outside {DENSEST * default:.1f} to "
            f"{LOOSEST * default:.1f} A3 for {usual_formula(composition)}: omit it for the "
            f"default of {default:.1f} A3."
        )
