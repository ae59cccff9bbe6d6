"""Presets of settings: YAML files in a folder ``presets`` of a package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from vitrion.errors import InputError


def read_preset(package: str, name: str, order: tuple[str, str]) -> dict[str, Any]:
    """Return the nested values of a preset.

    Parameters
    ----------
    package, name : str
    order : tuple of str
        Section and key whose value orders the names in the message.

    Raises
    ------
    InputError
        If the preset does not exist.
    """
    file = files(package) / "presets" / f"{name}.yaml"
    if not str(name).isidentifier() or not file.is_file():
        known = ", ".join(sort_presets(package, order))
        raise InputError(f"Unknown preset '{name}': use one of {known}.")
    return dict(yaml.safe_load(file.read_text()))


def sort_presets(package: str, order: tuple[str, str]) -> list[str]:
    """Return the names of the presets, by increasing value of a key of a section."""
    section, key = order
    names = [path.name.removesuffix(".yaml") for path in (files(package) / "presets").iterdir()]
    return sorted(names, key=lambda name: read_preset(package, name, order)[section][key])
