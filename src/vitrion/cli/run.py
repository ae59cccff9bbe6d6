"""The commands ``run``, ``screen`` and ``compare``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrion.cli.options import (
    DeviceOption,
    DryRunOption,
    FolderOption,
    RecipeOptions,
    StoreOption,
    WorkersOption,
    takes_recipe,
)
from vitrion.cli.places import open_store, results_folder, use_device, worker_count
from vitrion.cli.printing import console, say
from vitrion.errors import InputError
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from vitrion.database.client import VitrionClient
    from vitrion.distill.distill_settings import DistillSettings
    from vitrion.flows.display import RunDisplay
    from vitrion.flows.recipe import Recipe
    from vitrion.materials.material import MaterialReport


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example:  vitrion run LiPO2F2 --preset quick")(run)
    app.command(epilog="Example:  vitrion screen --grid LiF-Li3PO4-P2O5 --steps 3")(screen)
    app.command(epilog="Example:  vitrion compare LiPO2F2:crystalline LiPO2F2:amorphous")(compare)


@takes_recipe()
def run(
    formula: Annotated[
        str, typer.Argument(help="Composition, such as LiPO2F2, or a recipe file (.yaml).")
    ],
    options: RecipeOptions,
    store: FolderOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = None,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill", help="First distill a fast student of CHGNet for the formula, if absent."
        ),
    ] = False,
    learn: Annotated[
        bool,
        typer.Option(
            "--learn",
            help="Retrain the potential of 'vitrion distill' on frames that leave its trained "
            "range, and repeat the run.",
        ),
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Compute conductivity, defects and site energies of a composition's crystal and glass.

    Rerun the command to resume an interrupted run, or to print the results of a finished one.
    """
    from vitrion.cli.dry_run import print_plans
    from vitrion.cli.results import print_result
    from vitrion.flows.run_recipe import run_recipe

    folder = results_folder(store)
    count = worker_count(workers)
    use_device(device)
    student = None
    if distill:
        options, student = _with_student(formula, options, folder, count, dry_run=dry_run)
    (recipe,) = options.recipes([formula])
    if learn and not (distill and dry_run):  # then there is no student yet
        from vitrion.distill.learning import check_can_learn

        check_can_learn(str(recipe.potential))
    if dry_run:
        print_plans([recipe], count, student=student)
        return
    say(_headline(recipe, folder))
    with open_store(folder) as job_store, _display() as display:
        _start_display(display, recipe, folder, count)
        if learn:
            from vitrion.flows.student_runs import run_and_learn

            recipe, result = run_and_learn(
                recipe,
                job_store,
                folder,
                workers=count,
                on_change=display.update,
                report=say,
            )
        else:
            result = run_recipe(recipe, job_store, folder, workers=count, on_change=display.update)
    print_result(console, recipe, result, folder)
    if not result.of_kind("conductivity"):
        result.report.raise_for_errors()
    if result.report.errors:
        raise typer.Exit(1)


@takes_recipe("quick", phase="amorphous")
def screen(
    compositions: Annotated[
        Path | None,
        typer.Argument(help="CSV file with a column 'formula', or one formula per line."),
    ] = None,
    grid: Annotated[
        str | None, typer.Option(help="End members of a grid, such as LiF-Li3PO4-P2O5.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps along each edge of the grid.")] = 4,
    query: Annotated[
        list[str] | None,
        typer.Option(help="Compositions in the store that satisfy conditions of 'vitrion query'."),
    ] = None,
    known: Annotated[
        bool, typer.Option("--known", help="Add LiF, Li2O, Li2CO3 and Li3PO4 for comparison.")
    ] = False,
    *,
    options: RecipeOptions,
    store: FolderOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Run many compositions one after the other; results in the store are reused.

    Failures are reported at the end and do not stop the other runs.
    """
    from vitrion.chemistry.composition_lists import read_compositions
    from vitrion.cli.database import parse_conditions
    from vitrion.cli.dry_run import print_plans
    from vitrion.cli.results import print_screen
    from vitrion.flows.screen import (
        composition_grid,
        find_formulas,
        known_recipes,
        run_screen,
    )

    folder = results_folder(store)
    count = worker_count(workers)
    use_device(device)
    wanted = read_compositions(compositions) if compositions is not None else []
    wanted += find_formulas(folder, "summary", **parse_conditions(query)) if query else []
    wanted += composition_grid(grid, steps) if grid is not None else []
    recipes = options.recipes(wanted)  # all are validated before the first run
    if known:
        recipes += known_recipes(options.recipe())
    recipes = list({recipe.run_id: recipe for recipe in recipes}.values())
    if not recipes:
        raise InputError(
            "Name a file of compositions, a --grid of end members, a --query or --known."
        )
    if dry_run:
        print_plans(recipes, count)
        return

    def start(number: int, recipe: Recipe) -> None:
        say(f"{number + 1} of {len(recipes)}: {_headline(recipe, folder)}")
        _start_display(display, recipe, folder, count, number, len(recipes))

    with open_store(folder) as job_store, _display() as display:
        outcomes = run_screen(
            recipes,
            job_store,
            folder,
            workers=count,
            on_change=display.update,
            on_start=start,
        )
    print_screen(console, outcomes)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


def compare(
    first: Annotated[str, typer.Argument(help="Formula or identifier, or FORMULA:PHASE.")],
    second: Annotated[
        str | None,
        typer.Argument(help="Second material; default: the glass, compared with the crystal."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Compare two materials of the store, or the crystal and the glass of one."""
    from vitrion.cli.results import print_comparison
    from vitrion.comparison.side_by_side import compare as compare_materials
    from vitrion.database.client import VitrionClient

    with VitrionClient(store) as client:
        if second is None:
            found = _reports(client, first)
            pair = _the(found, first, "crystalline"), _the(found, first, "amorphous")
        else:
            pair = _the(_reports(client, first), first), _the(_reports(client, second), second)
    if pair[0] == pair[1]:
        raise InputError(
            f"Both materials are {pair[0].name}: name two, such as {pair[0].formula}:crystalline "
            f"and {pair[0].formula}:amorphous."
        )
    print_comparison(console, compare_materials(*pair))


def _with_student(
    formula: str, options: RecipeOptions, folder: Path, workers: int, *, dry_run: bool
) -> tuple[RecipeOptions, DistillSettings | None]:
    """Return the options with the student of the formula, which is made first if needed.

    If it is not made because only the plan is wanted, the options have its teacher, and its
    settings are returned too.
    """
    from vitrion.distill.distill_plan import plan_lines
    from vitrion.flows.student_runs import ensure_student, student_settings
    from vitrion.potentials.student import is_student

    if options.changes.get("potential") is not None:
        raise InputError("--distill makes the potential of the run: remove --potential.")
    stated = options.recipe(formula)
    settings = student_settings(str(stated.formula), options.preset)
    if stated.potential not in (None, settings.student_name):
        raise InputError(
            f"--distill makes the potential of the run: remove the potential {stated.potential} "
            "from the recipe."
        )
    if is_student(settings.student_name):
        return _with_potential(options, settings.student_name), None
    for line in plan_lines(settings, workers)[: None if dry_run else 2]:
        say(f"# {line}" if dry_run else line)
    if dry_run:
        return _with_potential(options, settings.teacher), settings
    name = ensure_student(settings, folder, workers=workers, report=say)
    return _with_potential(options, name), None


def _with_potential(options: RecipeOptions, name: str) -> RecipeOptions:
    return replace(options, changes=options.changes | {"potential": name})


def _reports(client: VitrionClient, text: str) -> list[MaterialReport]:
    from vitrion.comparison.report_search import find_reports

    name, _, phase = text.partition(":")
    return find_reports(client, name, phase or None)


def _the(found: list[MaterialReport], name: str, phase: str | None = None) -> MaterialReport:
    """Return the report of a phase (default: the last phase).

    Raises
    ------
    InputError
        If there is none, or more than one.
    """
    fitting = [report for report in found if report.phase == (phase or found[-1].phase)]
    if not fitting:
        raise InputError(f"The store has no {phase} {name}: name both materials to compare.")
    if len(fitting) > 1:
        names = ", ".join(sorted(report.material_id or "without identifier" for report in fitting))
        raise InputError(
            f"The store has several materials {name} of one phase ({names}): name one."
        )
    return fitting[0]


def _display() -> RunDisplay:
    from vitrion.flows.display import RunDisplay

    return RunDisplay()


def _start_display(
    display: RunDisplay, recipe: Recipe, folder: Path, workers: int, number: int = 0, total: int = 1
) -> None:
    """Print the plan of a new run, and prepare the display of its progress."""
    from vitrion.flows.run_cost import run_cost
    from vitrion.flows.run_documents import RUNS_FOLDER
    from vitrion.flows.run_plan import expectation_line, flow_jobs, measured_cost, plan_lines
    from vitrion.runtime.runner import FLOW_FILE

    name = str(recipe.formula)
    if (folder / RUNS_FOLDER / recipe.run_id / FLOW_FILE).exists():
        display.start_run(name, run_cost(recipe, flow_jobs(recipe)), None, number, total)
        return
    cost, measurement = measured_cost(recipe)
    for line in [*plan_lines(recipe)[1:], expectation_line(cost, measurement, workers)]:
        say(f"- {line}")
    display.start_run(name, cost, cost.wall_s(workers), number, total)


def _headline(recipe: Recipe, folder: Path) -> str:
    phases = {"both": "crystal and glass", "crystalline": "crystal", "amorphous": "glass"}
    count = counted(recipe.n_replicas, "glass", "glasses")
    glasses = "" if recipe.phase == "crystalline" else f"{count}, "
    return (
        f"{recipe.formula}, {phases[recipe.phase]}: {glasses}"
        f"{recipe.conductivity.temperatures_text}, potential {recipe.potential}, "
        f"seed {recipe.seed}\n"
        f"Results and trajectories in {folder}, run {recipe.run_id}"
    )
