"""Recipe files: the presets of the package, and files of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from vitrion.errors import InputError
from vitrion.runtime.preset_files import read_preset, sort_presets

if TYPE_CHECKING:
    from pathlib import Path

PRESET_KEY = "preset"
"""Key in a recipe file that names its preset."""

PACKAGE, ORDER = "vitrion.flows", ("glass", "n_atoms")
"""Package of the presets, and the setting that orders them."""


def preset_names() -> list[str]:
    """Return the names of the presets, the smallest first."""
    return sort_presets(PACKAGE, ORDER)


def preset_values(name: str) -> dict[str, Any]:
    """Return the nested values of a preset; see :func:`read_preset`."""
    return read_preset(PACKAGE, name, ORDER)


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
