"""Base class of maker settings: validated, frozen, documented."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vitrion.errors import InputError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Self

    from pydantic.fields import FieldInfo

SHOWN = 60
"""Maximum number of characters of an invalid value in a message."""
BOUNDS = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}


@dataclass(frozen=True)
class Option:
    """Give a field a command-line option; used inside ``Annotated``.

    Attributes
    ----------
    name : str
        Such as ``--glass-atoms``.
    also : tuple of (str, value)
        Dotted names and values of other fields that the option sets.
    help : str
        Help of the option; empty for the description of the field.
    """

    name: str
    also: tuple[tuple[str, Any], ...] = ()
    help: str = ""


class SettingsModel(BaseModel):
    """Base class of settings.

    Settings are frozen and reject unknown names and infinite numbers. An invalid value raises an
    :class:`~vitrion.errors.InputError` of one sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as report:
            raise refusal(report, type(self)) from report

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON with monty's class tags, so that makers can update them."""
        tags = {"@module": type(self).__module__, "@class": type(self).__name__}
        return {**tags, **self.model_dump(mode="json")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Create settings from the result of :meth:`as_dict`; tags are optional."""
        return cls(**{name: value for name, value in values.items() if not name.startswith("@")})


def refusal(report: ValidationError, model: type[BaseModel]) -> InputError:
    """Reduce pydantic's report to one sentence about its first error."""
    first = report.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        return cause.inside(name) if name else cause
    if isinstance(cause, InputError):
        return cause
    if first["type"] == "extra_forbidden":
        return unknown_setting(name, model.model_fields)
    if first["type"] == "missing":
        return SettingError(name, "is missing.")
    found, allowed = repr(first["input"]), _allowed(first, model.model_fields.get(name))
    shown = found if len(found) <= SHOWN else f"{found[:SHOWN]}..."
    return SettingError(name, f"is {shown}, but must be {allowed}.")


def unknown_setting(name: str, known: Iterable[str]) -> SettingError:
    """Return the error for an unknown setting name.

    Parameters
    ----------
    name : str
        Dotted name.
    known : iterable of str
        Dotted names of all settings. The error lists the names with the most similar last part, or
        otherwise the names of the same section.
    """
    known = list(known)
    section, _, own = name.rpartition(".")
    lasts = dict.fromkeys(path.rpartition(".")[2] for path in known)
    near = [
        path
        for last in get_close_matches(own, lasts, n=3, cutoff=0.6)
        for path in known
        if path.rpartition(".")[2] == last
    ]
    beside = [path for path in known if path.rpartition(".")[0] == section]
    what = "nearest" if near else "allowed"
    return SettingError(name, f"is not a setting; {what}: {', '.join(near or beside or known)}.")


def walk_fields(
    model: type[BaseModel], section: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yield the path and the field of every setting, including nested sections."""
    for name, field in model.model_fields.items():
        path = (*section, name)
        yield path, field
        inner = section_of(field)
        if inner is not None:
            yield from walk_fields(inner, path)


def section_of(field: FieldInfo) -> type[SettingsModel] | None:
    """Return the settings class of a section field, or None for a value field."""
    from typing import get_args

    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, SettingsModel):
            return kind
    return None


def _allowed(error: Any, field: FieldInfo | None) -> str:
    """Describe the allowed values: range or choices if defined, otherwise the type."""
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"])
    if error["type"] == "too_short":
        return f"a list of at least {error['ctx']['min_length']}"
    limits = {
        bound: getattr(constraint, bound)
        for constraint in (field.metadata if field is not None else ())
        for bound in BOUNDS
        if getattr(constraint, bound, None) is not None
    }
    if error["type"].startswith(("greater_than", "less_than", "finite")) and limits:
        if {"ge", "le"} <= limits.keys():
            return f"{limits['ge']:g} to {limits['le']:g}"
        return " and ".join(f"{BOUNDS[bound]} {limit:g}" for bound, limit in limits.items())
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return message.removeprefix("Input should be ").partition(", ")[0]
