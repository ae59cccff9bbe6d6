"""Run a polymorph search as a resumable flow, for ``vitrion search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.formulas import usual_formula
from vitrion.flows.recipe import name_run
from vitrion.flows.run_documents import RUNS_FOLDER, find_documents, label_run, not_stored
from vitrion.flows.run_recipe import recipe_potential
from vitrion.runtime.runner import RunReport, run_flow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobflow import JobStore
    from pymatgen.core import Composition

    from vitrion.flows.recipe import Recipe
    from vitrion.polymorphs.document import PolymorphDoc
    from vitrion.polymorphs.search_settings import SearchSettings
    from vitrion.potentials import PotentialSpec


def check_search(recipe: Recipe) -> tuple[Composition, SearchSettings, PotentialSpec]:
    """Return one formula unit, the settings with the files read, and the potential of a search.

    Raises
    ------
    InputError
        If the composition, its charge balance, the settings of the search or the potential's file
        are not supported.
    PotentialError
        If the potential cannot be downloaded or loaded.
    """
    from vitrion.polymorphs.search_settings import check_search_inputs

    composition, settings = check_search_inputs(recipe.formula or "", recipe.search)
    check_charge_balance(composition, allow_unbalanced=recipe.allow_unbalanced)
    return composition, settings, recipe_potential(recipe, [el.symbol for el in composition])


def run_search(
    recipe: Recipe,
    store: JobStore,
    folder: Path,
    *,
    workers: int = 1,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
) -> PolymorphDoc:
    """Search for the crystals of a composition, resume a search, or return a finished one.

    Parameters
    ----------
    recipe : Recipe
        Its formula, search, potential and seed are used.
    store : JobStore
        Connected store for the document.
    folder : Path
        Parent of the folders of all runs.
    workers : int
        Worker processes. Each runs a share of an iteration, so the result depends on their number.
    on_change : callable, optional
        See :func:`vitrion.runtime.runner.run_flow`.

    Raises
    ------
    InputError
        If the request is invalid, or another process is running it.
    SimulationError
        If a job of the search fails.
    StoreError
        If a finished search is not in the store.
    """
    from vitrion.polymorphs.makers import PolymorphSearchMaker

    composition, settings, spec = check_search(recipe)
    formula, seed = usual_formula(composition), recipe.seed
    maker = PolymorphSearchMaker(
        settings=settings, potential=spec.name, parallel=workers, seed=seed
    )
    request = [settings.model_dump(mode="json"), spec.name, spec.sha256, seed, workers]
    run_id = name_run(f"{formula}-search", request)
    flow = maker.make(formula)
    label_run(flow, run_id)
    report = run_flow(
        lambda: flow, store, folder / RUNS_FOLDER / run_id, workers=workers, on_change=on_change
    )
    report.raise_for_errors()
    found = find_documents(store, run_id, ("polymorphs",))
    if not found:
        raise not_stored(run_id)
    return cast("PolymorphDoc", found["polymorphs"][-1])
