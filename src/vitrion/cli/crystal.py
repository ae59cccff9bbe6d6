"""The commands ``search`` and ``defects``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrion.cli.completion import one_of
from vitrion.cli.options import (
    DEFAULT_STORE,
    DryRunOption,
    FolderOption,
    RecipeOptions,
    WorkersOption,
    takes_recipe,
)
from vitrion.cli.places import open_store, results_folder, worker_count
from vitrion.cli.printing import console, error_console, new_table, say
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure


SHOWN = 10
"""Maximum number of crystals in the table."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example:  vitrion search LiPO2F2 --max-relaxations 100")(search)
    app.command(epilog="Example:  vitrion defects LiF.cif --kind frenkel --kind vacancy")(defects)


@takes_recipe(sections=("search", "potential", "seed", "allow_unbalanced"))
def search(
    formula: Annotated[
        str, typer.Argument(help="Composition, such as LiPO2F2, or a recipe file (.yaml).")
    ],
    options: RecipeOptions,
    workers: WorkersOption = None,
    store: FolderOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for CIF files of the crystals.")
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Search for the most stable crystal of a composition.

    The result is a document of the store (vitrion query --kind polymorphs). Rerun the command to
    resume an interrupted search.
    """
    from vitrion.chemistry.formulas import usual_formula
    from vitrion.cli.dry_run import print_search_plan
    from vitrion.cli.results import polymorph_table, stability_line
    from vitrion.flows.crystal_search import check_search, run_search
    from vitrion.flows.display import RunDisplay
    from vitrion.runtime.atomic import make_folder

    count = worker_count(workers)
    recipe = options.recipe(formula)
    folder = results_folder(store)
    composition, settings, spec = check_search(recipe)
    if dry_run:
        formula = usual_formula(composition)
        print_search_plan(recipe.replace(formula=formula, potential=spec.name), count)
        return
    recipe = recipe.model_copy(update={"search": settings})  # its files are read once
    if output is not None:
        make_folder(output)  # an invalid folder is refused before the search
    with open_store(folder) as job_store, RunDisplay() as display:
        document = run_search(recipe, job_store, folder, workers=count, on_change=display.update)
    console.print(polymorph_table(document.require_crystals(), SHOWN))
    if document.stability is not None:
        say(stability_line(document.stability))
    for remark in document.remarks:
        say(remark)
    where = f"document in {folder}"
    if output is not None:
        for rank, crystal in enumerate(document.polymorphs, start=1):
            crystal.structure.to(filename=str(output / f"{rank:03d}.cif"))
        where += f", CIF files in {output}"
    say(where[0].upper() + where[1:])


@takes_recipe(None, ("defects", "potential", "mobile", "seed"))
def defects(
    target: Annotated[str, typer.Argument(help="Structure file, or identifier in the store.")],
    options: RecipeOptions,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="interstitial, vacancy or frenkel; repeatable.",
            autocompletion=one_of("interstitial", "vacancy", "frenkel"),
        ),
    ] = None,
    barrier: Annotated[
        list[str] | None,
        typer.Option(
            help="Migration barriers: vacancy or interstitial; repeatable.",
            autocompletion=one_of("vacancy", "interstitial"),
        ),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            help="crystalline or amorphous (or crystal, glass).",
            autocompletion=one_of("crystalline", "amorphous"),
        ),
    ] = None,
    trajectory: Annotated[
        str | None, typer.Option(help="Trajectory whose density peaks are added as sites.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for results; rerun to resume.")
    ] = Path("defects"),
    store: Annotated[
        Path | None,
        typer.Option(
            "--store", "-s", help=f"Store of a structure named by its identifier ({DEFAULT_STORE})."
        ),
    ] = None,
) -> None:
    """Compute interstitials, vacancies, Frenkel pairs and barriers of a relaxed structure."""
    from vitrion.chemistry.phases import read_phase
    from vitrion.flows.run_recipe import recipe_potential
    from vitrion.landscape.command import read_structure, run_defects

    named = read_phase(phase)
    if named not in (None, "crystalline", "amorphous"):
        raise InputError(f"The phase must be crystalline or amorphous, not '{phase}'.")
    if kind:
        options = options.with_changes({"defects": {"kinds": kind}})
    if barrier:
        options = options.with_changes({"defects": {"barriers": {"mechanisms": barrier}}})
    recipe = options.recipe()
    structure = read_structure(target, lambda name: _stored_structure(name, store))
    report = run_defects(
        structure,
        recipe.defects.model_copy(update={"phase": named}),
        directory=output,
        potential=recipe_potential(recipe, structure.symbol_set).name,
        trajectory=trajectory,
        on_progress=lambda done, total: say(f"{done} of {total} defects", error_console),
    )
    table = new_table("quantity", "value")
    for row in report.rows:
        table.add_row(*row)
    console.print(table)
    say(f"Document in {report.path}")


def _stored_structure(identifier: str, store: Path | None) -> Structure | None:
    """Return the structure of a stored document by its identifier, or None."""
    from vitrion.database.client import VitrionClient
    from vitrion.database.collections import find_job_store
    from vitrion.errors import StoreError

    try:
        job_store = find_job_store(store)
    except StoreError:
        if store is not None:
            raise
        return None  # no store yet
    with VitrionClient(job_store) as client:
        for name in client.properties:
            try:
                return client[name].get(identifier).structure
            except InputError:
                continue
    return None
