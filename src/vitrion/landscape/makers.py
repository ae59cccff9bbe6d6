"""Jobs and flows of defects and landscapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from atomate2.forcefields.utils import revert_default_dtype
from jobflow import Flow, Job, Maker, OnMissing, OutputReference, Response, job

from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.structures import takes_structure, takes_structures
from vitrion.defects.document import DefectDoc
from vitrion.defects.sites import density_peaks
from vitrion.documents.additional_fields import additional_fields
from vitrion.dynamics.run_result import EQUILIBRATION
from vitrion.errors import InputError, SimulationError
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.landscape.host_trajectory import check_composition, match_host
from vitrion.landscape.ion_density import density_barrier, mobile_motion
from vitrion.landscape.site_energies import landscape
from vitrion.landscape.study import study_defects
from vitrion.landscape.study_settings import DefectSettings
from vitrion.potentials import describe_potential, get_potential, load_calculator
from vitrion.runtime.cache import OutOfTime
from vitrion.runtime.notebook_display import NotebookTable
from vitrion.runtime.progress import Progress, write_progress
from vitrion.runtime.running_job import check_root, continued, job_folder, resolve_prev_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase.calculators.calculator import Calculator
    from atomate2.vasp.jobs.base import BaseVaspMaker
    from numpy.typing import ArrayLike
    from pymatgen.core import Structure

    from vitrion.landscape.document import DensityBarrier


@dataclass
class DefectMaker(NotebookTable, Maker):
    """Compute the sites and defects of one crystal or glass.

    With a registered potential it is one job, which resumes after an interruption. With an atomate2
    VASP maker it is a flow of charged defects in supercells of a crystal.

    Parameters
    ----------
    name : str
        The name of the jobs.
    potential : str or None
        Name in vitrion's registry; None takes the user's default.
    settings : DefectSettings or dict
    calculator_kwargs : dict
        For :func:`vitrion.potentials.load_calculator`.
    root_dir : str or None
        Absolute path of a folder with one subfolder per job, named by the job's uuid, for partial
        results, from which a rerun resumes in any launch directory. None uses the launch directory.
    walltime_s : float or None
        Seconds after which a job finishes its current batch and replaces itself by a job that
        resumes; None for no limit.
    charged_relax_maker : BaseVaspMaker or None
        Relaxes charged defects at fixed cell (ISIF 2, charge of the structure); needs the package
        pymatgen-analysis-defects.
    charges : tuple of int
        Charges of the interstitial for this maker; empty for the charge of the ion and 0.
    task_document_kwargs : dict
        ``additional_fields`` are added to the document; other keys are refused.

    Examples
    --------
    >>> maker = DefectMaker(potential="chgnet", settings=DefectSettings(kinds=("vacancy",)))
    >>> maker.settings.kinds
    ('vacancy',)
    """

    name: str = "defects"
    potential: str | None = None
    settings: DefectSettings = field(default_factory=DefectSettings)
    calculator_kwargs: dict[str, Any] = field(default_factory=dict)
    root_dir: str | None = None
    walltime_s: float | None = None
    charged_relax_maker: BaseVaspMaker | None = None
    charges: tuple[int, ...] = ()
    task_document_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the input before a job is made of it."""
        if isinstance(self.settings, dict):
            self.settings = DefectSettings.model_validate(
                {key: value for key, value in self.settings.items() if not key.startswith("@")}
            )
        self.charges = tuple(self.charges)
        additional_fields(self.task_document_kwargs)
        self.root_dir = check_root(self.root_dir)
        if self.potential is None and self.charged_relax_maker is None:
            self.potential = get_potential().name  # the default may change before the job runs

    @takes_structure
    def make(
        self,
        structure: Structure,
        prev_dir: str | Path | None = None,
        given_sites: Mapping[str, ArrayLike] | None = None,
        trajectory: str | None = None,
    ) -> Job:
        """Create the job.

        Parameters
        ----------
        structure : Structure
            Relaxed with the same potential.
        prev_dir : str or Path, optional
            Folder of an earlier run whose partial results are used.
        given_sites : dict, optional
            Further candidate sites by source: see :func:`vitrion.defects.sites.candidate_sites`.
        trajectory : str, optional
            Dynamics of this structure, whose density peaks are candidate sites too.

        Returns
        -------
        Job
            Its output is a DefectDoc; with ``charged_relax_maker`` what atomate2 returns.
        """
        if self.charged_relax_maker is not None:
            return self.spawn_charged(structure)
        return self.compute(structure, prev_dir, given_sites, trajectory)

    @job(output_schema=DefectDoc, data=["relaxed_structures"])
    @takes_structure
    def compute(
        self,
        structure: Structure,
        prev_dir: str | Path | None = None,
        given_sites: Mapping[str, ArrayLike] | None = None,
        trajectory: str | None = None,
    ) -> DefectDoc | Response:
        """Find and relax the defects with a registered potential; see :meth:`make`."""
        folder = resolve_prev_dir(prev_dir) or job_folder(self.root_dir, "defects")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self.run(
                structure,
                folder,
                given_sites,
                trajectory=trajectory,
                walltime_s=self.walltime_s,
                on_progress=lambda done, n: write_progress(
                    folder, Progress(done, n, "defects or barriers")
                ),
            )
        except OutOfTime:
            again = self.compute(structure, str(folder), given_sites, trajectory)
            return Response(replace=continued(again))

    @job(name="charged defects")
    def spawn_charged(self, structure: Structure) -> Response:
        """Replace this job by a flow of charged defects."""
        from vitrion.defects.charged.makers import charged_flow
        from vitrion.defects.charged.objects import charged_defects

        if self.charged_relax_maker is None:
            raise InputError("Charged defects need a VASP maker: set charged_relax_maker.")
        mobile = self.settings.mobile or default_mobile_species(structure.composition)
        defects = charged_defects(
            structure,
            mobile,
            charges=self.charges or None,
            symprec_A=self.settings.symprec_A,
            min_radius_A=self.settings.min_radius_A,
            max_sites=self.settings.max_sites,
        )
        flow = charged_flow(
            structure,
            defects,
            self.charged_relax_maker,
            supercell_side_A=self.settings.supercell_side_A,
        )
        return Response(replace=flow)

    def run(
        self,
        structure: Structure,
        directory: str | Path | None = None,
        given_sites: Mapping[str, ArrayLike] | None = None,
        *,
        trajectory: str | None = None,
        walltime_s: float | None = None,
        material_id: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> DefectDoc:
        """Run without jobflow.

        Parameters
        ----------
        structure, given_sites, trajectory
            See :meth:`make`.
        directory : str or Path, optional
            Stores finished defects, from which the same call resumes; None stores nothing.
        walltime_s : float, optional
            Seconds after which the call ends; what is finished is in the directory.
        material_id : str, optional
            Identifier of the material, for the document.
        on_progress : callable, optional
            Called with the number of defects and bands done, and the number of all.

        Raises
        ------
        InputError
            If the structure cannot be used: see :func:`vitrion.defects.host.check_host_request`.
        OutOfTime
            If the walltime is over.
        """
        sites: dict[Any, ArrayLike] = dict(given_sites or {})
        if trajectory is not None:
            mobile = self.settings.mobile or default_mobile_species(structure.composition)
            sites["density"] = trajectory_peaks(structure, trajectory, mobile)
        with revert_default_dtype():
            calculator = self._calculator(structure)
            asked = self.settings.barriers
            study = study_defects(
                structure,
                calculator,
                self.settings,
                potential=describe_potential(get_potential(self.potential)),
                given_sites=sites,
                relax_band=None if asked is None else asked.elastic_band(calculator),
                directory=directory,
                walltime_s=walltime_s,
                material_id=material_id,
                on_progress=on_progress,
            )
        study.document.additional_fields = additional_fields(self.task_document_kwargs)
        return study.document

    def _calculator(self, structure: Structure) -> Calculator:
        symbols = [element.symbol for element in structure.composition.elements]
        return load_calculator(self.potential, symbols=symbols, **self.calculator_kwargs)


@dataclass
class LandscapeMaker(NotebookTable, Maker):
    """Make a flow that gives the site-energy landscape of a crystal, or of replicas of a glass.

    Parameters
    ----------
    name : str
        The name of the flows.
    defect_maker : DefectMaker
        Run on each replica; needs the kind ``far`` of defects, and ``barriers`` for the barriers.

    Examples
    --------
    >>> maker = LandscapeMaker(defect_maker=DefectMaker(potential="chgnet"))
    >>> maker.defect_maker.potential
    'chgnet'
    """

    name: str = "site-energy landscape"
    defect_maker: DefectMaker = field(default_factory=DefectMaker)

    @takes_structures
    def make(
        self,
        structures: Sequence[Structure] | Structure | OutputReference,
        trajectories: Sequence[str] | Mapping[str, Any] = (),
    ) -> Flow:
        """Make the flow.

        Parameters
        ----------
        structures : Structure, sequence of Structure, or reference to a list of them
            The crystal, or the replicas of the glass. The number of replicas in a reference is
            determined when the flow runs.
        trajectories : sequence of str or mapping, optional
            Dynamics of the first structure, for the density; or the ``trajectories`` of a
            ConductivityDoc, of which the runs of the first structure are used.

        Returns
        -------
        Flow
            Its output is a SiteEnergyLandscapeDoc, of the replicas whose defects did not fail.

        Raises
        ------
        InputError
            If the settings leave out pairs far apart.
        """
        if "far" not in self.defect_maker.settings.kinds:
            raise InputError("A landscape needs pairs far apart: add 'far' to the kinds.")
        documents: Any
        if isinstance(structures, OutputReference):
            jobs: list[Flow | Job] = [self.prepare(structures)]
            documents = jobs[0].output
        else:
            jobs = self._defect_jobs(structures)
            documents = [defects.output for defects in jobs]
        joined = join_landscape(documents, trajectories, self.defect_maker.settings.mobile)
        if isinstance(structures, OutputReference) or len(jobs) > 1:
            # A replica that fails is missing in the landscape, and does not prevent it.
            joined.config.on_missing_references = OnMissing.NONE
        return Flow([*jobs, joined], output=joined.output, name=self.name)

    @job(name="prepare defects")
    def prepare(self, structures: list[Structure]) -> Response:
        """Run the defects of each structure of a list before what waits for this job.

        Its output is the list of their documents.
        """
        jobs = self._defect_jobs(structures)
        return Response(output=[defects.output for defects in jobs], detour=Flow(jobs))

    def _defect_jobs(self, structures: Sequence[Structure] | Structure) -> list[Flow | Job]:
        replicas = structures if isinstance(structures, (list, tuple)) else [structures]
        jobs: list[Flow | Job] = []
        for number, structure in enumerate(replicas, start=1):
            defects = self.defect_maker.make(structure)
            if len(replicas) > 1:
                defects.append_name(f" {number}")
            jobs.append(defects)
        return jobs


@job(name="join landscape", output_schema=SiteEnergyLandscapeDoc)
def join_landscape(
    documents: Sequence[DefectDoc | dict | None] | None,
    trajectories: Sequence[str] | Mapping[str, Any] | None = (),
    mobile: str | None = None,
) -> SiteEnergyLandscapeDoc:
    """Join the defects of all replicas, and the density of their dynamics.

    Parameters
    ----------
    documents : sequence of DefectDoc or dict
        One for each replica, as documents or as stored; None for those that failed.
    trajectories : sequence of str, or mapping
        See :meth:`LandscapeMaker.make`; None if the dynamics failed.
    mobile : str, optional
        Mobile element; None uses the element in the documents.

    Raises
    ------
    SimulationError
        If the defects of all replicas failed, or an earlier step.
    InputError
        If the landscape has no far pairs.
    """
    numbered = list(enumerate(documents or (), start=1))
    # The relaxed structures stay in their store: a landscape needs energies alone.
    parsed = [
        d
        if isinstance(d, DefectDoc)
        else DefectDoc.model_validate({**d, "relaxed_structures": None})
        for _, d in numbered
        if d is not None
    ]
    if not parsed:
        reason = "the defects of all replicas failed" if numbered else "an earlier step failed"
        raise SimulationError(f"There is no landscape, because {reason}.")
    barriers = [
        found
        for trajectory in _paths(trajectories or ())
        if (
            found := trajectory_barrier(
                trajectory, mobile or parsed[0].mobile_species, parsed[0].formula_pretty
            )
        )
    ]
    lowest = min(barriers, key=lambda barrier: barrier.temperature_K, default=None)
    joined = landscape(parsed, density_barrier=lowest)
    joined.missing_replicas = [number for number, d in numbered if d is None]
    return joined


def _paths(trajectories: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return the paths of runs; from a conductivity, the production runs of its first structure."""
    if not isinstance(trajectories, Mapping):
        return list(trajectories)
    longest: list[tuple[int, str]] = []
    for name, parts in trajectories.items():
        found = [(int(_field(p, "n_frames")), str(_field(p, "path"))) for p in parts]
        production = [(n, path) for n, path in found if Path(path).parent.name != EQUILIBRATION]
        if name.startswith("s0-") and production:
            longest.append(max(production))
    # Another machine may have run them without a shared folder.
    return [path for _, path in longest if Path(path).is_file()]


def _field(reference: Any, name: str) -> Any:
    return reference[name] if isinstance(reference, Mapping) else getattr(reference, name)


def trajectory_barrier(
    trajectory: str, mobile: str, formula: str | None = None
) -> DensityBarrier | None:
    """Return the bottleneck of -kT ln rho of a run; None if no ion crossed the cell.

    Raises
    ------
    InputError
        If the file cannot be read, does not state its temperature, or is not of the formula.
    """
    motion, temperature = mobile_motion(trajectory, mobile)
    if formula is not None:
        check_composition(motion, formula)
    if temperature is None:
        raise InputError(f"{trajectory} does not state its temperature.")
    return density_barrier(motion.mobile, np.asarray(motion.cell), temperature)


def trajectory_peaks(structure: Structure, trajectory: str, mobile: str) -> np.ndarray:
    """Return the density peaks of a run as candidate sites of its structure.

    Parameters
    ----------
    structure : Structure
        Where the run started; its cell is used.
    trajectory : str
        File of the run: of the structure, or of a supercell, which is folded back.
    mobile : str
        Element whose peaks are found.

    Returns
    -------
    (n, 3) array
        Fractional coordinates in the cell of the structure.

    Raises
    ------
    InputError
        If the trajectory is of another material or cell.
    """
    from vitrion.transport.density import density_map

    motion, _ = mobile_motion(trajectory, mobile)
    repeat = match_host(motion, structure)
    density = density_map(motion.mobile, repeat.folded(np.asarray(motion.cell))).density
    n_ions = motion.mobile.shape[1] // repeat.count
    peaks, _ = density_peaks(density, structure, n_ions=n_ions)
    return peaks
