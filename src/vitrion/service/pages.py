"""HTML pages of the store: a table of all materials, and their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException
from fastapi.responses import HTMLResponse

from vitrion.database.client import VitrionClient
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vitrion.database.collections import Collections

_NOT_LISTED = ("structure", "provenance", "trust", "builder_meta")  # large, not shown in the table


def add_pages(app: FastAPI, collections: Collections) -> None:
    """Add ``/``, a sortable table of all materials, and ``/report/<material>``.

    Parameters
    ----------
    app
        The service.
    collections
        The collections of a connected JobStore.
    """
    client = VitrionClient.over(collections)
    listed = [name for name in SummaryDoc.model_fields if name not in _NOT_LISTED]

    @app.get("/", include_in_schema=False, response_class=HTMLResponse)
    def index() -> str:
        from vitrion.report.page import render_index

        return render_index(client.summary.search(fields=listed, sort="formula_pretty"))

    @app.get("/report/{material:path}", include_in_schema=False, response_class=HTMLResponse)
    def report(material: str, phase: str | None = None) -> str:
        from vitrion.comparison.material import find_reports
        from vitrion.report.page import render_page

        try:
            return render_page(*find_reports(client, material, phase))
        except InputError as error:
            raise HTTPException(status_code=404, detail=str(error)) from error
