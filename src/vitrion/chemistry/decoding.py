"""Structures from dictionaries and files, without running what these name.

monty's format names Python classes (``@module``, ``@class``), which its decoder imports and calls,
even from the properties of a site. Documents and files come from other people, so only the classes
that a structure or a trajectory consists of are decoded.
"""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.errors import InputError

if TYPE_CHECKING:
    import os

    from pymatgen.core import Structure

_SPECIES = frozenset({"Species", "Specie", "DummySpecies", "DummySpecie", "Element"})
KNOWN_CLASSES: dict[str, frozenset[str]] = {
    "numpy": frozenset({"array", "generic"}),
    "datetime": frozenset({"datetime"}),
    "pymatgen.core.structure": frozenset({"Structure", "IStructure"}),
    "pymatgen.core.sites": frozenset({"Site", "PeriodicSite"}),
    "pymatgen.core.lattice": frozenset({"Lattice"}),
    "pymatgen.core.composition": frozenset({"Composition"}),
    "pymatgen.core.periodic_table": _SPECIES,
    "pymatgen.core.species": _SPECIES,
    "pymatgen.core.trajectory": frozenset({"Trajectory"}),
    "pymatgen.electronic_structure.core": frozenset({"Magmom", "Spin"}),
}
"""The classes that are decoded, by module."""
_MARKS = ("@module", "@class", "@callable", "@bound")
_MONTY_FILES = ("*.json*", "*.mson*", "*.yaml*", "*.yml*")
_MAX_DEPTH = 100


def check_classes(content: Any, depth: int = 0) -> None:
    """Refuse content that names a class which is no part of a structure.

    Parameters
    ----------
    content
        Plain dictionaries and lists.
    depth
        Level of nesting; 100 at most, as in MongoDB.

    Raises
    ------
    InputError
        If it names another class or any function, or is nested too deeply.
    """
    if depth > _MAX_DEPTH:
        raise InputError(f"The content is nested in more than {_MAX_DEPTH} levels.")
    if isinstance(content, dict):
        if any(mark in content for mark in _MARKS):
            _check_named(content)
        for value in content.values():
            if isinstance(value, (dict, list)):
                check_classes(value, depth + 1)
    elif isinstance(content, list):
        for value in content:
            if isinstance(value, (dict, list)):
                check_classes(value, depth + 1)


def _check_named(content: dict) -> None:
    module, name = content.get("@module"), content.get("@class")
    known = KNOWN_CLASSES.get(module, frozenset()) if isinstance(module, str) else frozenset()
    if name not in known or "@callable" in content or "@bound" in content:
        named = f"{module}.{content.get('@callable', name)}"
        raise InputError(
            f"The content names {named!r}, which is no part of a structure and is not loaded: "
            "remove it from the site properties."
        )


def structure_from_dict(content: dict) -> Structure:
    """Return the structure that a dictionary of pymatgen describes.

    Raises
    ------
    InputError
        If it names a class that is no part of a structure, or describes none.
    """
    from pymatgen.core import Structure

    check_classes(content)
    try:
        return Structure.from_dict(content)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"A dictionary describes no pymatgen Structure ({error!r}).") from error


def as_structure(value: Any) -> Any:
    """Return a structure for its dictionary, and anything else as it is; for pydantic."""
    return structure_from_dict(value) if isinstance(value, dict) else value


def structure_from_file(path: str | os.PathLike[str]) -> Structure:
    """Read a structure from a file of any format that pymatgen knows.

    Raises
    ------
    InputError
        If a JSON or YAML file names a class that is no part of a structure.
    """
    from pymatgen.core import Structure

    name = Path(path).name.lower()
    if any(fnmatch.fnmatch(name, pattern) for pattern in _MONTY_FILES):
        content = _load(Path(path))
        if not isinstance(content, dict):
            raise InputError(f"{path} describes no pymatgen Structure.")
        return structure_from_dict(content)
    return Structure.from_file(Path(path))


def load_json(path: str | os.PathLike[str]) -> Any:
    """Return what a JSON file holds, with structures and trajectories in place of dictionaries.

    Raises
    ------
    InputError
        If it names a class that is no part of one.
    """
    from monty.json import MontyDecoder

    content = _load(Path(path))
    check_classes(content)
    return MontyDecoder().process_decoded(content)


def _load(path: Path) -> Any:
    from monty.io import zopen

    with zopen(path, "rt", encoding="utf-8") as handle:
        text = handle.read()
    if fnmatch.fnmatch(path.name.lower(), "*.y*ml*"):
        import yaml

        return yaml.safe_load(text)
    return json.loads(text)
