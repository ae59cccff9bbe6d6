"""Screen many compositions, as one flow or one after the other on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from math import comb
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker
from pymatgen.core import Composition, Structure

from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.chemistry.structures import takes_atoms
from vitrion.errors import InputError, VitrionError
from vitrion.flows.given_crystal import known_crystal
from vitrion.flows.ion_conductor import IonConductorMaker
from vitrion.flows.run_recipe import RunResult, complete_recipe, run_recipe
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from jobflow import Job, JobStore

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.flows.recipe import Recipe
    from vitrion.runtime.runner import RunReport

MAX_POINTS = 10_000
"""Maximum number of compositions of a grid."""

SEI_CRYSTALS = ("LiF", "Li2O", "Li2CO3", "Li3PO4")
"""Known crystals of the solid-electrolyte interphase, with structures in the package."""


@dataclass
class ScreenMaker(NotebookTable, Maker):
    """Create one flow for many compositions.

    Parameters
    ----------
    name : str
        The name of the flows.
    maker : IonConductorMaker
        Any Maker whose ``make`` takes a formula, or a Structure if structures are screened.

    Examples
    --------
    >>> flow = ScreenMaker().make(["LiPO2F2", "Li3PO4"], held=["Li3PO4"])
    >>> len(flow.jobs)
    1
    """

    name: str = "screen"
    maker: Maker = field(default_factory=IonConductorMaker)

    @takes_atoms
    def make(
        self,
        compositions: Iterable[CompositionLike | Structure] | CompositionLike | Structure,
        held: Iterable[str] = (),
    ) -> Flow:
        """Create the flow.

        Parameters
        ----------
        compositions : iterable of Composition, str, dict or Structure, or one of these
            A Structure is passed to the maker, and is the crystal of its composition.
        held : iterable of str
            Formulas to skip, e.g. from :func:`find_formulas`.

        Returns
        -------
        Flow
            Its output is a dictionary of the outputs of all compositions by formula.

        Raises
        ------
        InputError
            If a composition is not supported, two structures have the same composition, or all
            are skipped.
        """
        one = isinstance(compositions, (str, Mapping, Structure))
        requested: Iterable[Any] = [compositions] if one else compositions
        known = {parse_composition(formula).reduced_formula for formula in held}
        flows: dict[str, Flow | Job] = {}
        for composition in requested:
            formula = plain_formula(parse_composition(composition))
            is_structure = isinstance(composition, Structure)
            if is_structure and formula in flows:
                raise InputError(f"{formula} is requested twice: screen its structures separately.")
            if Composition(formula).reduced_formula in known or formula in flows:
                continue
            flows[formula] = self.maker.make(composition if is_structure else formula)
        if not flows:
            raise InputError("Nothing to compute: all compositions are in the store.")
        output = {formula: flow.output for formula, flow in flows.items()}
        return Flow(list(flows.values()), output=output, name=self.name)


def find_formulas(
    store: JobStore | str | Path | None = None, kind: str = "conductivity", **filters: Any
) -> list[str]:
    """Return the formulas of documents in a store, to include in a screen or to skip.

    Parameters
    ----------
    store : JobStore, path or None
        See :func:`vitrion.database.collections.find_job_store`.
    kind : str
        Kind of document.
    **filters
        Filters of :meth:`vitrion.database.client.PropertyClient.search`, such as
        ``phase="amorphous"`` or ``sigma_300K_min=0.1``.
    """
    from vitrion.database.client import VitrionClient

    with VitrionClient(store) as client:
        found = [
            d["formula_pretty"] for d in client[kind].raw(fields=["formula_pretty"], **filters)
        ]
    return sorted({plain_formula(parse_composition(formula)) for formula in found})


def composition_grid(end_members: str, steps: int) -> list[str]:
    """Return the compositions of a regular grid between end members.

    Parameters
    ----------
    end_members : str
        Formulas separated by dashes, such as ``"LiF-Li3PO4-P2O5"``.
    steps : int
        Steps along each edge: the molar fractions are multiples of ``1 / steps``.

    Returns
    -------
    list of str
        Distinct reduced formulas of charge-neutral compositions with a mobile cation.

    Raises
    ------
    InputError
        If an end member is not a formula, or there are fewer than two, or ``steps`` < 1.
    """
    members = [parse_composition(formula) for formula in end_members.split("-")]
    if len(members) < 2 or steps < 1:
        raise InputError("A grid needs at least two end members and at least one step.")
    n_points = comb(steps + len(members) - 1, len(members) - 1)
    if n_points > MAX_POINTS:
        raise InputError(f"A grid of {n_points} compositions is too large: use fewer steps.")
    formulas = []
    # Every point is a choice of as many members as steps, the last members first.
    for chosen in reversed(list(combinations_with_replacement(members, steps))):
        mixed = sum(chosen, Composition())
        formulas.append(plain_formula(mixed.reduced_composition))
    return [formula for formula in dict.fromkeys(formulas) if _is_conductor(formula)]


def known_recipes(recipe: Recipe) -> list[Recipe]:
    """Return complete recipes for the known SEI crystals, their structures included."""
    return [
        complete_recipe(
            recipe.replace(formula=formula, phase="crystalline", crystal=known_crystal(formula))
        )
        for formula in SEI_CRYSTALS
    ]


@dataclass(frozen=True)
class Outcome:
    """Result or error of one recipe of a screen.

    Attributes
    ----------
    recipe : Recipe
    result : RunResult or None
        None if the run failed.
    error : str
        Why the run or some of its steps failed; empty if none did.
    """

    recipe: Recipe
    result: RunResult | None
    error: str = ""


def run_screen(
    recipes: Sequence[Recipe],
    store: JobStore,
    folder: Path,
    *,
    workers: int = 1,
    on_start: Callable[[int, Recipe], None] | None = None,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
) -> list[Outcome]:
    """Run recipes one after the other; reuse finished runs, and record failures.

    Parameters
    ----------
    recipes : sequence of Recipe
        Completed recipes.
    store, folder, workers, on_change
        See :func:`vitrion.flows.run_recipe.run_recipe`.
    on_start : callable, optional
        Called with the index of a recipe and the recipe before it runs.
    """
    outcomes = []
    for number, recipe in enumerate(recipes):
        if on_start is not None:
            on_start(number, recipe)
        try:
            result = run_recipe(recipe, store, folder, workers=workers, on_change=on_change)
        except VitrionError as error:
            outcomes.append(Outcome(recipe, None, str(error)))
            continue
        failed = "; ".join(f"{name}: {text}" for name, text in result.report.errors.items())
        outcomes.append(Outcome(recipe, result, failed))
    return outcomes


def _is_conductor(formula: str) -> bool:
    from vitrion.chemistry.charges import default_mobile_species

    try:
        composition = parse_composition(formula)
        check_charge_balance(composition)
        default_mobile_species(composition)
    except InputError:
        return False
    return True
