"""Query parameters of the web service, and their translation to a search."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import HTTPException, Query

from vitrion.database.collections import KEY
from vitrion.database.dotted_path import projected
from vitrion.database.query import (
    ELEMENT_FILTERS,
    MATERIAL_NUMBERS,
    TEXT_FILTERS,
    build_criteria,
    build_sort,
)
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vitrion.database.client import PropertyClient

MAX_LIMIT = 1000
MAX_SKIP = 10**6
_SHOWN = ["formula_pretty", "chemsys", "phase", "material_id", "last_updated"]


@dataclass(frozen=True)
class Search:
    """A search of one kind of document.

    Attributes
    ----------
    criteria : dict
        MongoDB filter.
    properties : list of str
        Paths of the returned fields.
    sort : dict
        1 or -1 by path.
    skip, limit : int
        The page.
    """

    criteria: dict[str, Any]
    properties: list[str]
    sort: dict[str, int]
    skip: int
    limit: int


def search_dependency(searched: PropertyClient) -> Callable[..., Search]:
    """Return a FastAPI dependency that reads the parameters of one kind of document."""

    def search(**values: Any) -> Search:
        try:
            return _translate(searched, values)
        except InputError as error:
            raise HTTPException(status_code=400, detail=str(error)) from error

    parameters = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )
        for name, (annotation, default) in _parameters(searched.key_fields).items()
    ]
    search.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return search


def parameter_names(searched: PropertyClient) -> set[str]:
    """Return the names of all parameters of one kind of document."""
    return set(_parameters(searched.key_fields))


def _translate(searched: PropertyClient, values: dict[str, Any]) -> Search:
    skip, limit = values.pop("_skip"), values.pop("_limit")
    fields = _words(values.pop("_fields"))
    order = build_sort(_words(values.pop("_sort_fields")), searched.key_fields, searched.name)
    order.setdefault(KEY, 1)  # the same order on every page
    for name in (*TEXT_FILTERS, *ELEMENT_FILTERS):
        values[name] = _words(values[name])
    criteria = build_criteria(values, searched.key_fields, searched.name)
    return Search(criteria, _properties(searched, fields), order, skip, limit)


def _properties(searched: PropertyClient, fields: list[str] | None) -> list[str]:
    if fields == ["_all"]:
        return [KEY, *searched.document_class.model_fields]
    asked = _SHOWN if fields is None else fields
    searched.check_fields([field for field in asked if field != KEY])
    return projected([KEY, *map(searched.path, asked)])


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _parameters(key_fields: Mapping[str, str]) -> dict[str, tuple[Any, Any]]:
    """Return the annotation and the default of each parameter."""
    several = Query(max_length=2000, description="One value, or several, comma-separated.")
    parameters: dict[str, tuple[Any, Any]] = dict.fromkeys(
        (*TEXT_FILTERS, *ELEMENT_FILTERS), (Annotated[str | None, several], None)
    )
    deprecated = Query(description="Return deprecated documents instead.")
    parameters["deprecated"] = (Annotated[bool, deprecated], False)
    equal = Query(max_length=200, description="Equal to.")
    for name in {**MATERIAL_NUMBERS, **key_fields}:
        parameters[name] = (Annotated[str | None, equal], None)
        for end, text in (("min", "At least."), ("max", "At most.")):
            bound = Query(description=text, allow_inf_nan=False)
            parameters[f"{name}_{end}"] = (Annotated[float | None, bound], None)
    fields = Query(max_length=2000, description="Fields to return, comma-separated; _all for all.")
    parameters["_fields"] = (Annotated[str | None, fields], None)
    order = "Fields to sort by, comma-separated; -field for descending order."
    parameters["_sort_fields"] = (
        Annotated[str | None, Query(max_length=500, description=order)],
        None,
    )
    skip = Query(ge=0, le=MAX_SKIP, description="Number of documents to skip.")
    parameters["_skip"] = (Annotated[int, skip], 0)
    limit = Query(ge=1, le=MAX_LIMIT, description="Maximum number of documents.")
    parameters["_limit"] = (Annotated[int, limit], 100)
    return parameters
