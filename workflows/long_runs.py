"""Run a list of recipes one after the other, and write each one's documents to one small file.

    python workflows/long_runs.py docs/results/paper.yaml --workers 2
    python workflows/long_runs.py docs/results/paper.yaml --only glass-1 --work FOLDER

The list is a YAML file: ``preset``, ``common`` (values of all recipes) and ``runs`` (by name, the
values of each). The documents of a finished run go to a file of its name in the folder that has the
name of the list, without references to trajectories; runs with such a file are skipped, and an
interrupted run is resumed from FOLDER. A run that another process is doing is skipped too, and
failures are reported at the end. So long computations can be spread over machines and days.
``vitrion load docs/results/paper`` adds the documents to a store.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vitrion.database.document_file import without_files, write_documents
from vitrion.errors import BusyError, VitrionError
from vitrion.flows.display import RunDisplay
from vitrion.flows.recipe import Recipe
from vitrion.flows.run_cost import run_cost
from vitrion.flows.run_plan import flow_jobs
from vitrion.flows.run_recipe import complete_recipe, run_recipe
from vitrion.runtime.nested_values import merge
from vitrion.store.job_store import SQLiteJobStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vitrion.flows.run_recipe import RunResult

SUFFIX = ".jsonl.gz"


def recipes(path: Path) -> Iterator[tuple[str, Recipe]]:
    """Yield the name and the complete recipe of each run of a list."""
    content = yaml.safe_load(path.read_text())
    for name, own in content["runs"].items():
        values: dict[str, Any] = merge(content.get("common", {}), own, Recipe)
        yield name, complete_recipe(Recipe.from_values(values, preset=content["preset"]))


def is_finished(result: RunResult) -> bool:
    """Return whether a run is complete: no step failed, or all its glasses crystallized."""
    glasses = result.of_kind("amorphous")
    return not result.report.errors or bool(glasses and all(one.crystallized for one in glasses))


def main() -> None:
    """Read the command line and do the runs that have no file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", type=Path, help="YAML file of the runs")
    parser.add_argument("--only", action="append", help="name of a run; repeat for several")
    parser.add_argument(
        "--work", type=Path, default=Path("long_runs"), help="store and trajectories"
    )
    parser.add_argument("--workers", type=int, default=1, help="single-threaded processes")
    options = parser.parse_args()
    runs = list(recipes(options.list))
    for name in set(options.only or ()).difference(name for name, _ in runs):
        parser.error(f"{options.list} has no run {name}.")
    target = options.list.with_suffix("")
    target.mkdir(exist_ok=True)
    folder = options.work.absolute()
    store = SQLiteJobStore(str(folder))
    store.connect()
    failures = {}
    for name, recipe in runs:
        file = target / f"{name}{SUFFIX}"
        if file.exists() or (options.only and name not in options.only):
            continue
        print(f"{name}: {recipe.run_id}", flush=True)
        try:
            with RunDisplay() as display:
                display.start_run(name, run_cost(recipe, flow_jobs(recipe)))
                result = run_recipe(
                    recipe, store, folder, workers=options.workers, on_change=display.update
                )
            if not is_finished(result):
                result.report.raise_for_errors()
        except BusyError:
            print(f"{name}: another process is doing this run", flush=True)
            continue
        except VitrionError as error:
            failures[name] = str(error)
            continue
        found = [without_files(d) for kind in result.documents.values() for d in kind]
        write_documents(file, found)
        print(f"{file}: {len(found)} documents", flush=True)
    store.close()
    if failures:
        sys.exit("\n".join(f"{name}: {error}" for name, error in failures.items()))


if __name__ == "__main__":  # worker processes import this file
    main()
