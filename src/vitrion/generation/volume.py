"""The volume a crystal of a composition is expected to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Composition


def estimated_volume_per_atom(formula: Composition) -> float:
    """Return the volume per atom expected of a crystal, in A3, from ionic increments."""
    from vitrion.amorphous.volume import crystal_volume_per_atom

    return crystal_volume_per_atom(formula)
