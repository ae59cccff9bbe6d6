"""Entry point of the command line interface ``vitrion``."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from vitrion.cli import analyze, crystal, database, distill, launchpad, report, run, validate
from vitrion.cli.completion import complete_potential
from vitrion.cli.interruption import InterruptibleGroup
from vitrion.cli.outside import outside_message
from vitrion.errors import InputError, VitrionError
from vitrion.runtime.processes import ONE_THREAD

if TYPE_CHECKING:
    from vitrion.potentials import PotentialSpec

app = typer.Typer(
    name="vitrion",
    cls=InterruptibleGroup,
    help="Ion transport in crystals and glasses: from a composition to its conductivity.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
potential_app = typer.Typer(help="List and describe interatomic potentials.")
app.add_typer(potential_app, name="potential")
run.register(app)
distill.register(app)
analyze.register(app)
crystal.register(app)
database.register(app)
launchpad.register(app)
report.register(app)
validate.register(potential_app)

console = Console()
error_console = Console(stderr=True)

EXIT_FAILURE, EXIT_BAD_INPUT = 1, 2
EXTRAS = {"chgnet": "chgnet", "fastapi": "serve", "fireworks": "fireworks", "uvicorn": "serve"}
"""Extra of vitrion that installs a package, by the name of the package."""

MORE_POTENTIALS = "Also: mace:<foundation model> (downloaded when first used) and mace:<file>."


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"vitrion {version('vitrion')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Ion transport in crystals and glasses: from a composition to its conductivity."""


@potential_app.command("list", epilog="Example:  vitrion potential list Na3PS4")
def potential_list(
    formula: Annotated[
        str | None, typer.Argument(help="Composition: show which potentials know its elements.")
    ] = None,
) -> None:
    """List the potentials that are available without a download."""
    from vitrion.potentials import list_potentials

    if formula is not None:
        _print_knowing(formula)
        return
    table = Table(Column("name", no_wrap=True), "backend", "functional", "elements", "trained on")
    for spec in list_potentials():
        elements = "?" if spec.elements is None else _short_elements(spec.elements)
        table.add_row(
            _listed_name(spec), spec.backend, spec.functional, elements, spec.training_set
        )
    console.print(table)
    console.print(MORE_POTENTIALS)


@potential_app.command("show", epilog="Example:  vitrion potential show chgnet")
def potential_show(
    name: Annotated[
        str, typer.Argument(help="Name of the potential.", autocompletion=complete_potential)
    ],
) -> None:
    """Show the metadata of a potential."""
    from vitrion.potentials import describe_potential
    from vitrion.potentials.calculators import evaluation_of_potential

    table = Table(show_header=False)
    for field, value in describe_potential(name).model_dump().items():
        text = " ".join(value) if isinstance(value, tuple) else str(value)
        table.add_row(field, Text(text, overflow="fold"))
    evaluation, reason = evaluation_of_potential(name)
    text = f"{evaluation or 'known once it is loaded'}{f' ({reason})' if reason else ''}"
    table.add_row("evaluated by", Text(text, overflow="fold"))
    console.print(table)


@app.command(epilog="Example:  vitrion doctor")
def doctor() -> None:
    """Check this machine, and state a remedy for each failure."""
    from vitrion.doctor import examine

    colors = {"ok": "green", "note": "yellow", "fault": "red"}
    table = Table("", "what", "found")
    findings = examine()
    for finding in findings:
        color = colors[finding.status]
        table.add_row(f"[{color}]{finding.status}[/]", finding.subject, finding.detail)
    console.print(table)
    if any(finding.status == "fault" for finding in findings):
        raise typer.Exit(EXIT_FAILURE)


def _print_knowing(formula: str) -> None:
    """Print which potentials know the elements of a formula, and how to get a fast one."""
    from vitrion.chemistry.formulas import parse_composition, plain_formula
    from vitrion.potentials import list_potentials
    from vitrion.potentials.known_elements import lacking

    composition = parse_composition(formula)
    symbols, plain = [element.symbol for element in composition], plain_formula(composition)
    table = Table(
        Column("name", no_wrap=True), Column(f"knows {plain}", no_wrap=True), "functional"
    )
    knowing = set()
    for spec in list_potentials():
        missing = lacking(spec, symbols)
        verdict = f"no: {', '.join(missing)}" if missing else "yes"
        table.add_row(_listed_name(spec), verdict, spec.functional)
        knowing |= set() if missing else {spec.backend}
    console.print(table)
    console.print(MORE_POTENTIALS)
    if knowing == {"chgnet"}:
        console.print(f"A fast one for these elements:  vitrion distill {plain}")


def _listed_name(spec: PotentialSpec) -> str:
    from vitrion.potentials import DEFAULT_POTENTIAL

    return spec.name + (" (default)" if spec.name == DEFAULT_POTENTIAL else "")


def _short_elements(elements: tuple[str, ...]) -> str:
    return " ".join(elements) if len(elements) <= 8 else f"{len(elements)} elements"


def main() -> None:
    """Run the command line; an error is one sentence on stderr and a non-zero exit code."""
    # Set before numpy and torch start: several threads per process are slower.
    for variable, value in ONE_THREAD.items():
        os.environ.setdefault(variable, value)
    # Warnings of libraries address developers; worker processes inherit the variable.
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    warnings.simplefilter("ignore")
    try:
        app()
    except VitrionError as exc:
        error_console.print(f"[red]Error:[/] {escape(str(exc))}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_BAD_INPUT if isinstance(exc, InputError) else EXIT_FAILURE)
    except ModuleNotFoundError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        error_console.print(
            f"[red]Error:[/] This command needs {package}: pip install 'vitrion"
            f"{escape(f'[{EXTRAS[package]}]')}'.",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(EXIT_BAD_INPUT)
    except Exception as exc:
        sentence = outside_message(exc)
        if sentence is None:
            raise
        error_console.print(f"[red]Error:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_FAILURE)
