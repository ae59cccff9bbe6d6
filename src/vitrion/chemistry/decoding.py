"""Decode structures from dictionaries and files without running foreign code.

monty's format names Python classes (``@module``, ``@class``), which its decoder imports and calls,
even from the properties of a site. Documents and files may be untrusted, so only the classes of
structures and trajectories are decoded.
"""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.errors import InputError
from vitrion.runtime.text_files import parse_yaml, read_text

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
"""Allowed classes by module."""
_MARKS = ("@module", "@class", "@callable", "@bound")
_MONTY_FILES = ("*.json*", "*.mson*", "*.yaml*", "*.yml*")
_MAX_DEPTH = 100
_NUMBERS = re.compile(r"(bool|u?int|float|complex)\d*")  # other types may need any memory


def check_classes(content: Any, depth: int = 0) -> None:
    """Check that content names only classes that belong to a structure.

    Parameters
    ----------
    content
        Plain dictionaries and lists.
    depth
        Nesting level; at most 100, as in MongoDB.

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
    is_known = isinstance(name, str) and name in KNOWN_CLASSES.get(str(module), frozenset())
    if not is_known or "@callable" in content or "@bound" in content:
        named = f"{module}.{content.get('@callable', name)}"
        raise InputError(
            f"The content names {named!r}, which is not part of a structure and is not loaded: "
            "remove it from the site properties."
        )
    if module == "numpy" and not _NUMBERS.fullmatch(str(content.get("dtype"))):
        raise InputError(
            f"The content has an array of type {str(content.get('dtype'))[:50]!r}, which is not "
            "loaded: store numbers or flags."
        )


def structure_from_dict(content: dict) -> Structure:
    """Return the structure described by a pymatgen dictionary.

    Raises
    ------
    InputError
        If it names a class that is not part of a structure, or does not describe a structure.
    """
    from pymatgen.core import Structure

    check_classes(content)
    try:
        return Structure.from_dict(content)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"The dictionary is not a pymatgen Structure ({error!r}).") from error


def as_structure(value: Any) -> Any:
    """Convert a dictionary to a structure and return other values unchanged; for pydantic."""
    return structure_from_dict(value) if isinstance(value, dict) else value


def structure_from_file(path: str | os.PathLike[str]) -> Structure:
    """Read a structure from a file in any format that pymatgen supports.

    Raises
    ------
    InputError
        If a JSON or YAML file names a class that is not part of a structure.
    """
    from pymatgen.core import Structure

    name = Path(path).name.lower()
    if any(fnmatch.fnmatch(name, pattern) for pattern in _MONTY_FILES):
        content = _load(Path(path))
        if not isinstance(content, dict):
            raise InputError(f"{path} does not contain a pymatgen Structure.")
        return structure_from_dict(content)
    return Structure.from_file(Path(path))


def load_json(path: str | os.PathLike[str]) -> Any:
    """Return the content of a JSON file, with structures and trajectories decoded.

    Raises
    ------
    InputError
        If it names a class that is not part of a structure or trajectory.
    """
    from monty.json import MontyDecoder

    content = _load(Path(path))
    check_classes(content)
    return MontyDecoder().process_decoded(content)


def _load(path: Path) -> Any:
    from monty.io import zopen

    remedy = "convert it to a format that is read frame by frame, such as extended XYZ"
    text = read_text(path, opener=zopen, remedy=remedy)
    try:
        if not fnmatch.fnmatch(path.name.lower(), "*.y*ml*"):
            return json.loads(text)
        return parse_yaml(text)
    except RecursionError as error:
        raise InputError(f"{path} is nested in too many levels.") from error
