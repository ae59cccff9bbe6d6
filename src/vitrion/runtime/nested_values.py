"""Nested values of settings from recipe files and command lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_origin

import yaml

from vitrion.errors import InputError, SettingError
from vitrion.runtime.settings_model import SettingsModel, section_of, unknown_setting
from vitrion.runtime.text_files import MOST_SETTINGS, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

ABSENT = object()
"""Returned by :func:`lookup` for an absent name."""


def check_names(
    values: Mapping[str, Any], model: type[SettingsModel], known: Iterable[str], section: str = ""
) -> None:
    """Refuse unknown names of settings.

    Parameters
    ----------
    values : dict
        Nested values.
    model : type
        Model of the settings.
    known : iterable of str
        Dotted names of all settings, for the message.
    section : str
        Dotted name of the section of the values, with a trailing dot.

    Raises
    ------
    SettingError
        If a name is unknown; the error lists the nearest names.
    """
    for name, value in values.items():
        field = model.model_fields.get(str(name))
        if field is None:
            raise unknown_setting(f"{section}{name}", known)
        inner = section_of(field)
        if inner is None or value is None or isinstance(value, SettingsModel):
            continue
        if not isinstance(value, dict):
            raise SettingError(
                f"{section}{name}", f"is {value!r}, but must be a section of settings."
            )
        check_names(value, inner, known, f"{section}{name}.")


def merge(
    values: Mapping[str, Any], changes: Mapping[str, Any], model: type[SettingsModel]
) -> dict[str, Any]:
    """Return nested values with changes; sections are merged, other values are replaced."""
    merged = dict(values)
    for name, value in changes.items():
        field = model.model_fields.get(name)
        inner = None if field is None else section_of(field)
        if inner is not None and isinstance(value, dict):
            before = merged.get(name)
            value = merge(before if isinstance(before, dict) else {}, value, inner)
        merged[name] = value
    return merged


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return ``{"glass": {"n_atoms": 48}}`` of ``glass.n_atoms`` and 48."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def lookup(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted name, or ABSENT."""
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return ABSENT
        found = found[part]
    return found


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with settings models as dictionaries of their explicitly set fields."""
    return {
        name: value.model_dump(mode="json", exclude_unset=True)
        if isinstance(value, SettingsModel)
        else plain_values(value)
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }


def parse_setting(
    text: str, model: type[SettingsModel], known: Mapping[str, FieldInfo], example: str
) -> dict[str, Any]:
    """Return the nested values of ``name=value``; a list may be written as ``600,750``.

    Parameters
    ----------
    text : str
        The value is read as YAML.
    model : type
        Model of the settings.
    known : dict of str to FieldInfo
        Settings that may be set, by dotted name.
    example : str
        Shown if the text is malformed.

    Raises
    ------
    InputError
        If the text is malformed, or the name is unknown.
    """
    name, found, value = (part.strip() for part in text.partition("="))
    if not (name and found):
        raise InputError(f"'{text}' is not a setting: write name=value, such as {example}.")
    if name not in known:
        check_names(nested(name, None), model, known)
        return nested(name, value)  # derived: refused by the model with the source's name
    try:
        parsed = parse_yaml(value, MOST_SETTINGS)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"{name} is '{value[:100]}', which is not a YAML value.") from error
    if get_origin(known[name].annotation) is tuple and not isinstance(parsed, list):
        parsed = [part.strip() for part in value.split(",") if part.strip()]
    return nested(name, parsed)
