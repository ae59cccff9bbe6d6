"""Flows that make a glass: pack, melt, quench, equilibrate, relax, characterize."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from emmet.core.types.enums import TaskState
from jobflow import Flow, Maker, OutputReference, Response, job
from pymatgen.core import Structure

from vitrion.amorphous.cell import PackedCell
from vitrion.amorphous.contents import check_cooled_width, plan_composition
from vitrion.amorphous.document import AmorphousDoc, glass_document
from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.amorphous.start_cell import replica_seeds, start_cell
from vitrion.chemistry.bonds import strip_properties
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.chemistry.structures import takes_atoms
from vitrion.documents.provenance import Provenance
from vitrion.dynamics.makers import MDMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.errors import InputError
from vitrion.potentials import check_elements, get_potential
from vitrion.potentials.trust import assess
from vitrion.relaxation.makers import RelaxMaker
from vitrion.relaxation.relax import RelaxSettings
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from jobflow import Job

    from vitrion.amorphous.contents import PackingPlan
    from vitrion.chemistry.formulas import CompositionLike

DEFAULT_MIN_SIDE_A = 6.0
CONTACTS = RelaxSettings(fmax_eV_per_A=0.5, max_steps=100, relax_cell=False)
FRAMES_PER_STAGE = 400


@dataclass
class MeltQuenchMaker(NotebookTable, Maker):
    """Make one replica of a glass.

    Each stage is a separate job; each molecular-dynamics stage streams its trajectory and
    resumes from its checkpoint when rerun.

    Parameters
    ----------
    name : str
        The name of the flows.
    settings : MeltQuenchSettings or dict
        The protocol.
    md_maker : MDMaker
        Potential, walltime and folder of all stages; its settings apply where the protocol sets
        none.
    relax_maker : RelaxMaker or Maker of atomate2
        Relaxes the cell at the end. The protocol sets tolerance and pressure of a RelaxMaker;
        another Maker is used as it is.
    replica : int, optional
        Number of this glass within its set of replicas, stored in the document.

    Examples
    --------
    >>> maker = MeltQuenchMaker.from_potential("chgnet", MeltQuenchSettings(n_atoms=72))
    >>> [stage.name for stage in maker.make("LiPO2F2").jobs]
    ['pack', 'relax contacts', 'melt', 'quench', 'equilibrate', 'relax', 'characterize']
    """

    name: str = "melt quench"
    settings: MeltQuenchSettings = field(default_factory=MeltQuenchSettings)
    md_maker: MDMaker = field(default_factory=MDMaker)
    relax_maker: Maker = field(default_factory=RelaxMaker)
    replica: int | None = None

    def __post_init__(self) -> None:
        """Convert settings given as a dictionary, the form of a serialized maker."""
        if isinstance(self.settings, dict):
            self.settings = MeltQuenchSettings.from_dict(self.settings)

    @classmethod
    def from_potential(
        cls,
        potential: str | None = None,
        settings: MeltQuenchSettings | None = None,
        *,
        walltime_s: float | None = None,
        root_dir: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Create the maker with one potential of the registry for all stages.

        Parameters
        ----------
        potential : str, optional
            Name in the registry; the user's default otherwise.
        settings : MeltQuenchSettings, optional
        walltime_s, root_dir
            See :class:`~vitrion.dynamics.makers.MDMaker`.
        **kwargs
            Other fields of the maker.
        """
        name = get_potential(potential).name
        return cls(
            settings=settings or MeltQuenchSettings(),
            md_maker=MDMaker(potential=name, walltime_s=walltime_s, root_dir=root_dir),
            relax_maker=RelaxMaker(potential=name),
            **kwargs,
        )

    @takes_atoms
    def make(
        self,
        structure: Structure | CompositionLike | OutputReference,
        prev_dir: str | Path | None = None,
    ) -> Flow:
        """Create the flow.

        Parameters
        ----------
        structure : Structure, Composition, str, dict, or reference to one
            A composition to pack (a dictionary holds the amounts of its elements), or a crystal to
            melt. A reference is resolved and checked when the flow runs.
        prev_dir : str or Path, optional
            Passed to the first relaxation.

        Returns
        -------
        Flow
            Its output is an :class:`~vitrion.amorphous.document.AmorphousDoc`.

        Raises
        ------
        InputError
            If the composition cannot be packed as requested, or the potential or the dynamics do
            not support its elements.
        """
        if isinstance(structure, OutputReference):
            prepared = self.prepare(structure, prev_dir)
            return Flow([prepared], output=prepared.output, name=self.name)
        settings = self.settings
        if not isinstance(structure, Structure):
            structure = plain_formula(parse_composition(structure))
        symbols, unit = self._check(structure)
        melt = settings.melt_temperature(symbols, unit)
        start = pack_start(
            structure,
            settings,
            self._min_side(),
        )
        packed = start.output["structure"]
        contacts = self._contacts_maker().make(packed, prev_dir=prev_dir)
        runs: dict[str, Job] = {}
        previous = contacts.output.structure
        for stage, maker in self._stage_makers(melt, symbols).items():
            runs[stage] = maker.make(previous)
            previous = runs[stage].output.structure
        relaxation = cast("Job", self._final_maker().make(previous))
        quench = runs["quench"].output
        document = characterize_glass(
            relaxation.output.structure,
            start.output,
            stages={stage: run.output.structure for stage, run in runs.items()},
            trajectories={stage: run.output.trajectory for stage, run in runs.items()},
            dynamics=runs["equilibrate"].output.provenance,
            reference_potential=self.md_maker.reference_potential,
            settings=settings,
            melt_temperature_K=runs["melt"].output.end_temperature_K,
            quench_ramp_K=[quench.start_temperature_K, quench.end_temperature_K],
            quench_ps=quench.duration_ps,
            contact_force_eV_per_A=contacts.output.max_force_eV_per_A,
            **self._relaxed(relaxation.output),
            replica=self.replica,
        )
        jobs = [start, contacts, *runs.values(), relaxation, document]
        return Flow(jobs, output=document.output, name=self.name)

    def duration_ps(self, structure: Structure | CompositionLike) -> float:
        """Return the duration of the molecular dynamics in ps."""
        if not isinstance(structure, Structure):
            structure = plain_formula(parse_composition(structure))
        symbols, unit = self._check(structure)
        stages = self._stage_makers(self.settings.melt_temperature(symbols, unit), symbols)
        return sum(stage.settings.duration_ps for stage in stages.values())

    def count_atoms(self, composition: CompositionLike) -> int:
        """Return the number of atoms in the packed cell of a composition."""
        return len(self._plan(composition).symbols)

    def _plan(self, composition: CompositionLike) -> PackingPlan:
        settings = self.settings
        return plan_composition(
            composition,
            n_atoms=settings.n_atoms,
            unit=settings.unit,
            volume_per_atom_A3=settings.volume_per_atom_A3,
            min_side_A=self._min_side(),
            ions=settings.ions,
        )

    @job(name="prepare melt-quench")
    def prepare(
        self, structure: Structure | CompositionLike, prev_dir: str | Path | None = None
    ) -> Response:
        """Replace this job by the flow of a resolved structure."""
        return Response(replace=self.make(structure, prev_dir))

    def _check(self, structure: Structure | str) -> tuple[list[str], str]:
        """Validate the input; return its elements and the unit of packing."""
        spec = self.md_maker.spec()
        if isinstance(structure, Structure):
            symbols, unit = sorted(structure.symbol_set), "crystal"
            start_cell(structure, self.settings, self._min_side())
        else:
            composition = parse_composition(structure)
            symbols = [element.symbol for element in composition]
            plan = self._plan(composition)
            unit = plan.unit
            if spec is not None and spec.cutoff_A is not None:
                check_cooled_width(composition, len(plan.symbols), spec.cutoff_A)
        if spec is not None:
            check_elements(spec, symbols)
        self.md_maker.check_symbols(symbols)
        return symbols, unit

    def _min_side(self) -> float:
        spec = self.md_maker.spec()
        return DEFAULT_MIN_SIDE_A if spec is None or spec.cutoff_A is None else spec.cutoff_A

    def _contacts_maker(self) -> RelaxMaker:
        """Return the relaxation that pulls touching atoms apart before the melt.

        It need not converge: dynamics at the temperature of the melt follow.
        """
        md = self.md_maker
        return RelaxMaker(
            name="relax contacts",
            potential=md.potential,
            settings=CONTACTS,
            force_field_name=md.calculator_meta if md.potential is None else None,
            calculator_kwargs=md.calculator_kwargs,
        )

    def _final_maker(self) -> Maker:
        """Return the last relaxation, which ends at the target pressure."""
        maker = replace(self.relax_maker, name="relax")  # type: ignore[call-arg]
        if not isinstance(maker, RelaxMaker):
            return maker
        values = {
            "fmax_eV_per_A": self.settings.relax_fmax_eV_per_A,
            "pressure_GPa": self.settings.pressure_GPa,
        }
        return replace(maker, settings=maker.settings.model_copy(update=values))

    def _relaxed(self, output: OutputReference) -> dict[str, OutputReference]:
        """Return what the document takes from the last relaxation."""
        if isinstance(self.relax_maker, RelaxMaker):
            return {"energy_eV_per_atom": output.energy_eV_per_atom, "relaxed": output.converged}
        return {
            "energy_eV_per_atom": output.output.energy_per_atom,
            "relaxation_state": output.state,
        }

    def _stage_makers(self, melt_K: float, symbols: list[str]) -> dict[str, MDMaker]:
        settings = self.settings
        timestep_fs = settings.timestep(symbols)
        target = settings.target_temperature_K
        quench_ps = settings.quench_ps(melt_K)
        stages = {
            "melt": ("nvt", melt_K, settings.melt_ps),
            "quench": (settings.quench_ensemble, (melt_K, target), quench_ps),
            "equilibrate": ("npt", target, settings.equilibrate_ps),
        }
        seeds = np.random.SeedSequence(settings.seed).generate_state(len(stages))
        makers = {}
        for (stage, (ensemble, temperature, duration)), seed in zip(
            stages.items(), seeds, strict=True
        ):
            steps = max(1, round(duration * 1000 / timestep_fs))
            values = {
                "ensemble": ensemble,
                "temperature_K": temperature,
                "pressure_GPa": settings.pressure_GPa if ensemble == "npt" else None,
                "timestep_fs": timestep_fs,
                "duration_ps": steps * timestep_fs / 1000,
                "save_interval_fs": max(1, steps // FRAMES_PER_STAGE) * timestep_fs,
                "seed": int(seed),
            }
            if ensemble != "npt":
                values["barostat"] = None
            run = MDSettings(**{**self.md_maker.settings.model_dump(), **values})
            run.check_elements(symbols)
            makers[stage] = replace(self.md_maker, name=stage, settings=run)
        return makers


@dataclass
class GlassReplicasMaker(NotebookTable, Maker):
    """Make several independent replicas of a glass; their jobs can run in parallel.

    Parameters
    ----------
    name : str
        The name of the flows.
    melt_quench_maker : MeltQuenchMaker
        Makes each replica; the seeds are spawned from the seed of its settings.
    n_replicas : int
        Number of replicas.
    first : int
        Number of the first one; a replica has the same seed in every set that contains it.
    """

    name: str = "glass replicas"
    melt_quench_maker: MeltQuenchMaker = field(default_factory=MeltQuenchMaker)
    n_replicas: int = 3
    first: int = 1

    @takes_atoms
    def make(
        self,
        structure: Structure | CompositionLike | OutputReference,
        prev_dir: str | Path | None = None,
    ) -> Flow:
        """Create the flow; see :meth:`MeltQuenchMaker.make`. Its output is a list of documents.

        Raises
        ------
        InputError
            If ``n_replicas`` or ``first`` is less than 1, or as :meth:`MeltQuenchMaker.make`.
        """
        if self.n_replicas < 1:
            raise InputError(f"Number of replicas {self.n_replicas} must be at least 1.")
        if self.first < 1:
            raise InputError(f"Number of the first replica {self.first} must be at least 1.")
        base = self.melt_quench_maker
        flows: list[Flow | Job] = []
        before = self.first - 1
        seeds = replica_seeds(base.settings.seed, before + self.n_replicas)[before:]
        for number, seed in enumerate(seeds, start=self.first):  # people count glasses from 1
            settings = base.settings.model_copy(update={"seed": seed})
            maker = replace(base, settings=settings, replica=number)
            flow = maker.make(structure, prev_dir=prev_dir)
            flow.append_name(f" {number}")  # distinguishes the stages of the replicas
            flows.append(flow)
        return Flow(flows, output=[flow.output for flow in flows], name=self.name)


@job(name="pack")
def pack_start(
    structure: Structure | str,
    settings: MeltQuenchSettings,
    min_side_A: float,
) -> dict[str, Any]:
    """Pack a composition, or make the cell of a crystal to melt.

    Returns
    -------
    dict
        The fields of a :class:`~vitrion.amorphous.pack.PackedCell`.
    """
    packed = start_cell(structure, settings, min_side_A)
    return {item.name: getattr(packed, item.name) for item in fields(packed)}


@job(name="characterize", output_schema=AmorphousDoc)
def characterize_glass(
    structure: Structure,
    start: dict[str, Any],
    *,
    stages: dict[str, Structure],
    trajectories: dict[str, Any],
    dynamics: Provenance | dict[str, Any],
    reference_potential: str | None,
    settings: MeltQuenchSettings,
    quench_ramp_K: Sequence[float] | None = None,
    quench_ps: float | None = None,
    relaxation_state: TaskState | str | None = None,
    **kwargs: Any,
) -> AmorphousDoc:
    """Characterize a glass; see :func:`vitrion.amorphous.document.glass_document`.

    ``dynamics`` is the provenance of the last dynamics, and temperatures and times are those of the
    documents of the runs: a powerup may have changed them.
    ``relaxation_state`` is the state of an atomate2 document: ``"successful"`` if the forces on
    atoms and cell met the criterion (its ``is_force_converged`` does not look at the cell).
    """
    if relaxation_state is not None:
        kwargs["relaxed"] = relaxation_state == TaskState.SUCCESS
    if quench_ramp_K and quench_ps:
        rate = (quench_ramp_K[0] - quench_ramp_K[1]) / quench_ps
        kwargs["quench_rate_K_per_ps"] = float(f"{rate:.4g}")  # the steps are a whole number
    trust = None
    spec = Provenance.model_validate(dynamics).potential
    potential = None if spec is None else spec.name
    if potential is not None:
        cells = [strip_properties(cell).to_ase_atoms() for cell in (*stages.values(), structure)]
        trust = assess(cells, potential, reference_potential)
    return glass_document(
        structure,
        packed=PackedCell(**start),
        stages=stages,
        trajectories=trajectories,
        settings=settings,
        quench_ramp_K=quench_ramp_K,
        trust=trust,
        provenance=Provenance.collect(potential, seeds={"glass": settings.seed}),
        **kwargs,
    )
