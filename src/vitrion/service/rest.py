"""Read-only REST service of the material collections, based on maggma.api.

Each kind of document has a fixed list of parameters, which reach the database as plain values;
other parameters are refused.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from maggma.api.query_operator import QueryOperator
from maggma.api.resource import HeaderProcessor, ReadOnlyResource
from pydantic import BaseModel, WithJsonSchema, create_model

from vitrion.database.client import PropertyClient
from vitrion.database.collections import KEY
from vitrion.database.query import (
    ELEMENT_FILTERS,
    TEXT_FILTERS,
    build_criteria,
    build_sort,
)
from vitrion.errors import InputError
from vitrion.service.access import check_address, guard
from vitrion.service.pages import add_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Response

    from vitrion.database.collections import Collections

MAX_LIMIT = 1000
MAX_SKIP = 10**6
_HIDDEN = ("_id", "job", "built_from", "@module", "@class", "@version")


class SearchQuery(QueryOperator):
    """Query parameters of one kind of document: filters, fields, order and page."""

    def __init__(self, searched: PropertyClient) -> None:
        self.searched = searched
        self.query = self._with_signature()  # type: ignore[method-assign]

    def query(self) -> dict[str, Any]:  # type: ignore[override]
        """Satisfy the abstract base class; instances define their own query."""
        raise NotImplementedError

    def post_process(self, docs: list[dict], query: dict) -> list[dict]:
        """Omit metadata of the query."""
        return [{k: v for k, v in doc.items() if k not in _HIDDEN} for doc in docs]

    def meta(self) -> dict[str, Any]:
        """Return the maximum page size."""
        return {"max_limit": MAX_LIMIT}

    def _with_signature(self) -> Callable[..., dict[str, Any]]:
        def query(**values: Any) -> dict[str, Any]:
            try:
                return self._translate(values)
            except InputError as error:
                raise HTTPException(status_code=400, detail=str(error)) from error

        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=query_, annotation=kind)
            for name, (kind, query_) in _parameters(self.searched.key_fields).items()
        ]
        query.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return query

    def _translate(self, values: dict[str, Any]) -> dict[str, Any]:
        skip, limit = values.pop("_skip"), values.pop("_limit")
        fields = _words(values.pop("_fields"))
        sort = _words(values.pop("_sort_fields"))
        for name in (*TEXT_FILTERS, *ELEMENT_FILTERS):
            values[name] = _words(values[name])
        key_fields = self.searched.key_fields
        order = build_sort(sort, key_fields)
        order.setdefault(KEY, 1)  # the same order on every page
        return {
            "criteria": build_criteria(values, key_fields, self.searched.name),
            "properties": self._properties(fields),
            "sort": order,
            "skip": skip,
            "limit": limit,
        }

    def _properties(self, fields: list[str] | None) -> list[str]:
        known = self.searched.document_class.model_fields
        if fields == ["_all"]:
            return [KEY, *known]
        if fields is None:
            fields = ["formula_pretty", "chemsys", "phase", "material_id", "last_updated"]
        self.searched.check_fields([field for field in fields if field != KEY])
        return list(dict.fromkeys([KEY, *map(self.searched.path, fields)]))


class _JsonHeader(HeaderProcessor):
    """Response header for JSON, which maggma omits in responses that it does not validate."""

    def process_header(self, response: Response, request: Request) -> None:
        response.headers["content-type"] = "application/json"

    def configure_query_on_request(self, request: Request, query_operator: Any) -> Any:
        return {}


def make_app(collections: Collections, token: str | None = None) -> FastAPI:
    """Create the service.

    Parameters
    ----------
    collections
        The collections of a connected JobStore.
    token
        Required token; see :func:`vitrion.service.access.guard`.

    Returns
    -------
    FastAPI
        Application with one resource per kind of document, ``/docs``, ``/openapi.json``, and the
        pages ``/`` and ``/report/<material>``.
    """
    app = FastAPI(title="vitrion", description="Documents of ion transport, read-only.")
    for name in collections.classes:
        searched = PropertyClient(collections, name)
        resource = ReadOnlyResource(
            collections.store(name),
            _response_model(searched),
            tags=[name],
            query_operators=[SearchQuery(searched)],
            header_processor=_JsonHeader(),
            timeout=30,
            disable_validation=True,
        )
        app.include_router(resource.router, prefix=f"/{name}")

    @app.get("/heartbeat", include_in_schema=False)
    def heartbeat() -> dict[str, str]:
        return {"status": "OK"}

    add_pages(app, collections)
    guard(app, token)
    return app


def serve(collections: Collections, host: str, port: int, token: str | None = None) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    collections
        The collections of a connected JobStore.
    host, port
        Address to listen on; other than loopback only with a token.
    token
        As in :func:`make_app`.

    Raises
    ------
    InputError
        As in :func:`vitrion.service.access.check_address`.
    """
    import uvicorn

    check_address(host, token)
    uvicorn.run(make_app(collections, token), host=host, port=port, log_level="info")


def _parameters(key_fields: Mapping[str, str]) -> dict[str, tuple[Any, Any]]:
    several = "One value, or several, comma-separated."
    parameters: dict[str, tuple[Any, Any]] = {
        name: (str | None, Query(None, max_length=2000, description=several))
        for name in (*TEXT_FILTERS, *ELEMENT_FILTERS)
    }
    parameters["deprecated"] = (
        bool,
        Query(False, description="Return deprecated documents instead."),
    )
    for name in key_fields:
        parameters[name] = (str | None, Query(None, max_length=200, description="Equal to."))
        parameters[f"{name}_min"] = (float | None, Query(None, description="At least."))
        parameters[f"{name}_max"] = (float | None, Query(None, description="At most."))
    fields = "Fields to return, comma-separated; _all for all."
    order = "Fields to sort by, comma-separated; -field for descending order."
    parameters["_fields"] = (str | None, Query(None, max_length=2000, description=fields))
    parameters["_sort_fields"] = (str | None, Query(None, max_length=500, description=order))
    parameters["_skip"] = (
        int,
        Query(0, ge=0, le=MAX_SKIP, description="Number of documents to skip."),
    )
    page = "Maximum number of documents."
    parameters["_limit"] = (int, Query(100, ge=1, le=MAX_LIMIT, description=page))
    return parameters


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _response_model(searched: PropertyClient) -> type[BaseModel]:
    """Return the schema of a document for the OpenAPI page; responses are not validated."""
    schema = searched.document_class.model_json_schema()["properties"]
    fields: dict[str, Any] = {KEY: (str, ...)}
    for name in searched.document_class.model_fields:
        shown = {k: v for k, v in schema.get(name, {}).items() if k in ("type", "description")}
        fields[name] = (Annotated[Any, WithJsonSchema(shown)], None)
    return create_model(searched.document_class.__name__, **fields)
