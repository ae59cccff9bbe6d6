"""Settings in YAML: the presets of a package, and files of a user that may name a preset."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from vitrion.errors import InputError
from vitrion.runtime.text_files import read_settings, reading_fault

if TYPE_CHECKING:
    from pathlib import Path

PRESET_KEY = "preset"
"""Key in a file that names its preset."""


def read_settings_file(path: Path, kind: str) -> tuple[dict[str, Any], str | None]:
    """Read a settings file: any part of the settings in YAML, and ``preset`` for the rest.

    Parameters
    ----------
    path : Path
    kind : str
        What the file is, for the messages: ``recipe`` or ``settings``.

    Returns
    -------
    dict, str or None
        Nested values in the file, and the name of its preset.

    Raises
    ------
    InputError
        If the file cannot be read, or is not a mapping.
    """
    try:
        content = read_settings(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(f"The {kind} {path} cannot be read: {reading_fault(error)}.") from error
    if not isinstance(content, dict):
        raise InputError(f"The {kind} {path} must contain 'name: value' lines in YAML.")
    preset = content.pop(PRESET_KEY, None)
    return content, preset


@dataclass(frozen=True)
class Presets:
    """Presets of settings: YAML files in the folder ``presets`` of a package.

    Attributes
    ----------
    package : str
    section, key : str
        Setting whose value orders the presets, the smallest first.
    """

    package: str
    section: str
    key: str

    def names(self) -> list[str]:
        """Return the names of the presets, the smallest first."""
        folder = files(self.package) / "presets"
        names = [path.name.removesuffix(".yaml") for path in folder.iterdir()]
        return sorted(names, key=lambda name: self.values(name)[self.section][self.key])

    def values(self, name: str) -> dict[str, Any]:
        """Return the nested values of a preset.

        Raises
        ------
        InputError
            If the preset does not exist.
        """
        file = files(self.package) / "presets" / f"{name}.yaml"
        if not str(name).isidentifier() or not file.is_file():
            raise InputError(f"Unknown preset '{name}': use one of {', '.join(self.names())}.")
        return dict(yaml.safe_load(file.read_text()))
