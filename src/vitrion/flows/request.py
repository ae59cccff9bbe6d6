"""What ``vitrion run`` is asked for: checked at once, named by its content, run and looked up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vitrion.chemistry import (
    check_charge_balance,
    default_mobile_species,
    parse_composition,
    plain_formula,
)
from vitrion.errors import InputError, StoreError
from vitrion.flows.presets import get_preset
from vitrion.flows.runner import RunReport, run_flow
from vitrion.potentials import check_elements, describe_potential

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobflow import Flow, JobStore

    from vitrion.documents.amorphous import AmorphousDoc
    from vitrion.documents.conductivity import ConductivityDoc

RUNS_FOLDER = "runs"
REQUEST_KEY = "vitrion_request"
COLDEST_K, HOTTEST_K = 50.0, 3000.0


class RunRequest(BaseModel):
    """One run, stated completely: the same request on the same machine gives the same result."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    formula: str = Field(description="Composition.")
    phase: Literal["amorphous"] = Field("amorphous", description="State of the material.")
    preset: str = Field("standard", description="quick, standard or paper.")
    potential: str | None = Field(None, description="Name in the registry of potentials.")
    potential_sha256: str | None = Field(None, description="SHA-256 of its file; filled in.")
    temperatures_K: tuple[float, ...] = Field((), description="Temperatures in K, if not preset's.")
    n_replicas: int | None = Field(None, ge=1, le=100, description="Independent glasses.")
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
        if mobile not in composition:
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
        """Name of the run: the same for the same request, whenever it is made."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()
        return f"{self.formula}-{self.phase}-{hashlib.sha256(content).hexdigest()[:10]}"

    def make_flow(self) -> Flow:
        """Return the flow that carries the request out; its jobs know the name of the run."""
        from vitrion.flows.conductivity import GlassConductivityMaker

        options: dict[str, Any] = {}
        glass: dict[str, Any] = {"volume_per_atom_A3": self.volume_per_atom_A3}
        if self.timestep_fs is not None:
            from vitrion.dynamics.settings import MDSettings

            glass["timestep_fs"] = self.timestep_fs
            options["settings"] = MDSettings(
                timestep_fs=self.timestep_fs, save_interval_fs=25 * self.timestep_fs
            )
        maker = GlassConductivityMaker.from_preset(
            self.preset,
            potential=self.potential,
            temperatures_K=self.temperatures_K,
            n_replicas=self.n_replicas,
            mobile=self.mobile,
            seed=self.seed,
            glass=glass,
            **options,
        )
        flow = maker.make(self.formula)
        flow.update_metadata({REQUEST_KEY: self.run_id})
        return flow


@dataclass
class RunResult:
    """Documents of a finished run.

    Attributes
    ----------
    conductivity : ConductivityDoc
    glasses : list of AmorphousDoc
        One for each replica.
    report : RunReport
        What ran now and what was there already.
    """

    conductivity: ConductivityDoc
    glasses: list[AmorphousDoc] = field(default_factory=list)
    report: RunReport = field(default_factory=RunReport)


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
        See :func:`vitrion.flows.runner.run_flow`.

    Raises
    ------
    InputError
        If another process is at work on the same run.
    SimulationError
        If a job fails.
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
    report.raise_for_errors()
    return RunResult(
        conductivity=cast("ConductivityDoc", _documents(store, request, "conductivity")[-1]),
        glasses=cast("list[AmorphousDoc]", _documents(store, request, "amorphous")),
        report=report,
    )


def _documents(store: JobStore, request: RunRequest, property_name: str) -> list[Any]:
    from vitrion.documents.base import document_classes

    criteria = {
        f"metadata.{REQUEST_KEY}": request.run_id,
        "output.property_name": property_name,
    }
    newest: dict[str, dict[str, Any]] = {}
    for found in store.query(criteria, sort={"index": 1}, load=True):
        newest[found["uuid"]] = found["output"]
    if not newest:
        raise StoreError(
            f"The run {request.run_id} is finished but its documents are not in the store: name "
            "the store it was made with, or remove its folder to run it again."
        )
    document_class = document_classes()[property_name]
    return [document_class.model_validate(output) for output in newest.values()]
