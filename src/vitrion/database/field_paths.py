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
    found = {float if kind is int else kind for kind in _flat(_types(model, path))} - {NoneType}
    return found.pop() if len(found) == 1 and found <= {bool, float, str} else None


def _types(model: type[BaseModel], path: str) -> list[Any]:
    """Return the possible types of the value at a path; empty if it does not exist."""
    kinds: list[Any] = [model]
    for part in path.split("."):
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return kinds


def _flat(kinds: Sequence[Any]) -> set[Any]:
    """Return the types in unions and annotations."""
    flat: set[Any] = set()
    for kind in kinds:
        origin = get_origin(kind)
        if origin is Annotated:
            flat |= _flat(get_args(kind)[:1])
        else:
            flat |= _flat(get_args(kind)) if origin in (Union, UnionType) else {kind}
    return flat


def _inside(kind: Any, part: str) -> list[Any]:
    """Return the possible types of a part of a value; empty if it does not exist."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _inside(get_args(kind)[0], part)
    if origin in (Union, UnionType):
        return [inner for option in get_args(kind) for inner in _inside(option, part)]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(part)
        return [] if field is None else [field.rebuild_annotation()]
    holder = origin or kind
    if isinstance(holder, type) and issubclass(holder, PLAIN):
        return []
    if isinstance(holder, type) and issubclass(holder, Mapping):
        return list(get_args(kind)[1:]) or [Any]
    if isinstance(holder, type) and issubclass(holder, Sequence):
        return (list(get_args(kind)[:1]) or [Any]) if part.isdigit() else []
    return [] if get_args(kind) else [Any]  # a Literal has no parts
