"""The commands ``query``, ``build``, ``archive``, ``load``, ``pool``, ``schema``, ``serve``."""

from __future__ import annotations

import math
import os
import re
import sys
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE

from vitrion.cli.completion import complete_kind, one_of
from vitrion.cli.options import PhaseOption, StoreOption
from vitrion.cli.printing import console, error_console, new_table, say
from vitrion.errors import InputError
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vitrion.database.client import PropertyClient, VitrionClient
    from vitrion.database.table_rows import FieldValue

FORMATS = ("table", "jsonl", "csv")
OPEN_ENDS = {">": math.inf, "<": -math.inf}
"""Signs that exclude the bound, and the direction of the next floating-point number."""
GAP = 2
"""Characters between columns of a table."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example:  vitrion query --phase amorphous 'sigma_300K>0.1'")(query)
    app.command(epilog="Example:  vitrion build --store jobflow.yaml")(build)
    app.command(epilog="Example:  vitrion archive --store jobflow.yaml")(archive)
    app.command(epilog="Example:  vitrion load docs/results/paper --store vitrion_data")(load)
    app.command(epilog="Example:  vitrion pool LiPO2F2 --phase amorphous")(pool)
    app.command(epilog="Example:  vitrion schema conductivity")(schema)
    app.command(epilog="Example:  vitrion serve --store vitrion_data")(serve)


def query(
    conditions: Annotated[
        list[str] | None,
        typer.Argument(help="Conditions such as 'sigma_300K>0.1' or 'material_id=mp-1138'."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            "-k",
            help="Kind of document; 'list' lists them.",
            autocompletion=complete_kind,
        ),
    ] = "summary",
    formula: Annotated[str | None, typer.Option(help="Formula, such as LiPO2F2.")] = None,
    chemsys: Annotated[str | None, typer.Option(help="Elements, such as Li-P-O-F.")] = None,
    phase: PhaseOption = None,
    fields: Annotated[
        str | None, typer.Option(help="Fields to show, comma-separated; 'all' for all.")
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Field to sort by; -field for descending order.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of documents; 0 for all.")] = 100,
    output: Annotated[
        str,
        typer.Option(
            "--format", "-f", help="table, jsonl or csv.", autocompletion=one_of(*FORMATS)
        ),
    ] = "table",
    store: StoreOption = None,
) -> None:
    """Search the results, and print or export them."""
    from vitrion.database.client import VitrionClient
    from vitrion.database.export import write_csv, write_json_lines, write_rows
    from vitrion.database.table_rows import hidden_fields, row_of, with_bound
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
        wanted = _wanted_fields(searched, fields, output)
        hidden = hidden_fields(wanted or (), searched) if output != "jsonl" else []
        read = None if wanted is None else list(dict.fromkeys([*wanted, *hidden]))
        found = searched.raw(fields=read, sort=sort, limit=limit, **filters)
        if output == "jsonl":
            shown = write_json_lines(found, sys.stdout)
        elif wanted is None:
            shown = write_csv(found, sys.stdout, searched.key_fields)
        else:
            rows = [row_of(document, wanted, searched) for document in found]
            if output == "csv":
                write_rows([_csv_row(row) for row in rows], sys.stdout)
            else:
                _print_rows([with_bound(row) for row in rows], keep_empty=fields is not None)
            if not rows and output == "table":
                say(_nothing_found(client, kind))
            shown = len(rows)
        if shown == limit and (total := searched.count(**filters)) > limit > 0:
            say(f"{limit} of {total} documents; --limit 0 returns all.", error_console)


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
                f"'{condition}' is not a condition: write it in quotes as 'name=value', "
                "'name>value' or 'name<value', such as 'formula=LiPO2F2'."
            )
    return filters


def build(store: StoreOption = None) -> None:
    """Update the material collections from the job outputs."""
    from vitrion.database.admission import shown
    from vitrion.database.builders import build as build_collections
    from vitrion.database.collections import Collections, find_job_store

    with Collections(find_job_store(store)) as collections:
        report = build_collections(collections)
    for kind in sorted({*report.written, *report.removed}):
        written, removed = report.written.get(kind, 0), report.removed.get(kind, 0)
        say(f"{kind}: {written} written, {removed} removed")
    for kind, reasons in sorted(report.skipped.items()):
        say(f"{kind}: {counted(len(reasons), 'output')} skipped")
        for uuid, reason in reasons.items():
            say(f"  {shown(uuid)}: {shown(reason)}")
    if not report.written and not report.removed:
        say("Everything is up to date.")


def archive(store: StoreOption = None) -> None:
    """Copy the trajectories of this machine into the store, for other machines."""
    from vitrion.database.builders import build as build_collections
    from vitrion.database.collections import Collections, find_job_store
    from vitrion.database.file_archive import archive as archive_files

    with Collections(find_job_store(store)) as collections:
        build_collections(collections)
        report = archive_files(collections)
    say(
        f"{len(report.stored)} copied, {len(report.present)} already archived, "
        f"{len(report.elsewhere)} on other machines, {len(report.missing)} missing or changed"
    )
    for path in report.missing:
        say(f"missing or changed: {path}")


def load(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files of documents (.jsonl, .jsonl.gz, .json), or folders of .jsonl files."
        ),
    ],
    store: StoreOption = None,
) -> None:
    """Add documents from files, as written by `query -f jsonl` and `defects`, to a store."""
    from vitrion.database.collections import find_job_store
    from vitrion.database.document_file import load_documents, read_documents
    from vitrion.database.servers import connect
    from vitrion.database.store_file import names_store_file
    from vitrion.settings import get_settings
    from vitrion.store.job_store import open_job_store

    documents = [document for path in paths for document in read_documents(path)]
    target = Path(store or get_settings().store).expanduser()
    job_store = find_job_store(target) if names_store_file(target) else open_job_store(target)
    connect(job_store)
    added = load_documents(job_store, documents)
    job_store.close()
    say(f"{added} documents added, {len(documents) - added} already in the store")


def pool(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Formula or material identifier, whose runs are all combined; or the identifiers "
            "of documents."
        ),
    ],
    phase: PhaseOption = None,
    store: StoreOption = None,
) -> None:
    """Combine independent runs of a material, such as glasses made on several machines."""
    from vitrion.cli.results import answer_lines, print_cautions, rich_table
    from vitrion.comparison.side_by_side import compare
    from vitrion.comparison.temperatures import temperature_table
    from vitrion.database.client import VitrionClient
    from vitrion.database.pooled_runs import add_pooled
    from vitrion.materials.material import MaterialReport

    with VitrionClient(store) as client:
        pooled, added = add_pooled(client, runs, phase)
    material = MaterialReport.from_documents([pooled])
    table = temperature_table([material]).without("material", "formula used")
    console.print(rich_table(table, f"{material.name}: {len(pooled.pooled_from)} runs (95 %)"))
    for line in answer_lines(material):
        say(line)
    print_cautions(console, compare(material))
    say("Added to the store." if added else "The store has this combination already.")


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="Kind of document, such as conductivity.", autocompletion=complete_kind
        ),
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
        if kind is not None:
            raise InputError(
                f"--write writes all kinds of documents: leave out '{kind}' or --write."
            )
        from vitrion.database.schema_pages import write_schemas

        say(f"{len(write_schemas(write))} files written to {write}")
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
    from vitrion.database.builders import build_if_changed
    from vitrion.database.collections import Collections, find_job_store
    from vitrion.service.access import check_address
    from vitrion.service.rest import serve as serve_collections

    token = os.environ.get("VITRION_TOKEN")
    check_address(host, token)
    with Collections(find_job_store(store)) as collections:
        if not collections.is_read_only:
            build_if_changed(collections)
        say(f"Materials and reports: http://{host}:{port}/ (documents: /docs)")
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


def _wanted_fields(searched: PropertyClient, fields: str | None, output: str) -> list[str] | None:
    """Return the names of the fields to show; None for whole documents."""
    from vitrion.database.collections import KEY

    if fields == "all" and output == "table":
        return list(searched.document_class.model_fields)
    if fields == "all" or (fields is None and output == "jsonl"):
        return None
    shown = ["formula_pretty", "phase", "material_id", *searched.key_fields]
    if fields is not None:
        shown = [name.strip() for name in fields.split(",") if name.strip()]
    return shown if output == "table" else list(dict.fromkeys([KEY, *shown]))


def _print_kinds(searches: Iterable[PropertyClient]) -> None:
    from vitrion.database.query import ELEMENT_FILTERS, MATERIAL_NUMBERS, TEXT_FILTERS

    table = new_table("kind", "documents", "quantities to show, filter and sort by")
    for search in searches:
        table.add_row(search.name, str(search.count()), ", ".join(search.key_fields))
    console.print(table)
    names = ", ".join([*TEXT_FILTERS, *MATERIAL_NUMBERS, *ELEMENT_FILTERS, "deprecated"])
    say(f"All kinds can be filtered by {names}.")


def _print_rows(rows: Sequence[dict[str, FieldValue]], *, keep_empty: bool) -> None:
    """Print documents as a table; columns without any value only on request."""
    columns = [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if keep_empty or any(name in row and row[name].value is not None for row in rows)
    ]
    _print_cells(
        columns, [[row[name].text if name in row else "" for name in columns] for row in rows]
    )


def _nothing_found(client: VitrionClient, kind: str) -> str:
    """Return a sentence, with a hint if the store has no document of this kind at all."""
    if kind != "summary" and not client[kind].count(deprecated=None):
        outputs = client.collections.job_store.docs_store
        if invalid := outputs.count({"output.property_name": kind}):
            return (
                f"No documents found. Skipped: {counted(invalid, 'output')} of this kind, not "
                "valid as a document ('vitrion build' lists the reasons)."
            )
    held = {}
    if kind == "summary" and not client.summary.count():
        held = {name: n for name in client.properties if (n := client[name].count())}
    kinds = ", ".join(f"{n} {name}" for name, n in held.items())
    hint = f" The store has documents without a phase: {kinds} (--kind)." if kinds else ""
    return f"No documents found.{hint}"


def _csv_row(row: dict[str, FieldValue]) -> dict[str, Any]:
    """Return the values of a row, each followed by the ends of its 95 % interval."""
    values: dict[str, Any] = {}
    for name, cell in row.items():
        values[name] = cell.plain
        if cell.interval is not None:
            values[f"{name}_low"], values[f"{name}_high"] = cell.interval
    return values


def _print_cells(heads: list[str], rows: list[list[str]]) -> None:
    """Print a table that fits the terminal: transposed or truncated, with a note, if necessary."""
    columns = [list(cells) for cells in zip(heads, *rows, strict=True)]
    whole = [max(map(len, cells)) for cells in columns]
    narrow = [max(map(len, [*_parts(head), *cells])) for head, *cells in columns]
    turned = [max(map(len, cells)) for cells in zip(*columns, strict=True)]
    if _fitting(whole) == len(heads):
        _print_table(heads, rows, whole)
    elif _fitting(narrow) == len(heads):
        _print_table(heads, rows, narrow)
    elif _fitting(turned) == len(turned):
        _print_table(columns[0], columns[1:], turned)
    else:
        shown = max(1, _fitting(narrow))
        _print_table(heads[:shown], [row[:shown] for row in rows], narrow)
        if shown < len(heads):
            say(f"Columns not shown: {', '.join(heads[shown:])}. Use --fields or --format csv.")


def _fitting(widths: Sequence[int]) -> int:
    """Return how many columns of these widths fit the terminal."""
    return sum(end <= console.width for end in accumulate(width + GAP for width in widths))


def _parts(head: str) -> list[str]:
    """Return the parts of a head, which may be broken after underscores and dots."""
    return re.findall(r"[^_.]*[_.]|[^_.]+", head)


def _broken(head: str, width: int) -> str:
    """Return a head in lines of at most a width."""
    lines = [""]
    for part in _parts(head):
        if len(lines[-1]) + len(part) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(lines)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], widths: list[int]) -> None:
    table = new_table(
        *(_broken(head, width) for head, width in zip(heads, widths, strict=False)),
        box=SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for row in rows:
        table.add_row(*row)
    console.print(table)
