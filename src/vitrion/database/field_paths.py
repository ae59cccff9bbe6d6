"""Check dotted paths of fields against the classes of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

PLAIN = (bool, int, float, str, bytes, NoneType)


def has_path(model: type[BaseModel], path: str) -> bool:
    """Return whether documents of a class can have a value at a dotted path.

    Fields of any content, such as structures and dictionaries, accept every continuation.
    """
    return bool(_types(model, path))


def plain_type(model: type[BaseModel], path: str) -> type | None:
    """Return bool, float or str if all values at a dotted path are of it, else None.

    Whole numbers count as float; None may be a value in addition.
    """
    found = {float if kind is int else kind for kind in _types(model, path)} - {NoneType}
    return found.pop() if len(found) == 1 and found <= {bool, float, str} else None


def _types(model: type[BaseModel], path: str) -> list[Any]:
    """Return the possible types of the value at a path; empty if it does not exist."""
    kinds: list[Any] = [model]
    for part in path.split("."):
        inner = [each for kind in kinds for each in _inside(kind, part)]
        kinds = [option for each in inner for option in _options(each)]
    return kinds


def _options(kind: Any) -> list[Any]:
    """Return the types in a union or an annotation; another type alone."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _options(get_args(kind)[0])
    if origin in (Union, UnionType):
        return [inner for option in get_args(kind) for inner in _options(option)]
    return [kind]


def _inside(kind: Any, part: str) -> list[Any]:
    """Return the possible types of a part of a value; empty if it does not exist."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(part)
        return [] if field is None else [field.rebuild_annotation()]
    holder = get_origin(kind) or kind
    if isinstance(holder, type) and issubclass(holder, PLAIN):
        return []
    if isinstance(holder, type) and issubclass(holder, Mapping):
        return list(get_args(kind)[1:]) or [Any]
    if isinstance(holder, type) and issubclass(holder, Sequence):
        return (list(get_args(kind)[:1]) or [Any]) if part.isdigit() else []
    return [] if get_args(kind) else [Any]  # a Literal has no parts
