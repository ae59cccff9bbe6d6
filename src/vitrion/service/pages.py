"""HTML pages of the store: a table of all materials, and their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse

from vitrion.database.client import VitrionClient
from vitrion.database.query import MATERIAL_NUMBERS
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError
from vitrion.report.material_filters import MaterialFilters
from vitrion.report.navigation import (
    DEFAULT_ROWS,
    DEFAULT_SORT,
    PAGE_SIZES,
    SORT_NAMES,
    Navigation,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vitrion.database.client import PropertyClient
    from vitrion.database.collections import Collections

MATERIALS = 2
"""Materials of one formula and phase on a report, which is made within a second."""
EXPORTED = 20_000
"""Maximum number of materials in a file."""
_NOT_LISTED = ("structure", "provenance", "trust", "builder_meta")  # large, not shown in the table
_LISTED = [name for name in SummaryDoc.model_fields if name not in _NOT_LISTED]

_POSITION = ("page", "rows", "search", "sort")
"""Parameters of the list that are not filters."""


def add_pages(app: FastAPI, collections: Collections) -> None:
    """Add ``/``, a table of all materials in pages and as files, and ``/report/<material>``.

    Parameters
    ----------
    app
        The service.
    collections
        The collections of a connected JobStore.
    """
    client = VitrionClient.over(collections)

    @app.get("/", include_in_schema=False)
    def index(
        request: Request,
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
        rows: Annotated[int, Query(ge=1, le=max(PAGE_SIZES))] = DEFAULT_ROWS,
        search: Annotated[str, Query(max_length=200)] = "",
        sort: Annotated[str, Query(max_length=100)] = DEFAULT_SORT,
    ) -> HTMLResponse:
        filters = _read_filters(request, sort)
        return HTMLResponse(_index(client.summary, page, rows, search.strip(), sort, filters))

    @app.get("/materials.{suffix}", include_in_schema=False)
    def materials(
        request: Request,
        suffix: Literal["csv", "json"],
        search: Annotated[str, Query(max_length=200)] = "",
        sort: Annotated[str, Query(max_length=100)] = DEFAULT_SORT,
    ) -> Response:
        from vitrion.report.downloads import files_of_table
        from vitrion.report.page import materials_table

        found, total = _matching(client.summary, search.strip(), _read_filters(request, sort))
        if total > EXPORTED:
            raise HTTPException(
                400, f"The search finds {total} materials, more than {EXPORTED}: narrow it down."
            )
        files = files_of_table(materials_table(_listed(client.summary, found, total, sort)))
        (text,) = (text for name, text in files.items() if name.endswith(suffix))
        kind = "text/csv" if suffix == "csv" else "application/json"
        headers = {"Content-Disposition": f'attachment; filename="materials.{suffix}"'}
        return Response(text, media_type=kind, headers=headers)

    @app.get("/report/{material:path}", include_in_schema=False)
    def report(material: str, phase: str | None = None) -> HTMLResponse:
        from vitrion.comparison.report_search import find_reports
        from vitrion.report.page import render_page

        try:
            reports = find_reports(client, material, phase, max_materials=MATERIALS)
            return HTMLResponse(render_page(*reports, home="/"))
        except InputError as error:
            raise HTTPException(status_code=404, detail=str(error)) from error


def _read_filters(request: Request, sort: str) -> MaterialFilters:
    if sort not in SORT_NAMES:
        raise HTTPException(400, f"The order is one of {', '.join(SORT_NAMES)}.")
    try:
        given = request.query_params.multi_items()
        return MaterialFilters.from_parameters(item for item in given if item[0] not in _POSITION)
    except InputError as error:
        raise HTTPException(400, str(error)) from error


def _index(
    summaries: PropertyClient, page: int, rows: int, search: str, sort: str, limits: MaterialFilters
) -> str:
    from vitrion.report.page import render_index

    filters, total = _matching(summaries, search, limits)
    page = min(page, max(-(-total // rows), 1))
    shown = _listed(summaries, filters, total, sort, skip=(page - 1) * rows, limit=rows)
    return render_index(shown, navigation=Navigation(total, page, rows, search, sort, limits))


def _listed(
    summaries: PropertyClient, filters: dict[str, Any], total: int, sort: str, **part: int
) -> list[Any]:
    """Return the summaries of a search, without large fields."""
    if not total:
        return []
    return summaries.search(fields=_LISTED, sort=[sort, "document_id"], **part, **filters)


def _matching(
    summaries: PropertyClient, search: str, filters: MaterialFilters
) -> tuple[dict[str, Any], int]:
    """Return the filters of the first meaning of a text that has results, and their number."""
    limits = filters.search()
    if not all(name in {**MATERIAL_NUMBERS, **summaries.key_fields} for name in filters.ranges):
        return limits, 0  # no kind of document has the quantity yet
    if not search:
        return limits, summaries.count(**limits)
    for name in ("material_id", "formula", "chemsys"):
        try:
            count = summaries.count(**{**limits, name: search})
        except InputError:  # neither a formula nor elements
            continue
        if count:
            return {**limits, name: search}, count
    return {**limits, "material_id": search}, 0
