"""Checks and clean-up of input structures."""

from __future__ import annotations

import json
from functools import partial, wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.decoding import as_structure, structure_from_dict
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms
    from pymatgen.core import Structure


CLOSEST_A = 0.5
"""Distance in A below which two atoms overlap; the shortest bond, H2, has 0.74 A."""


def check_ordered(structure: Structure, name: str = "The structure") -> Structure:
    """Return the structure if every site holds exactly one atom.

    Raises
    ------
    InputError
        If sites have partial occupancies; ``name`` is the subject of the message.
    """
    if not structure.is_ordered:
        raise InputError(
            f"{name} has partial occupancies: order it first, for instance with "
            "pymatgen's OrderDisorderedStructureTransformation."
        )
    return structure


def check_apart(structure: Structure, name: str = "The structure") -> Structure:
    """Return the structure if no two atoms are closer than `CLOSEST_A`.

    Raises
    ------
    InputError
        If the cell has no volume, or atoms overlap, as in a file that lists symmetry copies of one
        site; ``name`` is the subject of the message.
    """
    if not structure.volume > 0:  # also not a number
        raise InputError(f"{name} has a cell without volume: give three independent vectors.")
    centers, points, _, distances = structure.get_neighbor_list(CLOSEST_A)
    if len(distances):
        k = int(distances.argmin())
        first, second = sorted((int(centers[k]), int(points[k])))
        labels = [f"{structure[i].species_string} {i + 1}" for i in (first, second)]
        raise InputError(
            f"{name} has atoms {distances[k]:.3f} A apart ({labels[0]} and {labels[1]}): remove "
            "one of them."
        )
    return structure


def without_site_properties(structure: Structure) -> Structure:
    """Return a copy without site properties.

    Site properties from a file or an earlier job, such as selective dynamics, velocities or forces,
    are not part of the material. (``structure.copy(site_properties={})`` keeps them.)
    """
    plain = structure.copy()
    for name in plain.site_properties:
        plain.remove_site_property(name)
    return plain


def structure_as_json(value: Any) -> Any:
    """Return a pymatgen Structure or ASE Atoms as JSON types, without site properties.

    Other values are returned unchanged; for pydantic.

    Raises
    ------
    InputError
        If a dictionary is not a structure, or names code.
    """
    value = pymatgen_structures(value)
    if isinstance(value, dict):
        structure_from_dict(value)
    if not hasattr(value, "frac_coords"):
        return value
    return json.loads(without_site_properties(value).to_json())


def from_atoms(atoms: Atoms) -> Structure:
    """Return ASE Atoms as a Structure, with their velocities (A/fs) if they have momenta.

    Raises
    ------
    InputError
        If they have no periodic cell.
    """
    from ase import units
    from pymatgen.core import Lattice, Structure

    if not all(atoms.pbc) or not atoms.cell.volume:
        raise InputError("The ASE Atoms have no periodic cell: set pbc and three lattice vectors.")
    moving = atoms.has("momenta") and atoms.get_momenta().any()
    return Structure(
        Lattice(atoms.cell.array),
        atoms.get_chemical_symbols(),
        atoms.get_scaled_positions(wrap=False),
        site_properties={"velocities": atoms.get_velocities() * units.fs} if moving else None,
    )


def takes_atoms(make: Callable[..., Any]) -> Callable[..., Any]:
    """Let a Maker's ``make`` take ASE Atoms and IStructures, or lists, in place of Structures."""

    @wraps(make)  # also the attributes by which jobflow knows the method of a job
    def made(self: Any, *args: Any, **kwargs: Any) -> Any:
        taken = {name: pymatgen_structures(value) for name, value in kwargs.items()}
        return make(self, *map(pymatgen_structures, args), **taken)

    return made


def takes_structure(make: Callable[..., Any]) -> Callable[..., Any]:
    """Check the structure given to a Maker's ``make``, its first argument.

    ASE Atoms, IStructures and stored structures (dictionaries) are converted; references to the
    output of other jobs are passed unchanged. An :class:`~vitrion.errors.InputError` is raised for
    any other object and for partial occupancies. Above ``@job`` it checks before a job is created,
    below it what references resolve to.
    """
    return _checking(make, partial(_checked, several=False))


def takes_structures(make: Callable[..., Any]) -> Callable[..., Any]:
    """Check one or several structures given to a ``make``; see :func:`takes_structure`."""
    return _checking(make, partial(_checked, several=True))


def takes_composition(make: Callable[..., Any]) -> Callable[..., Any]:
    """Check the composition given to a Maker's ``make``, and pass it on as a formula.

    References to the output of other jobs are passed unchanged.
    """
    return _checking(
        make,
        lambda value: value if _is_reference(value) else plain_formula(parse_composition(value)),
    )


def _checking(make: Callable[..., Any], checked: Callable[[Any], Any]) -> Callable[..., Any]:
    names = list(signature(make).parameters)
    place = names.index("self") + 1 if "self" in names else 0

    @wraps(make)  # also the attributes by which jobflow knows the method of a job
    def made(*args: Any, **kwargs: Any) -> Any:
        if len(args) > place:
            args = (*args[:place], checked(args[place]), *args[place + 1 :])
        elif names[place] in kwargs:
            kwargs[names[place]] = checked(kwargs[names[place]])
        return make(*args, **kwargs)

    return made


def _checked(value: Any, *, several: bool) -> Any:
    """Return one structure or a list of them; references unchanged."""
    from pymatgen.core import Structure

    value = as_structure(pymatgen_structures(value))
    if several and isinstance(value, (list, tuple)):
        if not value:
            raise InputError("The list of structures is empty: give at least one structure.")
        return [_checked(each, several=False) for each in value]
    if isinstance(value, Structure):
        return check_ordered(value)
    if _is_reference(value):
        return value
    if hasattr(value, "structure"):
        raise InputError(
            f"A {type(value).__name__} is not a structure: give its structure, of a job "
            "output.structure."
        )
    raise InputError(
        f"A {type(value).__name__} is not a structure: give a pymatgen Structure"
        + (", a list of them" if several else "")
        + " or ASE Atoms; Structure.from_file reads a file."
    )


def pymatgen_structures(value: Any) -> Any:
    """Return ASE Atoms and IStructures, or a list with some, as Structures; others unchanged."""
    if _is_atoms(value):
        return from_atoms(value)
    if _is_immutable(value):
        return structure_from_dict(value.as_dict())
    if isinstance(value, (list, tuple)) and any(_is_atoms(v) or _is_immutable(v) for v in value):
        return [pymatgen_structures(each) for each in value]
    return value


def _is_reference(value: Any) -> bool:
    return type(value).__name__ == "OutputReference"  # of jobflow


def _is_immutable(value: Any) -> bool:
    return type(value).__name__ == "IStructure"  # of pymatgen, which need not be imported


def _is_atoms(value: Any) -> bool:
    return any(base.__module__ == "ase.atoms" for base in type(value).__mro__)
