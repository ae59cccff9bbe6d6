"""Makers of the polymorph search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker, Response, job

from vitrion.chemistry.formulas import usual_formula
from vitrion.generation.seeds import spawn_seeds
from vitrion.polymorphs.hull import Hull
from vitrion.polymorphs.iteration import search_iteration, settings_of_iteration
from vitrion.polymorphs.rank import make_document
from vitrion.polymorphs.search import make_hull, polish
from vitrion.polymorphs.search_settings import (
    SearchSettings,
    check_search_inputs,
    check_search_request,
)
from vitrion.polymorphs.search_state import SearchState
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from jobflow import Job
    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.polymorphs.document import PolymorphDoc
    from vitrion.polymorphs.group import JudgedCandidate


@dataclass
class PolymorphSearchMaker(NotebookTable, Maker):
    """Search for the crystals of a composition.

    Each iteration consists of ``parallel`` independent jobs (generate, relax, make hosts, inpaint,
    relax) and one job that collects their results and starts the next iteration, or ends the search
    with a ``PolymorphDoc``.

    Parameters
    ----------
    name : str
        The name of the flows.
    settings : SearchSettings
        Settings of the search; numbers of candidates are per job.
    potential : str or None
        Name in the registry; None uses the user's default.
    parallel : int
        Jobs an iteration.
    seed : int
    device : str or None
        Torch device.
    references : dict or None
        Structures of the hull by name; None uses the references shipped with the package.

    Examples
    --------
    >>> flow = PolymorphSearchMaker(parallel=2).make("LiPO2F2")
    """

    name: str = "polymorph search"
    settings: SearchSettings = field(default_factory=SearchSettings)
    potential: str | None = None
    parallel: int = 1
    seed: int = 0
    device: str | None = None
    references: dict[str, Structure] | None = None

    def make(self, composition: CompositionLike) -> Flow:
        """Create the flow of a search; its output is a ``PolymorphDoc``.

        Raises
        ------
        InputError
            If the composition or the settings are invalid.
        """
        formula, settings = check_search_inputs(composition, self.settings)
        reference_job = relax_references(
            usual_formula(formula), self.potential, self.device, self.references
        )
        _named(reference_job, "reference phases")
        request = {
            "formula": usual_formula(formula),
            "settings": settings.model_dump(mode="json"),
            "potential": self.potential,
            "parallel": self.parallel,
            "seed": self.seed,
            "device": self.device,
        }
        first = _named(next_iteration(request, reference_job.output, SearchState()), "iteration 1")
        return Flow(
            [reference_job, first],
            output=first.output,
            name=f"{usual_formula(formula)} {self.name}",
        )


@job
def relax_references(
    formula: str,
    potential: str | None,
    device: str | None,
    references: dict[str, Structure] | None,
) -> dict[str, list[Any]]:
    """Relax the references; return formula and energy in eV/atom by name."""
    composition = check_search_request(formula, SearchSettings(hosts=0))
    hull = make_hull(composition, _load(potential, device, formula), references)
    return {name: [c.formula, energy] for name, (c, energy) in hull.energies.items()}


@job
def next_iteration(
    request: dict[str, Any], hull: dict[str, list[Any]], state: SearchState
) -> Response:
    """Start an iteration: parallel jobs and the job that collects their results."""
    settings = SearchSettings.model_validate(request["settings"])
    iteration_seed = spawn_seeds(request["seed"], state.n_iterations + 1)[-1]
    known = state.best(settings.hosts)
    learned = settings_of_iteration(settings, state)
    left, n_jobs = settings.max_relaxations - state.n_relaxations, request["parallel"]
    budgets = [left // n_jobs + (index < left % n_jobs) for index in range(min(n_jobs, left))]
    workers = [
        run_iteration(_share(request, learned, index, len(budgets)), hull, seed, known, budget)
        for index, (seed, budget) in enumerate(
            zip(spawn_seeds(iteration_seed, len(budgets)), budgets, strict=True)
        )
    ]
    gathered = gather(request, hull, state, [worker.output for worker in workers])
    number = state.n_iterations + 1
    for index, worker in enumerate(workers, start=1):
        _named(worker, f"iteration {number}, batch {index}")
    _named(gathered, f"iteration {number}, collect")
    return Response(replace=Flow([*workers, gathered], output=gathered.output))


@job
def run_iteration(
    request: dict[str, Any],
    hull: dict[str, list[Any]],
    seed: int,
    known: list[Structure],
    budget: int,
) -> list[JudgedCandidate]:
    """Run the part of an iteration for one job, with at most ``budget`` relaxations."""
    settings = SearchSettings.model_validate(request["settings"])
    formula = check_search_request(request["formula"], settings)
    potential = _load(request["potential"], request["device"], request["formula"])
    return search_iteration(formula, settings, potential, _hull(hull), seed, known, budget=budget)


@job
def gather(
    request: dict[str, Any],
    hull: dict[str, list[Any]],
    state: SearchState,
    found: list[list[JudgedCandidate]],
) -> PolymorphDoc | Response:
    """Collect the results of an iteration; end the search or start the next iteration.

    Without an output schema: jobflow applies the schema of a replaced job to the reference that
    replaces its output, and then rejects the reference.
    """
    settings = SearchSettings.model_validate(request["settings"])
    state = state.model_copy(deep=True)
    for findings in found:
        state.add(findings)
    state.n_iterations += 1
    reason = state.stop_reason(settings)
    if reason is None:
        following = next_iteration(request, hull, state)
        return Response(replace=_named(following, f"iteration {state.n_iterations + 1}"))
    formula = check_search_request(request["formula"], settings)
    known = _hull(hull)
    batch = _load(request["potential"], request["device"], request["formula"])
    polish(state, batch, settings, known.floor(formula))
    return make_document(
        formula,
        state,
        known,
        reason,
        request["potential"],
        request["seed"],
        settings,
        request["device"],
    )


def _share(
    request: dict[str, Any], settings: SearchSettings, index: int, n_jobs: int
) -> dict[str, Any]:
    """Return the request of one job of an iteration, with its part of the files."""
    own = settings.model_copy(update={"files": settings.files[index::n_jobs]})
    return {**request, "settings": own.model_dump(mode="json")}


def _named(job: Job, name: str) -> Job:
    """Set the name of a job."""
    job.name = name
    return job


def _load(potential: str | None, device: str | None, formula: str) -> Any:
    from pymatgen.core import Composition

    from vitrion.potentials.batch import load_batch_potential

    symbols = [element.symbol for element in Composition(formula)]
    return load_batch_potential(potential, device=device, symbols=symbols)


def _hull(energies: dict[str, list[Any]]) -> Hull:
    from pymatgen.core import Composition

    return Hull({name: (Composition(f), energy) for name, (f, energy) in energies.items()})
