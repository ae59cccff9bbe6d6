"""Read-only REST service of the material collections.

Each kind of document has a fixed list of parameters, which reach the database as plain values;
other parameters are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import pymongo
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, Field, WithJsonSchema, create_model
from pymongo.errors import PyMongoError

from vitrion.database.admission import readable
from vitrion.database.client import PropertyClient
from vitrion.database.collections import KEY
from vitrion.errors import StoreError
from vitrion.runtime.work_limit import WorkStoppedError
from vitrion.service.access import check_address, guard
from vitrion.service.limits import REQUEST_SECONDS, RequestLimits
from vitrion.service.pages import add_pages
from vitrion.service.refresh import Refresher
from vitrion.service.search_parameters import (
    MAX_LIMIT,
    Search,
    parameter_names,
    search_dependency,
)

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from vitrion.database.collections import Collections

MAX_CONNECTIONS = 1000
MAX_BYTES = 16 * 2**20
"""Size of the largest page of documents, in bytes of JSON."""


class Meta(BaseModel):
    """Properties of a search."""

    total_doc: int = Field(description="Number of documents that match the filters.")
    max_limit: int = Field(description="Largest page.")
    damaged: list[str] = Field(
        description="Identifiers of documents that cannot be read and may match."
    )


class Problem(BaseModel):
    """The reason for a refusal."""

    detail: str = Field(description="One sentence.")


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
    app = FastAPIOffline(title="vitrion", description="Documents of ion transport, read-only.")
    for name in collections.classes:
        _add_resource(app, PropertyClient(collections, name), needs_token=token is not None)

    @app.get("/heartbeat", include_in_schema=False)
    async def heartbeat() -> dict[str, str]:
        return {"status": "OK"}

    add_pages(app, collections)
    for kind in (WorkStoppedError, StoreError, PyMongoError):
        app.add_exception_handler(kind, _unavailable)
    app.add_middleware(RequestLimits)
    guard(app, token)
    return app


def serve(collections: Collections, host: str, port: int, token: str | None = None) -> None:
    """Serve until interrupted, and update the collections meanwhile.

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

    from vitrion.service.connections import TimedProtocol

    check_address(host, token)
    with Refresher(collections):
        uvicorn.run(
            make_app(collections, token),
            host=host,
            port=port,
            http=TimedProtocol,
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            log_level="info",
        )


def _add_resource(app: FastAPI, searched: PropertyClient, *, needs_token: bool) -> None:
    names = parameter_names(searched)
    refusals: dict[int | str, dict[str, Any]] = {
        400: {
            "model": Problem,
            "description": "A parameter is unknown or repeated, or its value invalid.",
        },
        503: {"model": Problem, "description": "The service is busy, or the request too large."},
    }
    if needs_token:
        refusals[401] = {"model": Problem, "description": "The token is missing or wrong."}

    dependency = Depends(search_dependency(searched))

    def search(request: Request, asked: Search = dependency) -> Response:
        _check_names(request.query_params, names, searched.name)
        return Response(_found(searched, asked), media_type="application/json")

    app.get(
        f"/{searched.name}/",
        tags=[searched.name],
        summary=f"Search {searched.name} documents",
        response_model=_page_model(searched),
        responses=refusals,
        operation_id=f"search_{searched.name}",
    )(search)


def _check_names(given: QueryParams, names: set[str], kind: str) -> None:
    """Refuse unknown parameters, and repeated ones, of which FastAPI would keep the last."""
    for name in given:
        if name not in names:
            raise HTTPException(400, f"A search of {kind} has no parameter '{name}'.")
        if len(given.getlist(name)) > 1:
            raise HTTPException(
                400, f"The parameter '{name}' is repeated: separate several values by commas."
            )


def _found(searched: PropertyClient, asked: Search) -> bytes:
    """Return a page of documents as JSON, encoded one by one."""
    store, size = searched.store, 0
    damaged: list[str] = []
    parts: list[bytes] = []
    with pymongo.timeout(REQUEST_SECONDS):
        total = store.count(asked.criteria)
        found = store.query(
            asked.criteria,
            asked.properties,
            {**asked.sort},
            skip=asked.skip,
            limit=asked.limit,
        )
        for document in readable(found, damaged):
            document.pop("_id", None)
            parts.append(orjson.dumps(document, default=_plain))
            size += len(parts[-1])
            if size > MAX_BYTES:
                raise HTTPException(
                    400,
                    f"The page is larger than {MAX_BYTES // 2**20} MB: ask for fewer documents by "
                    "_limit, or fewer fields by _fields.",
                )
    meta = Meta(total_doc=total, max_limit=MAX_LIMIT, damaged=damaged)
    return b'{"data":[%b],"meta":%b}' % (b",".join(parts), meta.model_dump_json().encode())


def _plain(value: Any) -> Any:
    """Return values of BSON that JSON does not have as text."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    known = isinstance(error, (WorkStoppedError, StoreError))
    detail = str(error) if known else "The database does not answer: try again later."
    return JSONResponse({"detail": detail}, status_code=503)


def _page_model(searched: PropertyClient) -> type[BaseModel]:
    """Return the schema of a page for the OpenAPI description; responses are not validated."""
    schema = searched.document_class.model_json_schema()["properties"]
    fields: dict[str, Any] = {KEY: (str, ...)}
    for name in searched.document_class.model_fields:
        fields[name] = (Annotated[Any, WithJsonSchema(_shown(schema.get(name, {})))], None)
    kind = searched.document_class.__name__
    document = create_model(kind, **fields)
    return create_model(f"{kind}Page", data=(list[document], ...), meta=(Meta, ...))


def _shown(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a field's schema that holds for every response.

    A field may be null, or a reference to a large object of the JobStore.
    """
    shown = {"description": schema["description"]} if "description" in schema else {}
    if "type" not in schema:
        return shown
    types = dict.fromkeys([schema["type"], "object", "null"])
    return {**shown, "anyOf": [{"type": name} for name in types]}
