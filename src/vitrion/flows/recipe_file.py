"""Recipe files: the presets of the package, and files of the user."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from vitrion.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

PRESET_KEY = "preset"
"""Key in a recipe file that names its preset."""


def preset_names() -> list[str]:
    """Return the names of the presets, the smallest first."""
    names = [path.name.removesuffix(".yaml") for path in _preset_folder().iterdir()]
    return sorted(names, key=lambda name: preset_values(name)["glass"]["n_atoms"])


def preset_values(name: str) -> dict[str, Any]:
    """Return the nested values of a preset.

    Raises
    ------
    InputError
        If the preset does not exist.
    """
    file = _preset_folder() / f"{name}.yaml"
    if not str(name).isidentifier() or not file.is_file():
        raise InputError(f"Unknown preset '{name}': use one of {', '.join(preset_names())}.")
    return dict(yaml.safe_load(file.read_text()))


def _preset_folder() -> Any:
    return files("vitrion.flows") / "presets"


def read_recipe_file(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read a recipe file: any part of a recipe in YAML, and ``preset`` for the rest.

    Returns
    -------
    dict, str or None
        Values in the file, and the name of its preset.

    Raises
    ------
    InputError
        If the file cannot be read, or is not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"The recipe {path} cannot be read: {reason}.") from error
    if not isinstance(content, dict):
        raise InputError(f"The recipe {path} must contain 'name: value' lines in YAML.")
    preset = content.pop(PRESET_KEY, None)
    crystal = content.get("crystal")
    if isinstance(crystal, str) and (path.parent / crystal).is_file():
        content["crystal"] = str(path.parent / crystal)
    return content, preset
