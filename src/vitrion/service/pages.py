"""HTML pages of the store: a table of all materials, and their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from vitrion.database.client import VitrionClient
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError
from vitrion.report.material_filters import MaterialFilters
from vitrion.report.navigation import DEFAULT_SORT, SORT_NAMES, Navigation

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vitrion.database.client import PropertyClient
    from vitrion.database.collections import Collections

ROWS = 100
"""Materials on a page of the table."""
MATERIALS = 2
"""Materials of one formula and phase on a report, which is made within a second."""
_NOT_LISTED = ("structure", "provenance", "trust", "builder_meta")  # large, not shown in the table
_LISTED = [name for name in SummaryDoc.model_fields if name not in _NOT_LISTED]


def add_pages(app: FastAPI, collections: Collections) -> None:
    """Add ``/``, a table of all materials in pages, and ``/report/<material>``.

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
        search: Annotated[str, Query(max_length=200)] = "",
        sort: Annotated[str, Query(max_length=100)] = DEFAULT_SORT,
    ) -> HTMLResponse:
        if sort not in SORT_NAMES:
            raise HTTPException(400, f"The order is one of {', '.join(SORT_NAMES)}.")
        try:
            filters = MaterialFilters.from_parameters(request.query_params.multi_items())
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        return HTMLResponse(_index(client.summary, page, search.strip(), sort, filters))

    @app.get("/report/{material:path}", include_in_schema=False)
    def report(material: str, phase: str | None = None) -> HTMLResponse:
        from vitrion.comparison.material import find_reports
        from vitrion.report.page import render_page

        try:
            reports = find_reports(client, material, phase, max_materials=MATERIALS)
            return HTMLResponse(render_page(*reports, home="/"))
        except InputError as error:
            raise HTTPException(status_code=404, detail=str(error)) from error


def _index(
    summaries: PropertyClient, page: int, search: str, sort: str, limits: MaterialFilters
) -> str:
    from vitrion.report.page import render_index

    # A quantity that no kind of document has yet cannot be searched by: nothing matches.
    known = all(name in summaries.key_fields for name in limits.ranges)
    filters, total = _matching(summaries, search, limits.search()) if known else ({}, 0)
    page = min(page, max(-(-total // ROWS), 1))
    found = summaries.search(
        fields=_LISTED, sort=[sort, "document_id"], skip=(page - 1) * ROWS, limit=ROWS, **filters
    )
    shown = found if total else []
    return render_index(shown, navigation=Navigation(total, page, ROWS, search, sort, limits))


def _matching(
    summaries: PropertyClient, search: str, limits: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Return the filters of the first meaning of a text that has results, and their number."""
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
