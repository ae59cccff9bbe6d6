"""The volume at which a glass is packed when none is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Composition

MELT_EXPANSION = 1.35
"""Volume of the packed cell over that of the crystal. Alkali halides at their melting point have
1.39 (NaCl: 1.556 g/cm3 against 2.16) to 1.46 (LiF: 1.81 against 2.64) times the volume of the cold
crystal (Janz, Molten Salts Handbook, 1967). LiPO2F2 comes to 15.1 A3/atom; 13.5 was measured
1.6 GPa too dense with CHGNet at 300 K."""

DENSEST, LOOSEST = 0.6, 4.0
"""Range of packed volumes that is accepted, in units of the default volume."""


def default_volume_per_atom(composition: Composition) -> float:
    """Return the volume per atom at which a composition is packed by default, in A3."""
    return MELT_EXPANSION * crystal_volume_per_atom(composition)


def check_volume_per_atom(composition: Composition, volume_per_atom: float) -> None:
    """Refuse a volume per atom (A3) at which no liquid of this composition can exist.

    Raises
    ------
    InputError
        If it lies outside 0.6 to 4 times the default.
    """
    default = default_volume_per_atom(composition)
    if not DENSEST * default <= volume_per_atom <= LOOSEST * default:
        raise InputError(
            f"A volume of {volume_per_atom:g} A3 per atom is absurd for "
            f"{composition.reduced_formula}: give {DENSEST * default:.1f} to "
            f"{LOOSEST * default:.1f}, or none for {default:.1f}."
        )
