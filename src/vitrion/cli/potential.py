"""The commands ``potential list``, ``potential show`` and ``potential validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column
from rich.text import Text

from vitrion.cli import validate
from vitrion.cli.completion import complete_potential
from vitrion.cli.printing import console, new_table, say

if TYPE_CHECKING:
    from vitrion.potentials import PotentialSpec


MORE_POTENTIALS = "Also: mace:<foundation model> (downloaded when first used) and mace:<file>."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    commands = typer.Typer(help="List, describe and validate interatomic potentials.")
    commands.command("list", epilog="Example:  vitrion potential list Na3PS4")(potential_list)
    commands.command("show", epilog="Example:  vitrion potential show chgnet")(potential_show)
    validate.register(commands)
    app.add_typer(commands, name="potential")


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
    table = new_table(
        Column("name", no_wrap=True), "backend", "functional", "elements", "trained on"
    )
    for spec in list_potentials():
        elements = "?" if spec.elements is None else _short_elements(spec.elements)
        table.add_row(
            _listed_name(spec), spec.backend, spec.functional, elements, spec.training_set
        )
    console.print(table)
    say(MORE_POTENTIALS)


def potential_show(
    name: Annotated[
        str, typer.Argument(help="Name of the potential.", autocompletion=complete_potential)
    ],
) -> None:
    """Show the metadata of a potential."""
    from vitrion.potentials import describe_potential
    from vitrion.potentials.calculators import evaluation_of_potential

    table = new_table(show_header=False)
    for field, value in describe_potential(name).model_dump().items():
        text = " ".join(value) if isinstance(value, tuple) else str(value)
        table.add_row(field, Text(text, overflow="fold"))
    evaluation, reason = evaluation_of_potential(name)
    text = f"{evaluation or 'known once it is loaded'}{f' ({reason})' if reason else ''}"
    table.add_row("evaluated by", Text(text, overflow="fold"))
    console.print(table)


def _print_knowing(formula: str) -> None:
    """Print which potentials know the elements of a formula, and how to get a fast one."""
    from vitrion.chemistry.formulas import parse_composition, plain_formula
    from vitrion.potentials import list_potentials
    from vitrion.potentials.known_elements import lacking

    composition = parse_composition(formula)
    symbols, plain = [element.symbol for element in composition], plain_formula(composition)
    table = new_table(
        Column("name", no_wrap=True), Column(f"knows {plain}", no_wrap=True), "functional"
    )
    knowing = set()
    for spec in list_potentials():
        missing = lacking(spec, symbols)
        verdict = f"no: {', '.join(missing)}" if missing else "yes"
        table.add_row(_listed_name(spec), verdict, spec.functional)
        knowing |= set() if missing else {spec.backend}
    console.print(table)
    say(MORE_POTENTIALS)
    if knowing == {"chgnet"}:
        say(f"A fast one for these elements:  vitrion distill {plain}")


def _listed_name(spec: PotentialSpec) -> str:
    from vitrion.potentials import DEFAULT_POTENTIAL

    return spec.name + (" (default)" if spec.name == DEFAULT_POTENTIAL else "")


def _short_elements(elements: tuple[str, ...]) -> str:
    return " ".join(elements) if len(elements) <= 8 else f"{len(elements)} elements"
