"""Several runs together, in common calls of one potential: for models in torch on a GPU.

A cell of some hundred atoms does not fill a GPU, and a call of a model costs about the same for one
cell as for ten. Here all runs do a step, the potential evaluates their cells in one call, and all
do the next step; cells, ensembles, temperatures and durations may differ. Every run is a
:class:`~vitrion.dynamics.simulation.Run` with its own thermostat, random numbers, trajectory,
checkpoint and checks, exactly as if it ran alone; the integrators of torch-sim are not used,
because they have neither this thermostat's conserved energy nor a checkpoint of their random
numbers. From torch-sim come the neighbor lists on the GPU
(:mod:`vitrion.potentials.device_neighbors`). The host needs about 0.1 ms for each run and step.

The bits of a sum may depend on the size of the call. A run is therefore equal to a run alone to the
rounding of the model, not bit for bit; on the CPU, a batch that was killed and resumes with the
same runs at the same step is bit for bit equal to a batch that was not killed. On a GPU, sums over
neighbors are not reproducible.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ase import Atoms

from vitrion.dynamics.forces import CallAdapter, cutoff_of, evaluation_of
from vitrion.dynamics.progress_bar import SeriesProgress
from vitrion.dynamics.simulation import Run, check_start, open_run
from vitrion.dynamics.workers import MDOutcome, MDTask, check_tasks, fault_text, result_at_hand
from vitrion.errors import VitrionError
from vitrion.potentials.batch import batched
from vitrion.potentials.split_calls import SplitCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase.calculators.calculator import Calculator

    from vitrion.dynamics.integrator import Steps
    from vitrion.potentials.batch import Evaluation


def run_batched(
    tasks: Sequence[MDTask],
    load: Callable[[], Calculator],
    *,
    potential: dict[str, Any] | None = None,
    cutoff_A: float | None = None,
    walltime_s: float | None = None,
) -> list[MDOutcome]:
    """Run several simulations step by step together, in this process.

    Parameters
    ----------
    tasks : sequence of MDTask
        Each run resumes from its own checkpoint and may end before the others.
    load : callable
        Loads the calculator; called if a run is not complete.
    potential, cutoff_A
        See :func:`~vitrion.dynamics.engine.run_md`.
    walltime_s : float, optional
        Stop every run at its last checkpoint that fits into this many seconds; at least one is
        reached.

    Returns
    -------
    list of MDOutcome
        In the order of the tasks. A run that fails does not stop the others.

    Raises
    ------
    InputError
        If two tasks share a name or a directory.
    """
    check_tasks(tasks)
    deadline = math.inf if walltime_s is None else time.monotonic() + walltime_s
    errors: dict[str, str] = {}
    with ExitStack() as stack:
        runs: dict[str, Run] = {}
        for task in tasks:
            opened = open_run(
                task.structure,
                task.settings,
                task.directory.absolute(),
                potential=potential,
                cutoff_A=cutoff_A,
            )
            try:
                run = stack.enter_context(opened)
            except VitrionError as exc:
                errors[task.name] = str(exc)
            else:
                runs |= {} if run is None else {task.name: run}
        if runs:
            errors |= _run_all(runs, load, cutoff_A, deadline)
    return [MDOutcome(t.name, result_at_hand(t), errors.get(t.name)) for t in tasks]


def _run_all(
    runs: dict[str, Run],
    load: Callable[[], Calculator],
    cutoff_A: float | None,
    deadline: float,
) -> dict[str, str]:
    """Run all to their ends; return the errors of those that failed, by name."""
    try:
        calculator = load()
    except Exception as exc:  # any error is the outcome of the runs, as with workers
        return dict.fromkeys(runs, fault_text(exc))
    potential = batched(calculator)
    evaluation = f"{getattr(potential, 'evaluation', evaluation_of(calculator))}, batched"
    members: dict[str, _Member] = {}
    errors: dict[str, str] = {}
    with ExitStack() as stack, SeriesProgress() as progress:
        for name, run in runs.items():
            try:
                check_start(run.settings, run.start, cutoff_A or cutoff_of(calculator))
            except VitrionError as exc:
                errors[name] = str(exc)
                continue
            progress.add(name, run.settings)
            member = _Member.of(run, evaluation, deadline, partial(progress.update, name))
            members[name] = member
            stack.enter_context(closing(member.steps))
        return errors | _advance(members, SplitCalls(potential))


def _advance(members: dict[str, _Member], calls: SplitCalls) -> dict[str, str]:
    """Do step after step of all runs until the last one ends; return the errors by name."""
    errors: dict[str, str] = {}
    answers: dict[str, Evaluation | Exception | None] = dict.fromkeys(members)
    going = dict(members)
    while going:
        for name, answer in answers.items():
            try:
                going_on = going[name].proceed(answer)
            except Exception as exc:  # of this run or of its cell alone
                errors[name] = fault_text(exc)
                going_on = False
            if not going_on:
                del going[name]
        systems = [member.atoms for member in going.values()]
        stress = any(member.stress for member in going.values())
        answers = dict(zip(going, calls.evaluate(systems, stress), strict=True)) if going else {}
    return errors


@dataclass
class _Member:
    """A run, and the cell of its next request."""

    steps: Steps
    adapter: CallAdapter
    atoms: Atoms
    stress: bool = False

    @classmethod
    def of(
        cls, run: Run, evaluation: str, deadline: float, report: Callable[[int, float], None]
    ) -> _Member:
        start = run.start
        adapter = CallAdapter(start.masses, start.pbc, run.settings.fix_center_of_mass)
        steps = run.steps(evaluation, adapter.reset, deadline=deadline, report=report)
        atoms = Atoms(start.numbers, start.positions, cell=start.cell, pbc=start.pbc)
        return cls(steps, adapter, atoms)

    def proceed(self, answer: Evaluation | Exception | None) -> bool:
        """Do a step with the answer to the last request; return whether there is another one."""
        if isinstance(answer, Exception):
            raise answer
        evaluated = None
        if answer is not None:
            stress = answer.stress if self.stress else None
            evaluated = self.adapter.finished((answer.energy_eV, answer.forces, stress))
        try:
            request = self.steps.send(evaluated)  # type: ignore[arg-type]  # None starts it
        except StopIteration:
            return False
        self.atoms.positions[:] = self.adapter.wrapped(request.positions, request.cell)
        self.atoms.cell.array[:] = request.cell
        self.stress = request.stress
        return True
