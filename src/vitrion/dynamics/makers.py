"""Jobs that run molecular dynamics."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from atomate2.forcefields.utils import MLFF, ForceFieldMixin, ase_calculator, revert_default_dtype
from jobflow import Maker, Response, job

from vitrion.chemistry.structures import takes_structure, takes_structures
from vitrion.documents.additional_fields import NAME, additional_fields
from vitrion.dynamics.batched_runs import run_batched
from vitrion.dynamics.document import MDDoc, MDSeriesDoc, md_document, subsample
from vitrion.dynamics.engine import is_same_run, run_md
from vitrion.dynamics.md_settings import MDSettings, Ramp
from vitrion.dynamics.workers import MDTask, run_many
from vitrion.errors import InputError, SimulationError
from vitrion.potentials import check_elements, describe_potential, get_potential, load_calculator
from vitrion.potentials.calculators import runs_on_gpu
from vitrion.potentials.trust import assess
from vitrion.runtime.notebook_display import NotebookTable
from vitrion.runtime.running_job import check_root, continued, job_folder, resolve_prev_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.dynamics.run_result import MDResult
    from vitrion.dynamics.workers import MDOutcome
    from vitrion.potentials import PotentialSpec


@dataclass
class _Named(NotebookTable, Maker):
    """Maker that puts ``name`` before the fields of atomate2's mixin."""

    name: str = "force-field dynamics"


@dataclass
class ForceFieldDynamics(ForceFieldMixin, _Named):
    """Base class of dynamics makers: potential, walltime and folder of the files.

    Parameters
    ----------
    potential : str or None
        Name in vitrion's registry; ``calculator_kwargs`` are then passed to
        :func:`~vitrion.potentials.load_calculator`. None selects the atomate2 force field
        ``force_field_name``, or the user's default potential.
    walltime_s : float or None
        Time in s after which the job stops at a checkpoint and replaces itself by a continuation.
    reference_potential : str or None
        Name of a second potential; its forces are compared with the forces of the run on a few
        frames, for the document's ``trust``.
    root_dir : str or None
        Absolute path of a folder with one subfolder per job, named by the job's uuid, so that a
        rerun finds its checkpoint from any launch directory. None uses the launch directory.
    """

    potential: str | None = None
    walltime_s: float | None = None
    reference_potential: str | None = None
    root_dir: str | None = None

    def __post_init__(self) -> None:
        """Validate the input before a job is created."""
        super().__post_init__()
        atomate2_names_it = self.calculator_meta != MLFF.Forcefield
        if self.potential is not None and atomate2_names_it:
            raise InputError("Set either potential or force_field_name, not both.")
        additional_fields(self.task_document_kwargs)
        self.root_dir = check_root(self.root_dir)
        if self.potential is None and not atomate2_names_it:
            self.potential = get_potential().name  # the default may change before the job runs
        if self.reference_potential is not None:
            if self.reference_potential == self.potential:
                raise InputError(
                    f"The reference potential '{self.reference_potential}' is the potential of the "
                    "run: set another reference potential, or None."
                )
            describe_potential(self.reference_potential)  # raises for an unknown name

    def check(self, *structures: Structure) -> None:
        """Check that the potential and its reference support all elements of the structures.

        Raises
        ------
        InputError
            If an element is not supported.
        """
        self.check_symbols({e.symbol for one in structures for e in one.elements})

    def check_symbols(self, symbols: Iterable[str]) -> None:
        """Check elements; see :meth:`check`."""
        symbols = list(symbols)
        for spec in (self.spec(), self._reference()):
            if spec is not None:
                check_elements(spec, symbols)

    def spec(self) -> PotentialSpec | None:
        """Return the registry's description of the potential; None for atomate2's force fields."""
        return None if self.potential is None else describe_potential(self.potential)

    def _reference(self) -> PotentialSpec | None:
        name = self.reference_potential
        return None if name is None else describe_potential(name)

    def loader(self) -> Callable[[], Calculator]:
        """Return a picklable function that loads the calculator."""
        if self.potential is not None:
            return partial(load_calculator, self.potential, **self.calculator_kwargs)
        return partial(ase_calculator, self.calculator_meta, **self.calculator_kwargs)  # type: ignore[arg-type, return-value]

    def identity(self) -> dict[str, Any]:
        """Return the identity of the potential as JSON."""
        spec = self.spec()
        if spec is not None:
            names = {"name": spec.name, "version": spec.version, "sha256": spec.sha256}
        else:
            names = {"name": self.task_document_kwargs.get(NAME, str(self.calculator_meta))}
        kwargs = {key: str(value) for key, value in self.calculator_kwargs.items()}
        return {**names, "calculator_kwargs": kwargs}

    def document(self, result: MDResult) -> MDDoc:
        """Create the document of a run, including its trust report."""
        trust = None
        if self.potential is not None and result.complete:
            trust = assess(subsample(result), self.potential, self.reference_potential)
        fields = additional_fields(self.task_document_kwargs)
        return md_document(result, self.spec(), trust=trust, additional_fields=fields)

    def _get_calculator(self) -> Calculator:
        return self.loader()()

    def _cutoff(self) -> float | None:
        spec = self.spec()
        return None if spec is None else spec.cutoff_A

    def is_batched(self, batched: bool | None) -> bool:
        """Return whether several runs share model calls; None: if torch evaluates on a GPU."""
        if batched is not None or self.potential is None:
            return bool(batched)
        return runs_on_gpu(self.potential, self.calculator_kwargs.get("device"))

    def _own_directory(self) -> Path:
        return job_folder(self.root_dir, "md")


@dataclass
class MDMaker(ForceFieldDynamics):
    """Create a restartable molecular-dynamics job.

    The job's directory holds the trajectory ``md.vtraj.h5`` and the checkpoint. A rerun resumes
    from the checkpoint, or loads the result of a complete run.

    Parameters
    ----------
    name : str
        The name of the jobs.
    settings : MDSettings or dict
        Ensemble, temperature, duration.
    potential, walltime_s, reference_potential, root_dir
        See :class:`ForceFieldDynamics`.
    force_field_name, calculator_meta, calculator_kwargs
        See atomate2's ``ForceFieldMixin``.
    task_document_kwargs
        ``additional_fields`` are added to the document; other keys are refused.

    Examples
    --------
    >>> maker = MDMaker(potential="chgnet", settings=MDSettings(temperature_K=600, duration_ps=50))
    >>> maker.settings.n_steps
    25000
    """

    name: str = "molecular dynamics"
    settings: MDSettings = field(default_factory=MDSettings)

    def __post_init__(self) -> None:
        """Validate the input before a job is created."""
        super().__post_init__()
        self.settings = _settings(self.settings)

    @takes_structure
    @job(output_schema=MDDoc)
    @takes_structure
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Response | MDDoc:
        """Run molecular dynamics.

        Parameters
        ----------
        structure : Structure
            Initial structure; its site property ``velocities`` (A/fs) is used if present.
        prev_dir : str or Path, optional
            Directory of an earlier run. The same run resumes there; velocities are taken from a
            run that ended in ``structure``.

        Returns
        -------
        MDDoc
            Document of the run; after a walltime stop the job replaces itself to resume.
        """
        result = self.run(structure, prev_dir)
        document = self.document(result)
        if result.complete:
            return document
        again = self.make(structure, prev_dir=str(result.directory))
        return Response(output=document, replace=continued(again))

    def run(self, structure: Structure, prev_dir: str | Path | None = None) -> MDResult:
        """Run without jobflow; see :meth:`make`."""
        self.check(structure)
        previous = resolve_prev_dir(prev_dir)
        identity = self.identity()
        directory = self._own_directory()
        if previous and is_same_run(previous, structure, self.settings, identity):
            directory, previous = previous, None
        with revert_default_dtype():
            return run_md(
                structure,
                self.loader(),
                self.settings,
                directory,
                prev_dir=previous,
                potential=identity,
                cutoff_A=self._cutoff(),
                walltime_s=self.walltime_s,
            )


@dataclass
class MDSeriesMaker(ForceFieldDynamics):
    """Create one job of several independent runs in worker processes of one thread each.

    Every structure is run ``replicas`` times at every temperature, with independent velocities and
    noise; the seeds are derived from ``settings.seed``.

    Parameters
    ----------
    name : str
        The name of the jobs.
    temperatures_K : tuple of float
        Different temperatures in K, or ramps (start, end); if empty, the temperature of the
        settings.
    replicas : int
        Number of runs at each temperature.
    workers : int or None
        Number of parallel processes; None uses the user's setting.
    batched : bool or None
        Whether all runs share the model calls of one process; None for potentials that torch
        evaluates on a GPU. See :mod:`vitrion.dynamics.batched_runs`.
    settings : MDSettings or dict
        Settings of every run, except temperature and seed.
    potential, walltime_s, reference_potential, root_dir
        See :class:`ForceFieldDynamics`.
    """

    name: str = "molecular dynamics series"
    temperatures_K: tuple[Ramp, ...] = ()
    replicas: int = 1
    workers: int | None = None
    batched: bool | None = None
    settings: MDSettings = field(default_factory=MDSettings)

    def __post_init__(self) -> None:
        """Validate the input before a job is created."""
        super().__post_init__()
        self.settings = _settings(self.settings)
        self.temperatures_K = tuple(self._settings_at(t).temperature_K for t in self.temperatures_K)
        for what, number in (("replicas", self.replicas), ("workers", self.workers)):
            if number is not None and number < 1:
                raise InputError(f"Number of {what} {number} must be at least 1.")
        names = [*map(_kelvin, self.temperatures_K)]
        if len(set(names)) < len(names):
            raise InputError(
                f"The temperatures {', '.join(names)} must differ: set replicas for several runs "
                "at one temperature."
            )

    @takes_structures
    @job(output_schema=MDSeriesDoc)
    @takes_structures
    def make(
        self, structure: Structure | list[Structure], prev_dir: str | Path | None = None
    ) -> Response | MDSeriesDoc:
        """Run molecular dynamics several times.

        Parameters
        ----------
        structure : Structure or list of Structures
            Initial structures. Their velocities are ignored, so that the runs are independent.
        prev_dir : str or Path, optional
            Directory of this series, to resume it there.

        Returns
        -------
        MDSeriesDoc
            Completed and failed runs; after a walltime stop the job replaces itself to resume.

        Raises
        ------
        SimulationError
            If all runs failed.
        """
        structures = structure if isinstance(structure, list) else [structure]
        self.check(*structures)
        root = self._own_directory()
        previous = resolve_prev_dir(prev_dir)
        if previous and any(task.directory.is_dir() for task in self.tasks(structures, previous)):
            root = previous
        run: Callable[..., list[MDOutcome]] = run_batched
        if not self.is_batched(self.batched):
            run = partial(run_many, workers=self._workers())
        with revert_default_dtype():
            outcomes = run(
                self.tasks(structures, root),
                self.loader(),
                potential=self.identity(),
                cutoff_A=self._cutoff(),
                walltime_s=self.walltime_s,
            )
        failures = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
        if len(failures) == len(outcomes):
            name, error = next(iter(failures.items()))
            raise SimulationError(f"All {len(outcomes)} runs failed; {name}: {error}")
        document = MDSeriesDoc(
            directory=str(root),
            runs={
                outcome.name: self.document(outcome.result)
                for outcome in outcomes
                if outcome.result is not None
            },
            failures=failures,
            additional_fields=additional_fields(self.task_document_kwargs),
        )
        if all(outcome.complete or outcome.error for outcome in outcomes):
            return document
        again = self.make(structure, prev_dir=str(root))
        return Response(output=document, replace=continued(again))

    def tasks(self, structures: Sequence[Structure], root: Path) -> list[MDTask]:
        """Return the runs: one for each structure, temperature and replica."""
        plan = [
            (index, temperature, replica)
            for index in range(len(structures))
            for temperature in self.temperatures_K or (self.settings.temperature_K,)
            for replica in range(self.replicas)
        ]
        seeds = np.random.SeedSequence(self.settings.seed).generate_state(len(plan))
        tasks = []
        for (index, temperature, replica), seed in zip(plan, seeds, strict=True):
            name = f"s{index}-{_kelvin(temperature)}-r{replica}"
            settings = self._settings_at(temperature, seed=int(seed))
            tasks.append(MDTask(name, without_velocities(structures[index]), settings, root / name))
        return tasks

    def _settings_at(self, temperature_K: Ramp, **changes: Any) -> MDSettings:
        """Return the settings of a run."""
        return MDSettings(
            **{**self.settings.model_dump(), "temperature_K": temperature_K, **changes}
        )

    def _workers(self) -> int:
        if self.workers is not None:
            return self.workers
        from vitrion.settings import get_settings

        return get_settings().workers


def _settings(given: MDSettings | dict[str, Any]) -> MDSettings:
    """Return settings, converting the dictionary of a serialized maker."""
    return MDSettings.from_dict(given) if isinstance(given, dict) else given


def _kelvin(temperature: Ramp) -> str:
    ends = temperature if isinstance(temperature, tuple) else (temperature,)
    return "-".join(f"{value:g}K" for value in ends)


def without_velocities(structure: Structure) -> Structure:
    """Return the structure without velocities."""
    if "velocities" not in structure.site_properties:
        return structure
    structure = structure.copy()
    structure.remove_site_property("velocities")
    return structure
