"""Many compositions: which ones, as one flow, or run here one after the other."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker
from pymatgen.core import Composition

from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.errors import InputError, VitrionError
from vitrion.flows.given_crystal import known_crystal
from vitrion.flows.ion_conductor import IonConductorMaker
from vitrion.flows.run_recipe import RunResult, complete_recipe, run_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from jobflow import Job, JobStore

    from vitrion.flows.recipe import Recipe
    from vitrion.runtime.runner import RunReport

SEI_CRYSTALS = ("LiF", "Li2O", "Li2CO3", "Li3PO4")
"""The known crystals of the interphase, to compare with; their structures ship with the package."""


@dataclass
class ScreenMaker(Maker):
    """Make one flow that does the same for many compositions.

    Parameters
    ----------
    name : str
        The name of the flows.
    maker : IonConductorMaker
        Or any Maker whose ``make`` takes a formula.

    Examples
    --------
    >>> flow = ScreenMaker().make(["LiPO2F2", "Li3PO4"], held=["Li3PO4"])
    >>> len(flow.jobs)
    1
    """

    name: str = "screen"
    maker: Maker = field(default_factory=IonConductorMaker)

    def make(self, compositions: Iterable[Composition | str], held: Iterable[str] = ()) -> Flow:
        """Make the flow.

        Parameters
        ----------
        compositions : iterable of Composition or str
        held : iterable of str
            Formulas that need not be computed again: see :func:`find_formulas`.

        Returns
        -------
        Flow
            Its output holds that of each composition's flow, by formula.

        Raises
        ------
        InputError
            If a composition is not supported, or nothing is left to compute.
        """
        known = {parse_composition(formula).reduced_formula for formula in held}
        flows: dict[str, Flow | Job] = {}
        for composition in compositions:
            formula = plain_formula(parse_composition(composition))
            if Composition(formula).reduced_formula in known or formula in flows:
                continue
            flows[formula] = self.maker.make(formula)
        if not flows:
            raise InputError("Nothing is left to compute: the store holds all compositions.")
        output = {formula: flow.output for formula, flow in flows.items()}
        return Flow(list(flows.values()), output=output, name=self.name)


def find_formulas(
    store: JobStore | str | Path | None = None, kind: str = "conductivity", **filters: Any
) -> list[str]:
    """Return the formulas of which a store holds documents: what a screen takes up or leaves out.

    Parameters
    ----------
    store : JobStore, path or None
        See :func:`vitrion.database.collections.find_job_store`.
    kind : str
        Kind of document.
    **filters
        As :meth:`vitrion.database.client.PropertyClient.search` takes them, such as
        ``phase="amorphous"`` or ``sigma_300K_min=0.1``.
    """
    from vitrion.database.client import VitrionClient

    with VitrionClient(store) as client:
        found = [
            d["formula_pretty"] for d in client[kind].raw(fields=["formula_pretty"], **filters)
        ]
    return sorted({plain_formula(parse_composition(formula)) for formula in found})


def read_compositions(path: Path) -> list[str]:
    """Read formulas from a CSV file with a column ``formula``, or one of a line each.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read, holds no formula, or is a table without a
        column of that name.
    """
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    try:
        # Spreadsheets may put a mark of the encoding first, and semicolons between cells.
        lines = [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The file {path} cannot be read as text.") from error
    kept = [line for line in lines if not line.lstrip().startswith("#")]
    rows = list(csv.reader(kept, delimiter=";" if kept and ";" in kept[0] else ","))
    if rows and "formula" in (header := [cell.strip().lower() for cell in rows[0]]):
        column = header.index("formula")
        formulas = [row[column].strip() for row in rows[1:] if len(row) > column]
    elif any(cell.strip() for row in rows for cell in row[1:]):
        raise InputError(f"The table {path} has no column 'formula' in its first line.")
    else:
        formulas = [row[0].strip() for row in rows]
    found = [formula for formula in dict.fromkeys(formulas) if formula]  # tables end in empty rows
    if not found:
        raise InputError(f"The file {path} holds no formula.")
    return found


def composition_grid(end_members: str, steps: int) -> list[str]:
    """Return the compositions of a regular grid between end members.

    Parameters
    ----------
    end_members : str
        Formulas with dashes between, such as ``"LiF-Li3PO4-P2O5"``.
    steps : int
        Steps along each edge: the molar fractions are multiples of ``1 / steps``.

    Returns
    -------
    list of str
        Reduced formulas, each once; those that hold no mobile cation are left out.

    Raises
    ------
    InputError
        If an end member is no formula, or there are fewer than two, or no step.
    """
    members = [parse_composition(formula) for formula in end_members.split("-")]
    if len(members) < 2 or steps < 1:
        raise InputError("A grid needs two end members or more, and at least one step.")
    formulas = []
    for parts in product(range(steps + 1), repeat=len(members)):
        if sum(parts) != steps:
            continue
        mixed = sum((member * n for member, n in zip(members, parts, strict=True)), Composition())
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
    """Run recipes one after the other; a finished run is looked up, a failed one is recorded.

    Parameters
    ----------
    recipes : sequence of Recipe
        Complete.
    store, folder, workers, on_change
        See :func:`vitrion.flows.run_recipe.run_recipe`.
    on_start : callable, optional
        Called with the number of each recipe and the recipe.
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
