"""Makers of the polymorph search."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
        maker, name = replace(self, settings=settings), usual_formula(formula)
        references = _named(maker.relax_references(name), "reference phases")
        first = _named(maker.next_iteration(name, references.output, SearchState()), "iteration 1")
        return Flow([references, first], output=first.output, name=f"{name} {self.name}")

    @job
    def relax_references(self, formula: str) -> dict[str, list[Any]]:
        """Relax the references; return formula and energy in eV/atom by name."""
        composition = check_search_request(formula, SearchSettings(hosts=0))
        hull = make_hull(composition, self._load(formula), self.references)
        return {name: [c.formula, energy] for name, (c, energy) in hull.energies.items()}

    @job
    def next_iteration(
        self, formula: str, hull: dict[str, list[Any]], state: SearchState
    ) -> Response:
        """Start an iteration: parallel jobs and the job that collects their results."""
        settings, number = self.settings, state.n_iterations + 1
        iteration_seed = spawn_seeds(self.seed, number)[-1]
        known = state.best(settings.hosts)
        learned = settings_of_iteration(settings, state)
        left, n_jobs = settings.max_relaxations - state.n_relaxations, self.parallel
        budgets = [left // n_jobs + (index < left % n_jobs) for index in range(min(n_jobs, left))]
        workers = []
        for index, seed in enumerate(spawn_seeds(iteration_seed, len(budgets))):
            files = learned.files[index :: len(budgets)]
            own = learned.model_copy(update={"files": files})
            worker = self.run_iteration(formula, own, hull, seed, known, budgets[index])
            workers.append(_named(worker, f"iteration {number}, batch {index + 1}"))
        gathered = self.gather(formula, hull, state, [worker.output for worker in workers])
        _named(gathered, f"iteration {number}, collect")
        return Response(replace=Flow([*workers, gathered], output=gathered.output))

    @job
    def run_iteration(
        self,
        formula: str,
        settings: SearchSettings,
        hull: dict[str, list[Any]],
        seed: int,
        known: list[Structure],
        budget: int,
    ) -> list[JudgedCandidate]:
        """Run the part of an iteration for one job, with at most ``budget`` relaxations.

        ``settings`` are those of the search with the files of this job.
        """
        unit = check_search_request(formula, settings)
        potential = self._load(formula)
        return search_iteration(unit, settings, potential, _hull(hull), seed, known, budget=budget)

    @job
    def gather(
        self,
        formula: str,
        hull: dict[str, list[Any]],
        state: SearchState,
        found: list[list[JudgedCandidate]],
    ) -> PolymorphDoc | Response:
        """Collect the results of an iteration; end the search or start the next iteration.

        Without an output schema: jobflow applies the schema of a replaced job to the reference that
        replaces its output, and then rejects the reference.
        """
        settings = self.settings
        state = state.model_copy(deep=True)
        for findings in found:
            state.add(findings)
        state.n_iterations += 1
        reason = state.stop_reason(settings)
        if reason is None:
            following = self.next_iteration(formula, hull, state)
            return Response(replace=_named(following, f"iteration {state.n_iterations + 1}"))
        unit = check_search_request(formula, settings)
        known = _hull(hull)
        polish(state, self._load(formula), settings, known.floor(unit))
        return make_document(
            unit, state, known, reason, self.potential, self.seed, settings, self.device
        )

    def _load(self, formula: str) -> Any:
        from pymatgen.core import Composition

        from vitrion.potentials.batch import load_batch_potential

        symbols = [element.symbol for element in Composition(formula)]
        return load_batch_potential(self.potential, device=self.device, symbols=symbols)


def _named(job: Job, name: str) -> Job:
    """Set the name of a job."""
    job.name = name
    return job


def _hull(energies: dict[str, list[Any]]) -> Hull:
    from pymatgen.core import Composition

    return Hull({name: (Composition(f), energy) for name, (f, energy) in energies.items()})
