"""The command ``report``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrion.cli.options import (
    FigureFormatOption,
    PhaseOption,
    StoreOption,
    check_figure_format,
)
from vitrion.cli.printing import say
from vitrion.errors import InputError

if TYPE_CHECKING:
    from vitrion.materials.material import MaterialReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example:  vitrion report LiPO2F2 -o LiPO2F2.html --figures figures")(report)


def report(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="Formula, material or document identifier, or the JSON file of a document; "
            "several are compared."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="HTML file; default: the name of the first target."),
    ] = None,
    phase: PhaseOption = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures as files.")] = None,
    figure_format: FigureFormatOption = "svg",
    store: StoreOption = None,
) -> None:
    """Write one HTML page with all results of a material; it works offline."""
    from vitrion.report.draw import save_figures
    from vitrion.report.page import render_page
    from vitrion.runtime.atomic import check_folder, make_folder

    check_figure_format(figure_format)
    path = output or Path(f"{_file_name(targets[0])}.html")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the HTML file with -o.")
    if figures is not None:
        check_folder(figures)
    reports = _find(targets, phase, store)
    if figures is not None:
        make_folder(figures)
    page = render_page(*reports)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"The page cannot be written to {path}: {error.strerror}.") from error
    shown = ", ".join(found.name for found in reports)
    say(f"{shown}: {path}")
    if figures is not None:
        for file in save_figures(reports, figures, figure_format):
            say(str(file))


def _find(targets: list[str], phase: str | None, store: Path | None) -> list[MaterialReport]:
    from vitrion.comparison.report_search import find_reports
    from vitrion.database.client import VitrionClient
    from vitrion.database.document_file import read_document
    from vitrion.materials.material import add_documents

    files = [target for target in targets if os.path.isfile(target)]
    documents = [read_document(file) for file in files]
    wanted = [target for target in targets if target not in files]
    missing = [target for target in wanted if target.endswith(".json")]
    if missing:
        raise InputError(f"The file {missing[0]} does not exist.")
    found: dict[tuple[str | None, ...], MaterialReport] = {}
    if wanted:
        with VitrionClient(store) as client:
            for target in wanted:
                for report in find_reports(client, target, phase):  # two may mean one material
                    found.setdefault((report.formula, report.phase, report.material_id), report)
    return add_documents(found.values(), documents)


def _file_name(target: str) -> str:
    stem = Path(target).stem[:100]
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in stem) or "report"
