"""The commands ``query``, ``build``, ``archive``, ``schema`` and ``serve``."""

from __future__ import annotations

import math
import sys
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vitrion.cli.options import StoreOption
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.database.client import PropertyClient

FORMATS = ("table", "jsonl", "csv")
OPEN_ENDS = {">": math.inf, "<": -math.inf}
"""Signs that exclude the bound, and the direction of the next floating-point number."""
BORDER = 3
"""Characters that a table column adds to its text."""
console = Console(markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example:  vitrion query --phase amorphous 'sigma_300K>0.1'")(query)
    app.command(epilog="Example:  vitrion build --store jobflow.yaml")(build)
    app.command(epilog="Example:  vitrion archive --store jobflow.yaml")(archive)
    app.command(epilog="Example:  vitrion load docs/results/paper --store vitrion_data")(load)
    app.command(epilog="Example:  vitrion schema conductivity")(schema)
    app.command(epilog="Example:  vitrion serve --store vitrion_data")(serve)


def query(
    conditions: Annotated[
        list[str] | None,
        typer.Argument(help="Conditions such as 'sigma_300K>0.1' or 'material_id=mp-1138'."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", "-k", help="Kind of document; 'list' lists them.")
    ] = "summary",
    formula: Annotated[str | None, typer.Option(help="Formula, such as LiPO2F2.")] = None,
    chemsys: Annotated[str | None, typer.Option(help="Elements, such as Li-P-O-F.")] = None,
    phase: Annotated[str | None, typer.Option(help="crystalline, amorphous or liquid.")] = None,
    fields: Annotated[
        str | None, typer.Option(help="Fields to show, comma-separated; 'all' for all.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Field to sort by; -field for descending order.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of documents; 0 for all.")] = 100,
    output: Annotated[str, typer.Option("--format", "-f", help="table, jsonl or csv.")] = "table",
    store: StoreOption = None,
) -> None:
    """Search the results, and print or export them."""
    from vitrion.database.client import VitrionClient
    from vitrion.database.export import write_csv, write_json_lines
    from vitrion.documents.base import check_phase

    if output not in FORMATS:
        raise InputError(f"The format must be one of {', '.join(FORMATS)}, not '{output}'.")
    check_phase(phase)
    filters: dict[str, Any] = {"formula": formula, "chemsys": chemsys, "phase": phase}
    filters.update(parse_conditions(conditions or []))
    with VitrionClient(store) as client:
        if kind == "list":
            _print_kinds([client[name] for name in client.properties])
            return
        searched = client[kind]
        wanted = _wanted_fields(searched, fields, whole=output == "jsonl")
        found = searched.raw(fields=wanted, sort=sort, limit=limit, **filters)
        if output == "table":
            _print_documents(found, searched, wanted)
        elif output == "csv":
            write_csv(found, sys.stdout, _column_names(searched, wanted))
        else:
            write_json_lines(found, sys.stdout)


def parse_conditions(conditions: Sequence[str]) -> dict[str, Any]:
    """Convert ``name=value``, ``name>value``, ``name>=value`` etc. to filters of a search.

    Raises
    ------
    InputError
        If a condition is malformed.
    """
    filters: dict[str, Any] = {}
    for condition in conditions:
        for sign, end in ((">=", "_min"), ("<=", "_max"), (">", "_min"), ("<", "_max"), ("=", "")):
            name, found, value = (part.strip() for part in condition.partition(sign))
            if found and name and value:
                filters[name + end] = _value(name, value, bool(end))
                if sign in OPEN_ENDS:
                    filters[name + end] = math.nextafter(filters[name + end], OPEN_ENDS[sign])
                break
        else:
            raise InputError(
                f"'{condition}' is not a condition: write name=value, 'name>value' or 'name<value'."
            )
    return filters


def build(store: StoreOption = None) -> None:
    """Update the material collections from the job outputs."""
    from vitrion.database.builders import build as build_collections
    from vitrion.database.collections import Collections, find_job_store

    with Collections(find_job_store(store)) as collections:
        report = build_collections(collections)
    for kind in sorted({*report.written, *report.removed}):
        written, removed = report.written.get(kind, 0), report.removed.get(kind, 0)
        console.print(f"{kind}: {written} written, {removed} removed")
    for kind, reasons in sorted(report.skipped.items()):
        console.print(f"{kind}: {len(reasons)} output(s) skipped")
        for uuid, reason in reasons.items():
            console.print(f"  {uuid}: {reason}", soft_wrap=True)
    if not report.written and not report.removed:
        console.print("Everything is up to date.")


def archive(store: StoreOption = None) -> None:
    """Copy the trajectories on this machine into the store for files."""
    from vitrion.database.builders import build as build_collections
    from vitrion.database.collections import Collections, find_job_store
    from vitrion.database.file_archive import archive as archive_files

    with Collections(find_job_store(store)) as collections:
        build_collections(collections)
        report = archive_files(collections)
    console.print(
        f"{len(report.stored)} copied, {len(report.present)} already archived, "
        f"{len(report.elsewhere)} on other machines, {len(report.missing)} missing or changed"
    )
    for path in report.missing:
        console.print(f"missing or changed: {path}", soft_wrap=True)


def load(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files of documents (.jsonl, .jsonl.gz), or folders of such files."),
    ],
    store: StoreOption = None,
) -> None:
    """Add documents from files, such as `vitrion query -f jsonl` writes, to a store."""
    from vitrion.database.collections import find_job_store
    from vitrion.database.document_file import load_documents, read_documents
    from vitrion.settings import get_settings
    from vitrion.store.job_store import open_job_store

    documents = [document for path in paths for document in read_documents(path)]
    target = Path(store or get_settings().store).expanduser()
    job_store = find_job_store(target) if target.is_file() else open_job_store(target)
    job_store.connect()
    added = load_documents(job_store, documents)
    job_store.close()
    console.print(f"{added} documents added, {len(documents) - added} already in the store")


def schema(
    kind: Annotated[
        str | None, typer.Argument(help="Kind of document, such as conductivity.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write pages and schemas of all kinds to this folder.")
    ] = None,
) -> None:
    """Print the JSON schema of a kind of document, with the unit of each field."""
    import json

    from vitrion.database.kinds import document_classes

    classes = document_classes()
    if write is not None:
        from vitrion.database.schema_pages import write_schemas

        console.print(f"{len(write_schemas(write))} files written to {write}")
        return
    if kind is None:
        raise InputError(f"Name a kind of document: {', '.join(sorted(classes))}.")
    if kind not in classes:
        raise InputError(
            f"Unknown kind of document '{kind}': use one of {', '.join(sorted(classes))}."
        )
    print(json.dumps(classes[kind].model_json_schema(), indent=2))


def serve(
    store: StoreOption = None,
    host: Annotated[str, typer.Option(help="Address; other than localhost only with a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
) -> None:
    """Serve documents and reports over HTTP, read-only; VITRION_TOKEN sets an access token."""
    import os

    from vitrion.database.builders import build_if_changed
    from vitrion.database.collections import Collections, find_job_store
    from vitrion.service.access import check_address
    from vitrion.service.rest import serve as serve_collections

    token = os.environ.get("VITRION_TOKEN")
    check_address(host, token)
    with Collections(find_job_store(store)) as collections:
        if not collections.is_read_only:
            build_if_changed(collections)
        console.print(f"Materials and reports: http://{host}:{port}/ (documents: /docs)")
        serve_collections(collections, host, port, token)


def _value(name: str, text: str, is_bound: bool) -> Any:
    from vitrion.database.query import ELEMENT_FILTERS, TEXT_FILTERS

    if name in (*TEXT_FILTERS, *ELEMENT_FILTERS):
        return text.split(",")
    if not is_bound:
        return text.lower() == "true" if text.lower() in ("true", "false") else text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"'{text}' is not a number.") from None


def _wanted_fields(
    searched: PropertyClient, fields: str | None, *, whole: bool
) -> list[str] | None:
    if fields == "all" or (fields is None and whole):
        return None
    if fields is not None:
        return [name.strip() for name in fields.split(",") if name.strip()]
    return ["formula_pretty", "phase", "material_id", *searched.key_fields]


def _print_kinds(searches: Iterable[PropertyClient]) -> None:
    table = Table("kind", "documents", "quantities to show, filter and sort by")
    for search in searches:
        table.add_row(search.name, str(search.count()), ", ".join(search.key_fields))
    console.print(table)


def _print_documents(
    found: Iterable[dict[str, Any]], searched: PropertyClient, wanted: list[str] | None
) -> None:
    from vitrion.chemistry.formulas import display_formula
    from vitrion.database.export import flatten

    names = _column_names(searched, wanted)
    rows = [flatten(document, names) for document in found]
    for row in rows:  # the usual form, not pymatgen's LiP(OF)2
        if row.get("formula_pretty"):
            row["formula_pretty"] = display_formula(row["formula_pretty"])
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if wanted is not None:  # without the empty columns
        columns = [column for column in wanted if any(row.get(column) is not None for row in rows)]
    if not rows:
        console.print("No documents found.")
        return
    _print_cells(columns, [[_text(row.get(column)) for column in columns] for row in rows])


def _column_names(searched: PropertyClient, wanted: list[str] | None) -> dict[str, str]:
    """Return paths by public name, except paths that were requested explicitly."""
    asked = wanted or ()
    return {name: path for name, path in searched.key_fields.items() if path not in asked}


def _print_cells(heads: list[str], rows: list[list[str]]) -> None:
    """Print a table that fits the terminal: transposed or truncated, with a note, if necessary."""
    turned = [list(cells) for cells in zip(heads, *rows, strict=True)]
    widths = [max(map(len, cells)) + BORDER for cells in turned]
    if sum(widths) < console.width:
        _print_table(heads, rows)
        return
    if sum(max(map(len, cells)) + BORDER for cells in zip(*turned, strict=True)) < console.width:
        _print_table(turned[0], turned[1:])
        return
    shown = max(1, sum(end < console.width for end in accumulate(widths)))
    _print_table(heads[:shown], [row[:shown] for row in rows])
    if shown < len(heads):
        console.print(
            f"Columns not shown: {', '.join(heads[shown:])}. Use --fields or --format csv.",
            soft_wrap=True,
        )


def _print_table(heads: list[str], rows: list[list[str]]) -> None:
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
