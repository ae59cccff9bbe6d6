"""Conductivity by molecular dynamics to a target precision."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import OnMissing, Response, job

from vitrion.chemistry.structures import takes_structures
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.document import ConductivityDoc, DensityPoint
from vitrion.conductivity.further_systems import cost_of_systems
from vitrion.conductivity.mean_cell import (
    DENSITY_SEGMENT,
    at_mean_volume,
    constant_pressure,
)
from vitrion.conductivity.precision import plan_extension
from vitrion.conductivity.segments import (
    Schedule,
    analyzed_segments,
    finished_segments,
    run_segments,
)
from vitrion.conductivity.temperature_scan import choose_from_scan, read_choice, scan_tasks
from vitrion.documents.additional_fields import additional_fields
from vitrion.documents.base import check_phase
from vitrion.documents.provenance import Provenance
from vitrion.dynamics.document import md_document, subsample
from vitrion.dynamics.makers import ForceFieldDynamics, without_velocities
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.run_result import TRAJECTORY_NAME, load_result
from vitrion.dynamics.workers import MDTask
from vitrion.errors import SimulationError
from vitrion.potentials.trust import assess
from vitrion.runtime.progress import Progress, write_progress
from vitrion.runtime.running_job import continued, continued_after, resolve_prev_dir
from vitrion.transport.analysis import analyze_file
from vitrion.transport.replicas import combine_temperatures
from vitrion.uncertainty import ReplicaMean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobflow import Flow, Job
    from pymatgen.core import Structure

    from vitrion.amorphous.glass_transition import GlassTransition
    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.conductivity.further_systems import Cost, SystemMaker
    from vitrion.conductivity.precision import Plan
    from vitrion.conductivity.temperature_choice import TemperatureChoice
    from vitrion.documents.base import Phase
    from vitrion.potentials.trust import TrustReport
    from vitrion.transport.result import TransportResult

    Run = tuple[str, int, float]
    """Name, index of the structure, and temperature in K of a run."""

FRAME_STRIDE = 3
"""Every third of the subsampled frames of a run is used for the trust report."""


@dataclass
class ConductivityMaker(ForceFieldDynamics):
    """Create a job that runs molecular dynamics until the target precision is reached.

    Every run starts at constant pressure; later dynamics use the mean cell. The first iteration
    runs every temperature for ``settings.first_ps``. Then the runs are analyzed, and the job
    replaces itself by a job that extends the runs that reduce the error most, or by jobs that make
    further systems, until the target or the budget is reached. All iterations share one directory;
    a rerun of the job resumes there.

    Parameters
    ----------
    name : str
        The name of the jobs.
    settings : ConductivitySettings or dict
        Temperatures, durations, target precision.
    phase : {"crystalline", "amorphous", "liquid"} or None
        State of the material, for the document.
    workers : int or None
        Number of worker processes; None for the user's setting.
    system_maker : SystemMaker or None
        Makes further systems if their spread dominates the error; None extends runs alone.
    batched : bool or None
        Whether all runs share the model calls of one process; None for potentials that torch
        evaluates on a GPU. See `vitrion.dynamics.batched_runs`.
    potential, walltime_s, reference_potential, root_dir
        See `vitrion.dynamics.makers.ForceFieldDynamics`.

    Examples
    --------
    >>> settings = ConductivitySettings(temperatures_K=(600, 800, 1000), target=0.2)
    >>> maker = ConductivityMaker(settings=settings, potential="chgnet")
    """

    name: str = "conductivity"
    settings: ConductivitySettings = field(default_factory=ConductivitySettings)
    phase: Phase | None = None
    workers: int | None = None
    batched: bool | None = None
    system_maker: SystemMaker | None = None

    def __post_init__(self) -> None:
        """Validate the parameters."""
        super().__post_init__()
        self.phase = check_phase(self.phase)
        if isinstance(self.settings, dict):
            self.settings = ConductivitySettings.from_dict(self.settings)
        self.settings.check_frames()

    @takes_structures
    @job(output_schema=ConductivityDoc)
    @takes_structures
    def make(
        self,
        structure: Structure | list[Structure],
        prev_dir: str | Path | None = None,
        remarks: Sequence[str] = (),
        glass_transition: GlassTransition | None = None,
        origin: Structure | CompositionLike | None = None,
        further: Sequence[dict[str, Any] | None] = (),
    ) -> Response | ConductivityDoc:
        """Compute the conductivity.

        Parameters
        ----------
        structure : Structure or list of Structures
            Initial structure; several are independent systems, such as glasses of one composition,
            whose spread contributes to the error.
        prev_dir : str or Path, optional
            Directory of an earlier run of this job to resume.
        remarks : sequence of str
            Remarks about the structures, for the document.
        glass_transition : GlassTransition, optional
            Glass transition of the structures' quench. Temperatures above it are excluded from the
            fit, unless the settings state another one.
        origin : Structure, Composition or str, optional
            What further systems are made from; needed if there is a `system_maker`.
        further : sequence of dict or None
            Outputs of the `system_maker`: systems in addition to `structure`; None if it failed.

        Returns
        -------
        ConductivityDoc
            Document of all runs so far. If the target is not reached, the job replaces itself
            by its continuation.
        """
        root = resolve_prev_dir(prev_dir) or self._own_directory()
        made = [output for output in further if output is not None]
        new = [system for output in made for system in output["structures"]]
        if further:
            Schedule.close(root, not new)
        structures = [*_as_list(structure), *new]
        document, finished = self.advance(structures, root, glass_transition, origin)
        document.remarks = [*remarks, *(text for output in made for text in output["remarks"])]
        if finished:
            return document
        inputs = (structures, str(root), document.remarks, glass_transition, origin)
        return Response(output=document, replace=self._next(document, root, *inputs))

    def _next(self, document: ConductivityDoc, root: Path, *inputs: Any) -> Flow | Job:
        """Return the job that continues, after those that make the further systems of the plan."""
        more = document.plan.more_systems if document.plan else 0
        if not more:
            return continued(self.make(*inputs))
        structures, *_, origin = inputs
        schedule = Schedule.read(root)
        assert schedule is not None
        assert self.system_maker is not None
        n_before = schedule.n_requested(len(structures))
        made = self.system_maker.make(origin, n_before, more)
        again = self.make(*inputs, further=[made.output])
        again.config.on_missing_references = OnMissing.NONE
        return continued_after(made, again)

    def advance(
        self,
        structures: list[Structure],
        root: Path,
        glass_transition: GlassTransition | None = None,
        origin: Structure | CompositionLike | None = None,
    ) -> tuple[ConductivityDoc, bool]:
        """Run and analyze one iteration, plan the next; return the document and whether to stop.

        Further systems are planned only if there is an `origin` to make them from.

        Raises
        ------
        InputError
            If the mobile species of the settings do not suit the structures.
        SimulationError
            If all runs at a temperature failed.
        """
        self.settings.charges_in(structures[0].composition)  # before any dynamics
        deadline = math.inf if self.walltime_s is None else time.monotonic() + self.walltime_s
        return self._advance(structures, root, glass_transition, origin, deadline)

    def _advance(
        self,
        structures: list[Structure],
        root: Path,
        glass_transition: GlassTransition | None,
        origin: Structure | CompositionLike | None,
        deadline: float,
    ) -> tuple[ConductivityDoc, bool]:
        """Advance until a time in s, as ``time.monotonic`` returns it."""
        if self.settings.temperatures_K is None:
            choice = self._choose_temperatures(structures, root, deadline)
            if choice is None:
                return self._document(structures, root, [], {}, None, {}, None), False
            chosen = {"temperatures_K": tuple(choice.temperatures_K)}
            fixed = replace(self, settings=self.settings.model_copy(update=chosen))
            document, finished = fixed._advance(
                structures, root, glass_transition, origin, deadline
            )
            document.temperature_choice = choice
            return document, finished
        temperatures_K = self.settings.temperatures_K
        schedule = Schedule.read(root) or Schedule(
            n_systems=len(structures),
            iterations=[dict.fromkeys(temperatures_K, self.settings.first_ps)],
        )
        failures: dict[str, str] = {}
        first = [dict.fromkeys(temperatures_K, self.settings.equilibration_ps)]
        self._write_plan(root, len(structures), [*first, *schedule.iterations])
        complete = self._run(self._density_tasks(structures, root), failures, deadline)
        for index, lengths in enumerate(first + schedule.iterations):
            # A segment starts from the end of the previous one.
            complete = complete and self._run(
                self._tasks(structures, root, index, lengths, failures), failures, deadline
            )
        if not complete:
            return self._document(structures, root, [], {}, None, failures, None), False
        runs = [run for run in self._runs(structures) if analyzed_segments(root / run[0])]
        results = self._results(structures, root, runs, failures)
        made_ps = None
        if self.system_maker is not None and origin is not None:
            made_ps = self.system_maker.duration_ps(origin)
        cost = cost_of_systems(self.settings, schedule, len(structures), made_ps)
        plan = self._plan(results, structures, runs, failures, glass_transition, cost)
        document = self._document(structures, root, runs, results, plan, failures, glass_transition)
        if plan.extensions_ps:
            schedule.iterations.append(plan.extensions_ps)
        if plan.more_systems:
            schedule.request(len(structures), plan.more_systems)
        if plan.goes_on:
            schedule.write(root)
        return document, not plan.goes_on

    def _choose_temperatures(
        self, structures: list[Structure], root: Path, deadline: float
    ) -> TemperatureChoice | None:
        """Choose temperatures by a scan of the first structure; None if it is unfinished."""
        choice = read_choice(root)
        if choice is None:
            failures: dict[str, str] = {}
            tasks = scan_tasks(structures[0], self.settings, self.phase, root)
            if self._run(tasks, failures, deadline):
                choice = choose_from_scan(structures[0], self.settings, tasks, failures, root)
        return choice

    def _run(self, tasks: list[MDTask], failures: dict[str, str], deadline: float) -> bool:
        """Run unfinished tasks, record failures, and return whether all tasks have ended."""
        left_s = max(deadline - time.monotonic(), 0.0)
        outcomes = run_segments(
            tasks,
            self.loader(),
            workers=self._workers(),
            batched=self.is_batched(self.batched),
            potential=self.identity(),
            cutoff_A=self._cutoff(),
            walltime_s=None if math.isinf(deadline) else left_s,
        )
        failures |= {outcome.name: outcome.error for outcome in outcomes if outcome.error}
        return all(outcome.complete or outcome.error for outcome in outcomes)

    def _write_plan(
        self, root: Path, n_structures: int, iterations: list[dict[float, float]]
    ) -> None:
        """Write the total planned duration of all runs, for the progress display."""
        runs = n_structures * self.settings.replicas
        density_ps = self.settings.density_ps * self.settings.n_temperatures
        total = runs * (density_ps + sum(sum(lengths.values()) for lengths in iterations))
        write_progress(root, Progress(0.0, total, "ps"), plan=True)

    def _plan(
        self,
        results: Mapping[float, list[TransportResult]],
        structures: list[Structure],
        runs: list[Run],
        failures: Mapping[str, str],
        glass_transition: GlassTransition | None,
        cost: Cost,
    ) -> Plan:
        settings, systems = self.settings, self._systems(structures, runs)
        limits = {
            "melting_K": settings.melting_K,
            "glass_transition_K": self._glass_transition_K(glass_transition),
        }
        combined = combine_temperatures(
            list(results.values()),
            hierarchical=systems is not None,
            systems=[systems[temperature] for temperature in results] if systems else None,
            disordered=self.phase == "amorphous",
            **limits,
        )
        spent = sum(result.duration_ps for found in results.values() for result in found)
        # A sum that differs from the budget in the last digit would be extended by no frame.
        left_ps = round(cost.budget_ps - spent, 6)
        return plan_extension(
            combined,
            settings.target,
            left_ps,
            goal=settings.goal,
            **limits,
            extensible_K={temperature for name, _, temperature in runs if name not in failures},
            system_ps=cost.system_ps,
        )

    def _runs(self, structures: list[Structure]) -> list[Run]:
        """Return name, index of the structure, and temperature of every run."""
        return [
            (f"s{index}-{temperature:g}K-r{replica}", index, temperature)
            for index in range(len(structures))
            for temperature in self.settings.temperatures_K or ()
            for replica in range(self.settings.replicas)
        ]

    def _systems(
        self, structures: list[Structure], runs: list[Run]
    ) -> dict[float, list[int]] | None:
        """Return the structure index of each of the runs; None for a single structure."""
        if len(structures) == 1:
            return None
        return {
            temperature: [index for _, index, own in runs if own == temperature]
            for temperature in self.settings.temperatures_K or ()
        }

    def _density_tasks(self, structures: list[Structure], root: Path) -> list[MDTask]:
        """Prepare the dynamics at constant pressure of every run."""
        duration = self.settings.whole_frames(self.settings.density_ps)
        if not duration:
            return []
        tasks, md = [], self.settings.md
        for number, (name, index, temperature) in enumerate(self._runs(structures)):
            seed = np.random.SeedSequence([md.seed, number, 0, 1]).generate_state(1)[0]
            settings = constant_pressure(
                self.settings, self.phase, temperature, duration, int(seed)
            )
            start = without_velocities(structures[index])
            tasks.append(MDTask(name, start, settings, root / name / DENSITY_SEGMENT))
        return tasks

    def _start(self, structure: Structure, folder: Path) -> Structure:
        """Return the initial structure of a run at constant volume."""
        if not self.settings.density_ps:
            return without_velocities(structure)
        return at_mean_volume(folder / DENSITY_SEGMENT)

    def _tasks(
        self,
        structures: list[Structure],
        root: Path,
        segment: int,
        lengths: Mapping[float, float],
        failures: Mapping[str, str],
    ) -> list[MDTask]:
        """Prepare one segment of every run, from the end of its previous segment."""
        tasks, md = [], self.settings.md
        for number, (name, index, temperature) in enumerate(self._runs(structures)):
            duration = self.settings.whole_frames(lengths.get(temperature, 0.0))
            if not duration or name in failures:
                continue
            folder = root / name / f"segment-{segment:03d}"
            before = [each for each in finished_segments(root / name) if each < folder]
            start = (
                load_result(before[-1]).structure
                if before
                else self._start(structures[index], root / name)
            )
            seed = np.random.SeedSequence([md.seed, number, segment]).generate_state(1)[0]
            values = {"temperature_K": temperature, "duration_ps": duration, "seed": int(seed)}
            settings = MDSettings(**{**md.model_dump(), **values})
            tasks.append(MDTask(name, start, settings, folder))
        return tasks

    def _results(
        self,
        structures: list[Structure],
        root: Path,
        runs: list[Run],
        failures: Mapping[str, str],
    ) -> dict[float, list[TransportResult]]:
        settings = self.settings
        charges = settings.charges_in(structures[0].composition)
        results: dict[float, list[TransportResult]] = {t: [] for t in settings.temperatures_K or ()}
        for name, _, temperature in runs:
            segments = analyzed_segments(root / name)
            files = [str(segment / TRAJECTORY_NAME) for segment in segments]
            results[temperature].append(analyze_file(files, charges, temperature))
        lost = [run for run in self._runs(structures) if not results[run[2]]]
        if lost:
            name, _, temperature = lost[0]
            raise SimulationError(f"All runs at {temperature:g} K failed: {failures[name]}")
        return results

    def _document(
        self,
        structures: list[Structure],
        root: Path,
        runs: list[Run],
        results: Mapping[float, list[TransportResult]],
        plan: Plan | None,
        failures: Mapping[str, str],
        glass_transition: GlassTransition | None,
    ) -> ConductivityDoc:
        spec = self.spec()
        documents = {
            name: [
                md_document(load_result(segment), spec)
                for segment in finished_segments(root / name)
            ]
            for name, _, _ in runs
        }
        return ConductivityDoc.from_results(
            structures[0],
            results,
            hierarchical=len(structures) > 1,
            systems=self._systems(structures, runs),
            melting_K=self.settings.melting_K,
            glass_transition_K=self._glass_transition_K(glass_transition),
            glass_transition=glass_transition,
            densities=self._densities(root, runs),
            plan=plan,
            phase=self.phase,
            trust=None if plan is None or plan.goes_on else self._trust(root, runs),
            directory=str(root),
            failures={name: text for name, text in failures.items() if name not in documents},
            failed_extensions={name: text for name, text in failures.items() if name in documents},
            trajectories={
                name: [document.trajectory for document in segments]
                for name, segments in documents.items()
            },
            provenance=Provenance.collect(spec, seeds={"dynamics": self.settings.md.seed}),
            additional_fields=additional_fields(self.task_document_kwargs),
        )

    def _glass_transition_K(self, found: GlassTransition | None) -> float | None:
        given = self.settings.glass_transition_K
        return found.temperature_K if given is None and found is not None else given

    def _densities(self, root: Path, runs: list[Run]) -> list[DensityPoint]:
        if not self.settings.density_ps:
            return []
        found: dict[float, list[float]] = {}
        for name, _, temperature in runs:
            density = at_mean_volume(root / name / DENSITY_SEGMENT).density
            found.setdefault(temperature, []).append(float(density))
        return [
            DensityPoint(temperature_K=t, density_g_per_cm3=ReplicaMean.of(values))
            for t, values in sorted(found.items())
        ]

    def _trust(self, root: Path, runs: list[Run]) -> TrustReport | None:
        """Assess the potential on a few frames of the last segment of every run."""
        if self.potential is None:
            return None
        frames = [
            frame
            for name, _, _ in runs
            for frame in subsample(load_result(finished_segments(root / name)[-1]))[1::FRAME_STRIDE]
        ]
        return assess(frames, self.potential, self.reference_potential)

    def _workers(self) -> int:
        if self.workers is not None:
            return self.workers
        from vitrion.settings import get_settings

        return get_settings().workers


def _as_list(structure: Structure | list[Structure]) -> list[Structure]:
    return list(structure) if isinstance(structure, list) else [structure]
