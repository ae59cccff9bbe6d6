"""What every step asks of a structure before it works on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure


def check_ordered(structure: Structure, name: str = "The structure") -> Structure:
    """Return a structure all of whose sites hold one atom each.

    Raises
    ------
    InputError
        If sites are shared or partly empty; ``name`` begins the sentence.
    """
    if not structure.is_ordered:
        raise InputError(
            f"{name} has partial occupancies: order it first, for instance with "
            "pymatgen's OrderDisorderedStructureTransformation."
        )
    return structure


def without_site_properties(structure: Structure) -> Structure:
    """Return a copy whose sites carry no properties.

    What a file or an earlier job has left on the sites does not belong to the material: atoms that
    are held fixed, velocities, forces. (``structure.copy(site_properties={})`` keeps it all.)
    """
    plain = structure.copy()
    for name in plain.site_properties:
        plain.remove_site_property(name)
    return plain
