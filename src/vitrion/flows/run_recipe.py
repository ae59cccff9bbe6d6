"""Complete a recipe, run it, and return its documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.decoding import structure_from_dict
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.chemistry.species import check_mobile, mobile_symbols
from vitrion.errors import InputError
from vitrion.flows.given_crystal import read_crystal
from vitrion.flows.glass_conductivity import second_opinion
from vitrion.flows.run_documents import RUNS_FOLDER, find_documents, label_run, not_stored
from vitrion.polymorphs.search_settings import read_search_files
from vitrion.potentials import get_potential, usable_potential
from vitrion.runtime.runner import RunReport, run_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jobflow import Flow, JobStore

    from vitrion.flows.recipe import Recipe
    from vitrion.potentials import PotentialSpec


def complete_recipe(recipe: Recipe) -> Recipe:
    """Validate a recipe, and return it with all values that its run needs.

    Sets formula, potential and mobile species, and reads the structure files.

    Raises
    ------
    InputError
        If the formula, the elements, the mobile species, the potential's file, the packing or any
        other setting is not supported.
    """
    if recipe.formula is None:
        raise InputError("The recipe has no formula: set one, such as LiPO2F2.")
    composition = parse_composition(recipe.formula)
    formula = plain_formula(composition)
    check_charge_balance(composition, allow_unbalanced=recipe.allow_unbalanced)
    mobile = recipe.mobile or default_mobile_species(composition)
    symbols = [element.symbol for element in composition]
    check_mobile(mobile_symbols(mobile), symbols, formula)
    potential = recipe_potential(recipe, symbols, formula)
    reference = second_opinion(recipe)
    if reference is not None and get_potential(reference).elements is None:
        usable_potential(reference, symbols)
    crystal = recipe.crystal
    if crystal is not None and recipe.phase == "amorphous":
        raise InputError(
            "A glass is not made from a crystal: remove --structure, or use --phase both."
        )
    search = recipe.search
    if crystal is None and recipe.phase != "amorphous":
        search = read_search_files(search)
    complete = recipe.replace(
        formula=formula,
        potential=potential.name,
        potential_sha256=potential.sha256,
        reference_potential=reference,
        mobile=mobile,
        timestep_fs=short_timestep(recipe, symbols),
        crystal=read_crystal(crystal, formula) if isinstance(crystal, str) else crystal,
        search={"files": search.files, "weights": search.weights},
    )
    complete.conductivity.md.check_elements(symbols)  # otherwise refused only when its job starts
    make_flow(complete)
    return complete


def recipe_potential(
    recipe: Recipe, symbols: Sequence[str], formula: str | None = None
) -> PotentialSpec:
    """Return the potential of a recipe, whose file must have the hash that the recipe requires.

    Parameters
    ----------
    recipe : Recipe
    symbols, formula
        See :func:`vitrion.potentials.usable_potential`.

    Raises
    ------
    InputError
        If the potential cannot be used, or its hash is another one.
    PotentialError
        If the potential cannot be downloaded or loaded.
    """
    potential = usable_potential(_potential_with_hash(recipe), symbols, formula)
    if recipe.potential_sha256 not in (None, potential.sha256):
        raise InputError(
            f"The potential {potential.name} has the SHA-256 {potential.sha256}, but the recipe "
            f"asks for {recipe.potential_sha256}: install that file or remove potential_sha256."
        )
    return potential


def _potential_with_hash(recipe: Recipe) -> str | None:
    """Return the name of the potential, with the hash that the recipe states for a user's file."""
    name, sha256 = recipe.potential, recipe.potential_sha256
    if name is None or sha256 is None or not name.startswith("mace:") or "#" in name:
        return name
    return name if get_potential(name).path is None else f"{name}#{sha256}"


def short_timestep(recipe: Recipe, symbols: Sequence[str]) -> float | None:
    """Return the time step of a recipe in fs; the default depends on hydrogen."""
    if recipe.timestep_fs is not None or "H" not in symbols:
        return recipe.timestep_fs
    return recipe.glass.timestep(symbols)


def make_flow(recipe: Recipe) -> Flow:
    """Return the flow of a complete recipe; its jobs carry the name of the run."""
    from vitrion.flows.ion_conductor import IonConductorMaker

    crystal = structure_from_dict(recipe.crystal) if isinstance(recipe.crystal, dict) else None
    flow = IonConductorMaker.from_recipe(recipe).make(str(recipe.formula), crystal)
    label_run(flow, recipe.run_id)
    return flow


@dataclass
class RunResult:
    """Documents of a finished run.

    Attributes
    ----------
    documents : dict of str to list of VitrionDoc
        By property name; absent kinds have no key.
    report : RunReport
        Completed, skipped and failed jobs.
    """

    documents: dict[str, list[Any]] = field(default_factory=dict)
    report: RunReport = field(default_factory=RunReport)

    def of_kind(self, kind: str, phase: str | None = None) -> list[Any]:
        """Return the documents of a kind, optionally of one phase."""
        found = self.documents.get(kind, [])
        return [document for document in found if phase in (None, document.phase)]

    def latest(self, kind: str, phase: str | None = None) -> Any:
        """Return the newest document of a kind, or None if there is none."""
        return next(reversed(self.of_kind(kind, phase)), None)

    def _repr_html_(self) -> str:
        """Show the quantities of crystal and glass, and the cautions, in a notebook."""
        from vitrion.comparison.side_by_side import compare
        from vitrion.materials.material import KINDS, add_documents

        materials = add_documents([], [d for kind in KINDS for d in self.documents.get(kind, [])])
        if not materials:
            return "<p>The run has no documents yet.</p>"
        return compare(*materials, failed_steps=self.report.errors)._repr_html_()


def run_recipe(
    recipe: Recipe,
    store: JobStore,
    folder: Path,
    *,
    workers: int = 1,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
) -> RunResult:
    """Run a recipe, resume an interrupted run, or return the result of a finished run.

    Parameters
    ----------
    recipe : Recipe
        Completed by :func:`complete_recipe`.
    store : JobStore
        Connected store for the documents.
    folder : Path
        Parent of the folders of all runs and their trajectories.
    workers, on_change
        See :func:`vitrion.runtime.runner.run_flow`.

    Raises
    ------
    InputError
        If another process is running the same recipe.
    SimulationError
        If a step failed and nothing was computed.
    StoreError
        If a finished run's documents are not in the store.
    """
    report = run_flow(
        lambda: make_flow(recipe),
        store,
        folder / RUNS_FOLDER / recipe.run_id,
        workers=workers,
        on_change=on_change,
    )
    documents = find_documents(store, recipe.run_id)
    if not documents:
        report.raise_for_errors()
    if "conductivity" not in documents and not report.errors:
        raise not_stored(recipe.run_id)
    return RunResult(documents, report)
