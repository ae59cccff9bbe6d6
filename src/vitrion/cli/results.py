"""Tables and sentences printed at the end of commands."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from rich.table import Column

from vitrion.amorphous.document import numbered
from vitrion.chemistry.phases import RUN_PHASES
from vitrion.cli.printing import new_table, say
from vitrion.comparison.side_by_side import compare
from vitrion.comparison.temperatures import temperature_table
from vitrion.materials.material import MaterialReport
from vitrion.materials.quantities import activation_energy, sigma_300K
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from vitrion.amorphous.document import AmorphousDoc
    from vitrion.comparison.side_by_side import Comparison
    from vitrion.comparison.tables import Table as TableData
    from vitrion.flows.recipe import Recipe
    from vitrion.flows.run_recipe import RunResult
    from vitrion.flows.screen import Outcome
    from vitrion.polymorphs.document import PolymorphDoc, Stability

Coordination = dict[str, dict[str, float]]

SOFT_PER_CM = 15.0
"""Imaginary frequencies (1/cm) up to this value are attributed to finite displacements."""

BEST = 5
"""Maximum number of crystals in the table."""


def print_result(console: Console, recipe: Recipe, result: RunResult, folder: Path) -> None:
    """Print the results of a run: details first, the comparison last."""
    if not (result.report.completed or result.report.errors):
        console.print("This run is already finished. Its results:")
    found = result.latest("polymorphs")
    if found is not None:
        console.print(polymorph_table(found, BEST))
    glasses = result.of_kind("amorphous")
    if glasses:
        console.print(_glass_table(glasses))
    materials = phase_reports(result)
    for material in materials:
        table = temperature_table([material]).without("material", "formula used", "replicas")
        if table.rows:
            console.print(rich_table(table, f"{material.name}: transport (95 % intervals)"))
    print_comparison(console, compare(*materials, failed_steps=result.report.errors))
    say(f"HTML page: vitrion report {recipe.formula} --store {quote(str(folder))}", console)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the comparison of materials, the tests of their landscapes, and all cautions."""
    console.print(rich_table(comparison.table))
    if comparison.claims:
        console.print(rich_table(comparison.claim_table))
    print_cautions(console, comparison)


def print_cautions(console: Console, comparison: Comparison) -> None:
    """Print all cautions about materials."""
    console.print("How much to trust it", style="bold")
    for line in caution_lines(comparison):
        say(f"- {line}", console)


def caution_lines(comparison: Comparison) -> list[str]:
    """Return the cautions by rank, then the potentials."""
    ranked = [f"{caution.severity}: {caution.sentence}" for caution in comparison.cautions]
    return [*ranked, *comparison.potentials]


def rich_table(table: TableData, title: str | None = None) -> Table:
    """Return a table for the terminal."""
    columns = [
        Column(one.name, justify="right" if one.numeric else "left", overflow="fold")
        for one in table.columns
    ]
    shown = new_table(*columns, title=title or table.caption)
    for row in table.rows:
        shown.add_row(*(cell.text for cell in row))
    return shown


def answer_lines(material: MaterialReport) -> list[str]:
    """Return the known ones of conductivity at 300 K and activation energy, with intervals."""
    values = (
        ("sigma(300 K)", sigma_300K(material), "mS/cm"),
        ("Activation energy", activation_energy(material), "eV"),
    )
    return [f"{name}: {value.text} {unit}" for name, value, unit in values if value is not None]


def print_screen(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print one line per composition and phase, by decreasing conductivity."""
    table = new_table(
        "material", "sigma(300 K) (mS/cm)", "Ea (eV)", title="Screen (95 % intervals)"
    )
    rows = []
    for outcome in outcomes:
        for report in phase_reports(outcome.result) if outcome.result else []:
            sigma, barrier = sigma_300K(report), activation_energy(report)
            rank = 0.0 if sigma is None else (sigma.value or 0.0)
            texts = ("-" if q is None else q.text for q in (sigma, barrier))
            rows.append((rank, (report.name, *texts)))
    for _, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*cells)
    console.print(table)
    for outcome in outcomes:
        if outcome.error:
            say(f"{outcome.recipe.formula}: {outcome.error}", console)


def phase_reports(result: RunResult) -> list[MaterialReport]:
    """Return the documents of each phase as a report, the crystal first."""
    return [
        MaterialReport.from_documents(found)
        for phase in RUN_PHASES
        if (found := [d for kind in result.documents for d in result.of_kind(kind, phase)])
    ]


def polymorph_table(document: PolymorphDoc, most: int) -> Table:
    """Return a table of the most stable crystals of a search."""
    table = new_table("rank", "space group", "E above hull (eV/atom)", "density (g/cm3)", "found")
    relaxed = counted(document.n_relaxations, "relaxation")
    table.title = f"Crystals, after {relaxed}: {document.stop_reason}"
    for rank, crystal in enumerate(document.polymorphs[:most], start=1):
        above = crystal.energy_above_hull_eV_per_atom
        table.add_row(
            str(rank),
            crystal.space_groups[-1].symbol if crystal.space_groups else "-",
            "-" if above is None else f"{above:z.3f}",
            f"{crystal.density_g_per_cm3:.2f}",
            str(crystal.times_found),
        )
    return table


def stability_line(found: Stability) -> str:
    """Return a sentence with the stability tests of the lowest crystal."""
    soft = found.lowest_phonon_per_cm < -SOFT_PER_CM
    kept = all(_alike(found.coordination_before, later) for later in found.coordination_during)
    return (
        f"Best crystal: {'a soft mode' if soft else 'no soft mode'} (lowest phonon "
        f"{found.lowest_phonon_per_cm:.0f} 1/cm, {found.n_atoms} atoms); after "
        f"{found.duration_ps:g} ps at {found.temperature_K:g} K its bonds have "
        f"{'stayed' if kept else 'changed'}."
    )


def _alike(before: Coordination, later: Coordination) -> bool:
    """Return whether the most frequent neighbor species of each element are equal."""
    return all(
        max(shells, key=shells.__getitem__) == max(later[element], key=later[element].__getitem__)
        for element, shells in before.items()
        if shells and later.get(element)
    )


def _glass_table(glasses: Sequence[AmorphousDoc]) -> Table:
    heads = ("glass", "verdict", "density, equilibrated (g/cm3)", "species of the formers")
    table = new_table(*heads, title="Glasses")
    for number, glass in numbered(glasses):
        verdict = "amorphous" if glass.is_amorphous else "NOT amorphous"
        density = glass.density_equilibrated_g_per_cm3
        table.add_row(
            str(number),
            verdict,
            "-" if density is None else f"{density:.2f}",
            glass.speciation.text,
        )
    return table
