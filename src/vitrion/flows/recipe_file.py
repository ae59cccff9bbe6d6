"""Recipe files: the presets of the package, and files of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.runtime.preset_files import Presets, read_settings_file

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = Presets("vitrion.flows", "glass", "n_atoms")
"""Presets of recipes."""


def read_recipe_file(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read a recipe file; a relative path of a crystal file starts at the folder of the recipe.

    Returns
    -------
    dict, str or None
        Values in the file, and the name of its preset.

    Raises
    ------
    InputError
        If the file cannot be read, or is not a mapping.
    """
    content, preset = read_settings_file(path, "recipe")
    crystal = content.get("crystal")
    if isinstance(crystal, str) and (path.parent / crystal).is_file():
        content["crystal"] = str(path.parent / crystal)
    return content, preset
