"""The command that analyzes trajectories of any program."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrion.cli.options import FigureFormatOption, PhaseOption, check_figure_format
from vitrion.cli.printing import console, error_console, new_table, say
from vitrion.errors import InputError
from vitrion.runtime.plain_numbers import read_number

if TYPE_CHECKING:
    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        epilog="Examples:  vitrion analyze XDATCAR --temperature 600 --frame-interval 50   |   "
        "vitrion analyze 500K.dump:500 600K.dump:600 700K.dump:700 --timestep 2 --types Li,P,O"
    )(analyze)


def analyze(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Trajectories: XDATCAR, vasprun.xml, LAMMPS dump, xyz, traj, ... Several are "
            "segments of one run, or runs at several temperatures (file:T, or one --temperature "
            "per file)."
        ),
    ],
    mobile: Annotated[str, typer.Option(help="Mobile species: Li, Li+ or Li,Na.")] = "Li",
    temperature: Annotated[
        list[str] | None,
        typer.Option(help="Temperature in K: one, or one per file in their order: 600,700."),
    ] = None,
    frame_interval: Annotated[
        str | None, typer.Option(help="Time between frames in fs, if the file does not state it.")
    ] = None,
    timestep: Annotated[
        str | None, typer.Option(help="MD time step in fs, for files with step numbers (LAMMPS).")
    ] = None,
    skip: Annotated[str, typer.Option(help="Equilibration to skip, in ps.")] = "0",
    types: Annotated[
        str | None, typer.Option(help="Elements of LAMMPS types 1, 2, ...: Li,P,O; or 1=Li,3=O.")
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Cell of a file without one: a,b,c in A; a,b,c,alpha,beta,gamma; or the nine "
            "components of the lattice vectors."
        ),
    ] = None,
    charge: Annotated[
        str | None,
        typer.Option(help="Charges of the mobile species in e, in their order: 1,-2."),
    ] = None,
    phase: PhaseOption = None,
    replicas: Annotated[
        bool,
        typer.Option(
            "--replicas", help="Files at one temperature are independent runs, not segments."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the document as JSON instead of tables.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print one row per temperature as CSV.")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(help="Folder for figures (MSD, Arrhenius, ...).")
    ] = None,
    figure_format: FigureFormatOption = "svg",
    store: Annotated[
        Path | None,
        typer.Option("--store", "-s", help="Folder of results to which the document is added."),
    ] = None,
) -> None:
    """Compute diffusivity and conductivity with intervals from trajectories of any program."""
    from vitrion.cli.places import results_folder
    from vitrion.conductivity.trajectories import analyze_runs, group_runs
    from vitrion.documents.base import check_phase
    from vitrion.runtime.atomic import check_folder

    check_figure_format(figure_format)
    if figures is not None:
        check_folder(figures)
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: remove one.")
    species, common_charge = _species(mobile, charge)
    temperatures = [
        read_number(word, "--temperature", "K")
        for words in temperature or ()
        for word in words.split(",")
    ]
    options: dict[str, Any] = {
        "frame_interval_fs": _optional(frame_interval, "--frame-interval"),
        "timestep_fs": _optional(timestep, "--timestep"),
        "skip_ps": read_number(skip, "--skip", "ps"),
        "type_map": types,
        "cell": cell,
        "phase": check_phase(phase),
    }
    folder = None if store is None else results_folder(store)
    runs = group_runs(files, temperatures, replicas=replicas)
    document = analyze_runs(runs, species, common_charge, **options)
    if folder is not None:
        _store(document, folder)
    if as_json:
        print(document.model_dump_json(indent=1))
    elif as_csv:
        _print_csv(document)
        for result in document.results:
            for warning in result.warnings:
                say(f"{result.temperature_K:g} K: {warning}", error_console)
    else:
        _print_tables(document)
    if figures is not None:
        _draw(document, figures, figure_format, quiet=as_json or as_csv)


def _optional(time: str | None, option: str) -> float | None:
    return None if time is None else read_number(time, option, "fs")


def _species(mobile: str, charge: str | None) -> tuple[Any, float | None]:
    """Return the mobile species, with their charges if several are given."""
    if charge is None:
        return mobile, None
    charges = _numbers(charge, "charges", "1 or 1,-2")
    if len(charges) == 1:
        return mobile, charges[0]
    names = [word for word in mobile.replace(",", " ").split() if word]
    if len(names) != len(charges):
        raise InputError(
            f"{len(names)} mobile species have {len(charges)} charges: give one charge for each."
        )
    return dict(zip(names, charges, strict=True)), None


def _numbers(text: str, what: str, example: str) -> list[float]:
    try:
        return [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise InputError(f"'{text}' is not a list of {what}: write it like {example}.") from None


def _store(document: ConductivityDoc, folder: Path) -> None:
    """Store the document as the output of a job."""
    from jobflow import job, run_locally

    from vitrion.cli.places import open_store
    from vitrion.conductivity.document import ConductivityDoc
    from vitrion.runtime.atomic import make_folder

    make_folder(folder)
    keep = job(_as_it_is, name="conductivity from trajectories", output_schema=ConductivityDoc)
    kept = keep(document)
    kept.set_uuid(_identifier(document))
    with open_store(folder) as job_store:
        run_locally(kept, store=job_store, raise_immediately=True, log=False)


def _identifier(document: ConductivityDoc) -> str:
    """Return an identifier of the results, so that a repeated analysis is stored once."""
    from uuid import NAMESPACE_URL, uuid5

    content = document.model_dump_json(exclude={"builder_meta", "last_updated", "provenance"})
    return str(uuid5(NAMESPACE_URL, content))


def _as_it_is(document: ConductivityDoc) -> ConductivityDoc:
    return document


def _print_tables(document: ConductivityDoc) -> None:
    from vitrion.cli.results import answer_lines, rich_table
    from vitrion.comparison.temperatures import temperature_table
    from vitrion.materials.material import MaterialReport
    from vitrion.transport.rows import table

    if len(document.results) == 1:
        shown = new_table("quantity", "value", "unit", "95 % interval")
        for row in table(document.results[0]):
            shown.add_row(*row)
        console.print(shown)
        return
    material = MaterialReport.from_documents([document])
    ions = ", ".join(document.mobile_species)
    title = f"{document.formula_pretty}: transport of {ions} (95 % intervals)"
    by_temperature = temperature_table([material]).without("material", "formula used", "replicas")
    console.print(rich_table(by_temperature, title))
    for result in document.results:
        for line in _remarks(result):
            say(f"- {result.temperature_K:g} K: {line}")
    refusals = [] if document.arrhenius is None else document.arrhenius.refusals
    for line in [*answer_lines(material), *refusals]:
        say(line)


def _remarks(result: TransportResult) -> list[str]:
    """Return the limitations of a result at one temperature, and its provisional value if any."""
    lines = list(result.warnings)
    found = result.provisional
    if not result.diffusive:
        lines.append(result.regime.reason)
    if found is not None:
        lines.append(
            f"provisional D* {found.self_diffusivity.text} cm2/s, not used because the run is not "
            "diffusive."
        )
    return lines


CSV_COLUMNS = (
    "temperature_K", "duration_ps", "n_frames", "n_replicas", "diffusive", "n_hops",
    "D_self_cm2_s", "D_self_low", "D_self_high", "D_self_bound", "D_self_provisional",
    "sigma_mS_cm", "sigma_low", "sigma_high", "sigma_bound", "sigma_formula", "haven_ratio",
)  # fmt: skip
"""Columns of ``--csv``; intervals are at 95 %."""


def _print_csv(document: ConductivityDoc) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for result in document.results:
        found = result.provisional
        writer.writerow(
            [
                result.temperature_K, result.duration_ps, result.n_frames, result.n_replicas,
                result.diffusive, result.hops.n_hops,
                *_csv_value(result.self_diffusivity), result.diffusivity_bound_cm2_s,
                None if found is None else found.self_diffusivity.value,
                *_csv_value(result.conductivity), result.conductivity_bound_mS_cm,
                result.headline if result.conductivity else None,
                None if result.haven_ratio is None else result.haven_ratio.value,
            ]
        )  # fmt: skip


def _csv_value(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if estimate is None else (estimate.value, *estimate.interval_95)


def _draw(document: ConductivityDoc, folder: Path, file_format: str, *, quiet: bool) -> None:
    from vitrion.materials.material import MaterialReport
    from vitrion.report.draw import save_figures

    for file in save_figures([MaterialReport.from_documents([document])], folder, file_format):
        if not quiet:
            say(str(file))
