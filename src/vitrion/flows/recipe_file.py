"""Recipe files: the presets of the package, and files of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.runtime.preset_files import Presets, read_settings_file

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = Presets("vitrion.flows", "glass", "n_atoms")
"""Presets of recipes."""


def read_recipe_file(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read a recipe file; relative paths of structure files start at the folder of the recipe.

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
    if "crystal" in content:
        content["crystal"] = _beside(path, content["crystal"])
    search = content.get("search")
    if isinstance(search, dict) and isinstance(search.get("files"), list):
        search["files"] = [_beside(path, file) for file in search["files"]]
    return content, preset


def _beside(path: Path, value: Any) -> Any:
    """Return the path of a file in the folder of a recipe, or the value if it is not one."""
    if isinstance(value, str) and (path.parent / value).is_file():
        return str(path.parent / value)
    return value
