"""Check, run and look up what a recipe states."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.chemistry.structures import without_site_properties
from vitrion.errors import InputError, StoreError
from vitrion.flows.glass_conductivity import second_opinion
from vitrion.potentials import check_elements, describe_potential
from vitrion.runtime.runner import RunReport, run_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobflow import Flow, JobStore
    from pymatgen.core import Structure

    from vitrion.documents.base import VitrionDoc
    from vitrion.flows.recipe import Recipe

RUNS_FOLDER = "runs"
KNOWN = "known"
"""Word that names the crystal that ships, in the place of a structure file."""
REQUEST_KEY, ATTEMPT_KEY = "vitrion_request", "vitrion_attempt"
"""Metadata of a run's jobs: its name, and which flow they are of, if it was begun afresh."""
KINDS = (
    "conductivity",
    "amorphous",
    "polymorphs",
    "defects",
    "site_energy_landscape",
    "comparison",
)
"""Documents of a run that its result is told from."""
_WITHOUT: dict[str, dict[str, None]] = {"defects": {"relaxed_structures": None}}


def complete_recipe(recipe: Recipe) -> Recipe:
    """Return a recipe with everything that its run needs to know, after all checks.

    Formula, potential and mobile species are written out, a structure file is read.

    Raises
    ------
    InputError
        If the formula, the elements, the mobile species, the potential's file, the packing or any
        other setting is not supported.
    """
    if recipe.formula is None:
        raise InputError("The recipe has no formula: state one, such as LiPO2F2.")
    composition = parse_composition(recipe.formula)
    formula = plain_formula(composition)
    check_charge_balance(composition, allow_unbalanced=recipe.allow_unbalanced)
    mobile = recipe.mobile or default_mobile_species(composition)
    if mobile not in {element.symbol for element in composition}:
        raise InputError(f"The mobile species {mobile} is not in {formula}.")
    potential = describe_potential(recipe.potential)
    check_elements(potential, [element.symbol for element in composition])
    if recipe.potential_sha256 not in (None, potential.sha256):
        raise InputError(
            f"The potential {potential.name} has the SHA-256 {potential.sha256}, but the recipe "
            f"asks for {recipe.potential_sha256}: install that file or remove potential_sha256."
        )
    crystal = recipe.crystal
    if crystal is not None and recipe.phase == "amorphous":
        raise InputError(
            "A glass is not made from a crystal: leave out the structure, or take --phase both."
        )
    complete = recipe.replace(
        formula=formula,
        potential=potential.name,
        potential_sha256=potential.sha256,
        reference_potential=second_opinion(recipe),
        mobile=mobile,
        crystal=read_crystal(crystal, formula) if isinstance(crystal, str) else crystal,
    )
    make_flow(complete)
    return complete


def make_flow(recipe: Recipe) -> Flow:
    """Return the flow of a complete recipe; its jobs carry the name of the run."""
    from pymatgen.core import Structure

    from vitrion.flows.ion_conductor import IonConductorMaker

    crystal = Structure.from_dict(recipe.crystal) if isinstance(recipe.crystal, dict) else None
    flow = IonConductorMaker.from_recipe(recipe).make(str(recipe.formula), crystal)
    label_run(flow, recipe.run_id)
    return flow


@dataclass
class RunResult:
    """Documents of a finished run.

    Attributes
    ----------
    documents : dict of str to list of VitrionDoc
        By property name; a kind that the run did not make is not there.
    report : RunReport
        What ran now, what was there already, and what failed.
    """

    documents: dict[str, list[Any]] = field(default_factory=dict)
    report: RunReport = field(default_factory=RunReport)

    def of_kind(self, kind: str, phase: str | None = None) -> list[Any]:
        """Return the documents of a kind, all or those of one phase."""
        found = self.documents.get(kind, [])
        return [document for document in found if phase in (None, document.phase)]

    def latest(self, kind: str, phase: str | None = None) -> Any:
        """Return the newest document of a kind, or None if there is none."""
        return next(reversed(self.of_kind(kind, phase)), None)


def run_recipe(
    recipe: Recipe,
    store: JobStore,
    folder: Path,
    *,
    workers: int = 1,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
) -> RunResult:
    """Run a recipe, resume an earlier run of it, or look up its result.

    Parameters
    ----------
    recipe : Recipe
        As :func:`complete_recipe` returns it.
    store : JobStore
        Where the documents go; connected.
    folder : Path
        Holds one folder for each run, with its trajectories.
    workers, on_change
        See :func:`vitrion.runtime.runner.run_flow`.

    Raises
    ------
    InputError
        If another process is at work on the same run.
    SimulationError
        If no conductivity comes of it.
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
    if "conductivity" not in documents:
        report.raise_for_errors()
        raise not_stored(recipe.run_id)
    return RunResult(documents, report)


def read_crystal(source: str, formula: str) -> dict[str, Any]:
    """Return the crystal of a recipe as pymatgen writes it.

    Parameters
    ----------
    source : str
        A structure file, or ``known`` for the structure of that formula that ships; a file of that
        name comes first.
    formula : str

    Raises
    ------
    InputError
        If there is no such structure.
    """
    from vitrion.landscape.command import read_structure

    if names_file(source):
        return _as_json(without_site_properties(read_structure(source)))
    return known_crystal(formula)


def names_file(source: str) -> bool:
    """Return whether a crystal is given as a file; a file named ``known`` is one."""
    return source != KNOWN or Path(source).exists()


def known_crystal(formula: str) -> dict[str, Any]:
    """Return the structure of a formula that ships with the package, as pymatgen writes it.

    Raises
    ------
    InputError
        If there is none.
    """
    from vitrion.polymorphs.hull import shipped_crystals

    wanted = parse_composition(formula).reduced_formula
    for structure in shipped_crystals().values():
        if structure.composition.reduced_formula == wanted:
            return _as_json(structure)
    raise InputError(
        f"No structure of {formula} ships with vitrion, and there is no file '{KNOWN}': give a "
        "structure file."
    )


def _as_json(structure: Structure) -> dict[str, Any]:
    """Return a structure as a recipe file gives it back: lists for tuples, plain numbers."""
    return dict(json.loads(structure.to_json()))


def not_stored(run_id: str) -> StoreError:
    """Return the error of a run that is finished, but not in the store."""
    return StoreError(
        f"The run {run_id} is finished but its documents are not in the store: name the store it "
        "was made with, or remove its folder to run it again."
    )


def label_run(flow: Flow, run_id: str) -> None:
    """Let the outputs of a flow's jobs tell which run they are of, and which attempt at it."""
    flow.update_metadata({REQUEST_KEY: run_id, ATTEMPT_KEY: flow.uuid})


def find_documents(
    store: JobStore, run_id: str, kinds: Sequence[str] = KINDS
) -> dict[str, list[VitrionDoc]]:
    """Return what a store holds of a run's results, by kind, the newest of each last.

    Of a run that was begun afresh after its folder was removed, only the newest attempt counts.
    """
    from vitrion.database.kinds import document_classes

    store.ensure_index(f"metadata.{REQUEST_KEY}")  # else every output is read, for every run
    criteria = {
        f"metadata.{REQUEST_KEY}": run_id,
        "output.property_name": {"$in": list(kinds)},
    }
    newest: dict[str, tuple[str | None, dict[str, Any]]] = {}
    attempt: str | None = None
    for found in store.query(criteria, sort={"completed_at": 1}):
        attempt = found["metadata"].get(ATTEMPT_KEY)
        output = found["output"]
        # Large parts stay in their store: nobody reads relaxed defects off a table.
        output = {**output, **_WITHOUT.get(output["property_name"], {})}
        newest.pop(found["uuid"], None)  # what a job has replaced itself by comes in its order
        newest[found["uuid"]] = attempt, output
    classes = document_classes()
    documents: dict[str, list[VitrionDoc]] = {}
    for made_by, output in newest.values():
        if made_by == attempt:
            kind = output["property_name"]
            documents.setdefault(kind, []).append(classes[kind].model_validate(output))
    return documents
