"""Table of crystal and glass of LiPO2F2 beside the published values.

``python benchmarks/paper_table.py --store FOLDER`` runs the preset ``standard`` as
``vitrion run LiPO2F2`` does (or resumes an interrupted run, or reads a finished one) and writes
``docs/results/paper_figures.md``. ``--glass-atoms 48`` uses cells of a third of the size and
``--duration-ps 50`` skips the extension of the runs, for machines with few cores; the file states
the options. ``docs/results/paper.md`` includes and discusses it.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.flows.recipe import Recipe
    from vitrion.flows.run_recipe import RunResult

FORMULA = "LiPO2F2"
TARGET = Path(__file__).parents[1] / "docs" / "results" / "paper_figures.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("vitrion_data"))
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--glass-atoms", type=int)
    parser.add_argument("--duration-ps", type=float)
    parser.add_argument("--max-relaxations", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()

    from vitrion.flows.display import RunDisplay
    from vitrion.flows.run_recipe import run_recipe
    from vitrion.store.job_store import SQLiteJobStore

    recipe = stated_recipe(options)
    folder = options.store.absolute()
    store = SQLiteJobStore(str(folder))
    store.connect()
    with RunDisplay() as display:
        result = run_recipe(
            recipe, store, folder, workers=options.workers, on_change=display.update
        )
    store.close()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(recipe, result, command(options)))
    print(options.out.read_text())


def page(recipe: Recipe, result: RunResult, made_by: str) -> str:
    """Return the values as a page of the documentation."""
    from vitrion.cli.results import caution_lines, phase_reports
    from vitrion.comparison.published import SOURCE, URL
    from vitrion.comparison.side_by_side import compare

    comparison = compare(*phase_reports(result), failed_steps=result.report.errors)
    lines = [
        f"Made by `{made_by}`; intervals are of 95 %.",
        f"Published values: {SOURCE} ({URL}).",
        "",
        comparison.table.markdown(),
        "",
        "## At the temperatures of the dynamics",
        "",
        "Nothing is extrapolated here: D* is the self-diffusivity.",
        "",
        *temperatures(*comparison.materials),
        "## Is the landscape of the glass flatter?",
        "",
        comparison.claim_table.markdown(),
        "",
        "## How much to trust it",
        "",
        *(f"- {line}" for line in caution_lines(comparison)),
        "",
        *potential_errors(recipe),
    ]
    return "\n".join(lines)


def temperatures(crystal: MaterialReport, glass: MaterialReport) -> list[str]:
    """Return the tables of both phases; the paper's line and the ratio stand beside the glass."""
    from vitrion.comparison.document import conductivity_ratios
    from vitrion.comparison.published import published_for
    from vitrion.comparison.tables import MISSING, Cell, Column
    from vitrion.comparison.temperatures import temperature_table
    from vitrion.uncertainty import Bound

    paper = published_for(FORMULA)
    assert paper is not None
    assert glass.conductivity is not None
    measured = conductivity_ratios(crystal.conductivity, glass.conductivity)
    ratios = {at.temperature_K: at for at in measured if not at.extrapolated}
    line, over = [], []
    for result in glass.conductivity.results:
        at = ratios.get(result.temperature_K)
        bound = None if at is None or at.lower_bound is None else at.lower_bound
        found = at and (at.ratio or (bound and Bound(limit=bound, side="lower")))
        line.append(Cell(f"{paper.glass_conductivity_mS_cm(result.temperature_K):.2g}"))
        over.append(Cell(found.text if found else MISSING))
    shown = [temperature_table([m]).without("material", "replicas") for m in (crystal, glass)]
    beside = shown[1].with_column(Column("the paper's line (mS/cm)", numeric=True), line)
    return [
        *("### Crystal", "", shown[0].markdown(), ""),
        *("### Glass", ""),
        f"The paper's line is drawn from its {paper.glass_conductivity_300K_mS_cm:g} mS/cm at "
        f"300 K and {paper.glass_activation_energy_eV:.2f} eV.",
        "",
        beside.with_column(Column("over crystal", numeric=True), over).markdown(),
        "",
    ]


def potential_errors(recipe: Recipe) -> list[str]:
    """Return the potential's errors on frames of the composition it was not trained on."""
    from vitrion.distill.document import PotentialDoc

    document = PotentialDoc.from_potential(str(recipe.potential))
    rows = [
        (e.regime, f"{e.energy_rmse_meV_per_atom:.1f}", f"{e.force_rmse_meV_per_A:.0f}")
        for e in document.errors
        if str(recipe.formula) in e.regime or "glass" in e.regime
    ]
    header = ("frames never trained on", "energy (meV/atom)", "forces (meV/A)")
    title = "## The potential's own error, against its teacher"
    return [title, "", *table(header, rows), ""]


def stated_recipe(options: argparse.Namespace) -> Recipe:
    """Return the complete recipe that the options state."""
    from vitrion.flows.recipe import Recipe
    from vitrion.flows.run_recipe import complete_recipe

    changes: dict[str, Any] = {"formula": FORMULA, "seed": options.seed}
    if options.glass_atoms:
        changes["glass"] = {"n_atoms": options.glass_atoms}
    if options.duration_ps:
        changes["conductivity"] = {"first_ps": options.duration_ps, "extension": 0.0}
    if options.max_relaxations:
        changes["search"] = {"max_relaxations": options.max_relaxations}
    return complete_recipe(Recipe.from_preset(options.preset, **changes))


def command(options: argparse.Namespace) -> str:
    """Return the command that makes this page."""
    words = [f"--preset {options.preset}", f"--seed {options.seed}"]
    if options.glass_atoms:
        words.append(f"--glass-atoms {options.glass_atoms}")
    if options.duration_ps:
        words.append(f"--duration-ps {options.duration_ps:g}")
    if options.max_relaxations:
        words.append(f"--max-relaxations {options.max_relaxations}")
    return f"python benchmarks/paper_table.py {' '.join(words)}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


if __name__ == "__main__":
    main()
