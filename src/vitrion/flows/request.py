"""What ``vitrion run`` is asked for: checked at once, named by its content, run and looked up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monty.json import MontyEncoder
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrion.amorphous.melt_quench_settings import PRESETS as GLASS_PRESETS
from vitrion.chemistry.charge_balance import check_charge_balance
from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import parse_composition, plain_formula
from vitrion.chemistry.structures import without_site_properties
from vitrion.errors import InputError, StoreError
from vitrion.flows.presets import Phases, get_preset
from vitrion.potentials import check_elements, describe_potential
from vitrion.runtime.runner import RunReport, run_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jobflow import Flow, JobStore

    from vitrion.documents.base import VitrionDoc

RUNS_FOLDER = "runs"
REQUEST_KEY, ATTEMPT_KEY = "vitrion_request", "vitrion_attempt"
"""Metadata of a run's jobs: its name, and which flow they are of, if it was begun afresh."""
COLDEST_K, HOTTEST_K = 50.0, 3000.0
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


class RunRequest(BaseModel):
    """One run, stated completely: the same request on the same machine gives the same result."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    formula: str = Field(description="Composition.")
    phase: Phases = Field("both", description="Crystal, glass, or both side by side.")
    crystal: dict[str, Any] | None = Field(
        None, description="The crystal, as pymatgen writes it; None searches for it."
    )
    landscape: bool = Field(True, description="Whether defects and landscapes are computed.")
    preset: str = Field("standard", description="quick, standard or paper.")
    potential: str | None = Field(None, description="Name in the registry of potentials.")
    potential_sha256: str | None = Field(None, description="SHA-256 of its file; filled in.")
    temperatures_K: tuple[float, ...] = Field((), description="Temperatures in K, if not preset's.")
    duration_ps: float | None = Field(
        None,
        gt=0,
        description="Analyzed dynamics of every run in ps, no more; None takes the preset's first "
        "round, and its extension where that misses the precision.",
    )
    n_replicas: int | None = Field(None, ge=1, le=100, description="Independent glasses.")
    glass_atoms: int | None = Field(None, ge=1, description="Least number of atoms of a glass.")
    max_relaxations: int | None = Field(None, ge=1, description="Budget of the crystal search.")
    volume_per_atom_A3: float | None = Field(None, description="Packed volume per atom in A3.")
    mobile: str | None = Field(None, description="Mobile species.")
    timestep_fs: float | None = Field(None, description="Time step in fs.")
    seed: int = Field(0, ge=0, description="Seed of everything random.")
    allow_unbalanced: bool = Field(False, description="Accept a formula that is not neutral.")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as exc:
            raise InputError.from_validation(exc, "option") from exc

    def checked(self) -> RunRequest:
        """Return the request with its defaults written out, after all that can be refused is.

        Raises
        ------
        InputError
            If the formula, the elements, the mobile species, the temperatures, the packing or any
            other option cannot be had.
        """
        composition = parse_composition(self.formula)
        check_charge_balance(composition, allow_unbalanced=self.allow_unbalanced)
        mobile = self.mobile or default_mobile_species(composition)
        if mobile not in {element.symbol for element in composition}:
            raise InputError(f"The mobile species {mobile} is not in {self.formula}.")
        potential = describe_potential(self.potential)
        check_elements(potential, [element.symbol for element in composition])
        for temperature in self.temperatures_K:
            if not COLDEST_K <= temperature <= HOTTEST_K:
                raise InputError(
                    f"A temperature of {temperature:g} K makes no sense here: choose "
                    f"{COLDEST_K:g} to {HOTTEST_K:g} K."
                )
        preset = get_preset(self.preset)
        written_out = self.model_copy(
            update={
                "formula": plain_formula(composition),
                "potential": potential.name,
                "potential_sha256": potential.sha256,
                "mobile": mobile,
                "temperatures_K": tuple(sorted(set(self.temperatures_K or preset.temperatures_K))),
                "n_replicas": self.n_replicas or preset.n_replicas,
            }
        )
        written_out.make_flow()
        return written_out

    @property
    def run_id(self) -> str:
        """Name of the run: the same for the same request, whatever its preset then is called."""
        sizes = [get_preset(self.preset).model_dump(mode="json"), GLASS_PRESETS[self.preset]]
        return name_run(f"{self.formula}-{self.phase}", [self.model_dump(mode="json"), *sizes])

    def make_flow(self) -> Flow:
        """Return the flow that carries the request out; its jobs know the name of the run."""
        from pymatgen.core import Structure

        from vitrion.flows.ion_conductor import IonConductorMaker

        options: dict[str, Any] = {}
        glass: dict[str, Any] = {"volume_per_atom_A3": self.volume_per_atom_A3}
        if self.glass_atoms is not None:
            glass["n_atoms"] = self.glass_atoms
        if self.timestep_fs is not None:
            from vitrion.dynamics.md_settings import MDSettings

            glass["timestep_fs"] = self.timestep_fs
            options["settings"] = MDSettings(
                timestep_fs=self.timestep_fs, save_interval_fs=25 * self.timestep_fs
            )
        if self.duration_ps is not None:
            options |= {"first_ps": self.duration_ps, "extension": 0.0}
        search = None
        if self.max_relaxations is not None:
            search = {"max_relaxations": self.max_relaxations}
        maker = IonConductorMaker.from_preset(
            self.preset,
            phase=self.phase,
            landscape=self.landscape,
            potential=self.potential,
            temperatures_K=self.temperatures_K,
            n_replicas=self.n_replicas,
            mobile=self.mobile,
            seed=self.seed,
            glass=glass,
            search=search,
            **options,
        )
        crystal = None if self.crystal is None else Structure.from_dict(self.crystal)
        flow = maker.make(self.formula, crystal)
        label_run(flow, self.run_id)
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

    def the(self, kind: str, phase: str | None = None) -> Any:
        """Return the newest document of a kind, or None."""
        return next(reversed(self.of_kind(kind, phase)), None)


def run_request(
    request: RunRequest,
    store: JobStore,
    folder: Path,
    *,
    workers: int = 1,
    on_change: Callable[[dict[Path, str], RunReport], None] | None = None,
) -> RunResult:
    """Carry a request out, or continue or look up what an earlier call did of it.

    Parameters
    ----------
    request : RunRequest
        As :meth:`RunRequest.checked` returns it.
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
        request.make_flow,
        store,
        folder / RUNS_FOLDER / request.run_id,
        workers=workers,
        on_change=on_change,
    )
    documents = find_documents(store, request.run_id)
    if "conductivity" not in documents:
        report.raise_for_errors()
        raise not_stored(request.run_id)
    return RunResult(documents, report)


def read_crystal(source: str, formula: str) -> dict[str, Any]:
    """Return the crystal of a request.

    Parameters
    ----------
    source : str
        A structure file, or ``known`` for the structure of that formula that ships.
    formula : str

    Raises
    ------
    InputError
        If there is none.
    """
    from vitrion.landscape.command import read_structure
    from vitrion.polymorphs.hull import shipped_crystals

    if source != "known":
        return without_site_properties(read_structure(source)).as_dict()

    wanted = parse_composition(formula).reduced_formula
    for structure in shipped_crystals().values():
        if structure.composition.reduced_formula == wanted:
            return structure.as_dict()
    raise InputError(f"No structure of {formula} ships: give a file.")


def not_stored(run_id: str) -> StoreError:
    """Return the error of a run that is finished, but not in the store."""
    return StoreError(
        f"The run {run_id} is finished but its documents are not in the store: name the store it "
        "was made with, or remove its folder to run it again."
    )


def label_run(flow: Flow, run_id: str) -> None:
    """Let the outputs of a flow's jobs tell which run they are of, and which attempt at it."""
    flow.update_metadata({REQUEST_KEY: run_id, ATTEMPT_KEY: flow.uuid})


def name_run(subject: str, content: Any) -> str:
    """Name a run after what it is about and a hash of all that it is asked for.

    Parameters
    ----------
    subject : str
    content
        All that decides the result, such as a Maker with its composition.
    """
    text = json.dumps(content, sort_keys=True, cls=MontyEncoder)
    return f"{subject}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


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
