"""The commands ``submit``, ``status``, ``repair`` and ``config init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitrion.cli.completion import one_of
from vitrion.cli.options import DryRunOption, LaunchpadOption, RecipeOptions, takes_recipe
from vitrion.cli.printing import console, new_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vitrion.flows.recipe import Recipe
    from vitrion.launchpad.submission import Submission

config_app = typer.Typer(help="Write configuration files of FireWorks, jobflow and vitrion.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(config_app, name="config")
    app.command(epilog="Example:  vitrion submit LiPO2F2 Li3PO4 --preset quick")(submit)
    app.command(epilog="Example:  vitrion status LiPO2F2")(status)
    app.command(epilog="Example:  vitrion repair")(repair)


@takes_recipe()
def submit(
    formulas: Annotated[
        list[str],
        typer.Argument(
            help="Compositions, such as LiPO2F2, lists of them (.txt, .csv), or recipe files "
            "(.yaml)."
        ),
    ],
    *,
    options: RecipeOptions,
    priority: Annotated[int | None, typer.Option(help="Jobs of higher priority run first.")] = None,
    root_dir: Annotated[
        Path | None, typer.Option(help="Folder shared by all workers, for files and checkpoints.")
    ] = None,
    walltime_s: Annotated[
        float | None,
        typer.Option(
            "--walltime-s",
            help="Seconds after which a long job stops at a checkpoint and resumes as a new job.",
        ),
    ] = None,
    launchpad: LaunchpadOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Submit compositions to a launchpad; runs already on the launchpad are skipped."""
    from vitrion.chemistry.composition_lists import expand_lists
    from vitrion.cli.dry_run import print_plans
    from vitrion.database.store_file import names_store_file
    from vitrion.flows.run_documents import RUNS_FOLDER
    from vitrion.launchpad.submission import open_launchpad
    from vitrion.launchpad.submission import submit as submit_flows
    from vitrion.settings import get_settings

    recipes = options.recipes(expand_lists(formulas))  # all are checked before one is submitted
    if dry_run:
        print_plans(recipes)
        return
    settings = get_settings()
    store = settings.store.expanduser()
    beside = store.parent if names_store_file(store) else store
    folder = (root_dir or settings.root_dir or beside / RUNS_FOLDER).expanduser().absolute()
    walltime = settings.walltime_s if walltime_s is None else walltime_s
    pad = open_launchpad(launchpad)
    submissions = _submissions(recipes, folder, walltime)
    report = submit_flows(submissions, pad, routes=settings.routes, priority=priority)
    say(f"{len(report.submitted)} submitted, {len(report.skipped)} already on the launchpad")
    if report.submitted:
        say(f"Files and checkpoints are written to {folder}: all workers must share this folder.")


def status(
    material: Annotated[str | None, typer.Argument(help="Material to show; default: all.")] = None,
    launchpad: LaunchpadOption = None,
) -> None:
    """Show the state of the flows on a launchpad by material."""
    from vitrion.launchpad.status import failures
    from vitrion.launchpad.status import status as find_status
    from vitrion.launchpad.submission import open_launchpad

    pad = open_launchpad(launchpad)
    rows = find_status(pad, material)
    if not rows:
        say(f"No flows of {material or 'vitrion'} on this launchpad.")
        return
    counts = ["flows", "jobs", "completed", "running", "waiting", "held", "failed"]
    if not any(row.held for row in rows):  # rare, and eight columns do not fit into 80 characters
        counts.remove("held")
    table = new_table("material", *counts)
    for row in rows:
        cells = (str(getattr(row, name)) for name in counts)
        table.add_row(row.material, *cells, style="green" if row.done else None)
    console.print(table)
    for failure in failures(pad, material):
        say(f"{failure.material}: {failure.job} ({failure.fw_id}): {failure.error}")


def repair(
    launchpad: LaunchpadOption = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also rerun jobs that ended with an error.")
    ] = False,
    lost_after: Annotated[
        float | None,
        typer.Option(help="Silence of a lost run in seconds; default: RUN_EXPIRATION_SECS."),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Also repair workflows not submitted by vitrion.")
    ] = False,
) -> None:
    """Repair flows on a launchpad after workers were killed; safe at any time."""
    from dataclasses import fields as parts_of

    from vitrion.launchpad.repair import repair as repair_launchpad
    from vitrion.launchpad.submission import open_launchpad

    report = repair_launchpad(
        open_launchpad(launchpad),
        lost_after_s=lost_after,
        retry_failed=retry_failed,
        everyone=everyone,
    )
    for part in parts_of(report):
        found = getattr(report, part.name)
        if found:
            say(f"{part.name}: {len(found)} ({', '.join(map(str, found[:10]))})")
    if not report.changed:
        say("Nothing to repair.")


@config_app.command("init", epilog="Example:  vitrion config init ~/vitrion_config --queue slurm")
def config_init(
    folder: Annotated[Path, typer.Argument(help="Folder for the files.")] = Path("vitrion_config"),
    store: Annotated[
        str,
        typer.Option(
            help="embedded, gridfs or s3.", autocompletion=one_of("embedded", "gridfs", "s3")
        ),
    ] = "gridfs",
    queue: Annotated[
        str,
        typer.Option(help="slurm, pbs or sge.", autocompletion=one_of("slurm", "pbs", "sge")),
    ] = "slurm",
) -> None:
    """Write commented files for a launchpad, workers, a queue and a store; keep existing files."""
    from vitrion.launchpad.config_files import write_config

    report = write_config(folder, store=store, queue=queue)
    for name in report.written:
        say(f"written  {name}")
    for name in report.kept:
        say(f"kept     {name}")
    say(f"Edit the files in {report.folder}, then add to your shell's start-up file:")
    for line in report.shell_lines:
        say(f"  {line}")


def _submissions(
    recipes: list[Recipe], folder: Path, walltime_s: float | None
) -> Iterator[Submission]:
    from vitrion.flows.run_recipe import make_flow
    from vitrion.launchpad.placement import place
    from vitrion.launchpad.submission import Submission

    for recipe in recipes:
        flow = make_flow(recipe)
        place(flow, root_dir=folder / recipe.run_id, walltime_s=walltime_s)
        yield Submission(flow, f"{recipe.formula} {recipe.phase}", recipe.run_id)
