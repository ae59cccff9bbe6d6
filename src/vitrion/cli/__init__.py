"""The command line interface ``vitrion``."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from vitrion.cli import analyze, crystal, database, distill, launchpad, potential, report, run
from vitrion.cli.interruption import InterruptibleGroup
from vitrion.cli.outside import outside_message
from vitrion.cli.printing import console, new_table, say_error
from vitrion.errors import InputError, VitrionError
from vitrion.runtime.processes import ONE_THREAD

app = typer.Typer(
    name="vitrion",
    cls=InterruptibleGroup,
    help="Ion transport in crystals and glasses: from a composition to its conductivity.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
run.register(app)
distill.register(app)
analyze.register(app)
crystal.register(app)
database.register(app)
potential.register(app)
launchpad.register(app)
report.register(app)

EXIT_FAILURE, EXIT_BAD_INPUT = 1, 2
EXTRAS = {"chgnet": "chgnet", "fastapi": "serve", "fireworks": "fireworks", "uvicorn": "serve"}
"""Extra of vitrion that installs a package, by the name of the package."""


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


@app.command(epilog="Example:  vitrion doctor")
def doctor() -> None:
    """Check this machine, and state a remedy for each failure."""
    from vitrion.doctor import examine

    colors = {"ok": "green", "note": "yellow", "fault": "red"}
    table = new_table("", "what", "found")
    findings = examine()
    for finding in findings:
        status = Text(finding.status, style=colors[finding.status])
        table.add_row(status, finding.subject, finding.detail)
    console.print(table)
    if any(finding.status == "fault" for finding in findings):
        raise typer.Exit(EXIT_FAILURE)


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
        say_error(str(exc))
        sys.exit(EXIT_BAD_INPUT if isinstance(exc, InputError) else EXIT_FAILURE)
    except ModuleNotFoundError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        say_error(f"This command needs {package}: pip install 'vitrion[{EXTRAS[package]}]'.")
        sys.exit(EXIT_BAD_INPUT)
    except Exception as exc:
        sentence = outside_message(exc)
        if sentence is None:
            raise
        say_error(sentence)
        sys.exit(EXIT_FAILURE)
