"""Document of a molecular-dynamics run: its files and subsampled time series."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from vitrion.documents.base import SchemaOnce, VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.dynamics.trajectory import Trajectory
from vitrion.potentials.spec import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from vitrion.dynamics.run_result import MDResult
    from vitrion.potentials import PotentialSpec


class FileReference(BaseModel):
    """Location, size and checksum of a file."""

    path: str = Field(description="Absolute path.")
    host: str = Field(description="Name of the machine that wrote it.")
    size_bytes: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 of its content.")


class TrajectoryReference(FileReference):
    """Reference to a trajectory file; open it with ``vitrion.dynamics.trajectory.Trajectory``."""

    n_frames: int = Field(description="Number of frames.")
    n_atoms: int = Field(description="Number of atoms.")
    frame_interval_fs: float = Field(description="Time between two frames in fs.")


class EvaluatedBy(BaseModel):
    """Implementation that computed energies and forces in a segment of a run."""

    first_step: int = Field(description="Number of steps before this segment.")
    name: str = Field(description="Such as 'native avx512 1', 'torch', or a calculator's class.")


class RunTimeSeries(BaseModel):
    """Time series of a run: at most 200 evenly spaced frames, including the last."""

    times_ps: list[float] = Field(description="Times in ps since the start.")
    temperature_K: list[float] = Field(description="Kinetic temperature in K.")
    energy_eV: list[float] = Field(description="Potential energy in eV.")
    conserved_eV: list[float] = Field(
        description="Conserved energy in eV, including thermostat and barostat."
    )
    volume_A3: list[float] = Field(description="Volume of the cell in A3.")
    pressure_GPa: list[float] | None = Field(
        None, description="Pressure in GPa; None if not computed."
    )


class MDDoc(VitrionDoc):
    """One molecular-dynamics run.

    ``structure`` is the last state, with velocities in A/fs as the site property ``velocities``.
    """

    key_fields: ClassVar = {
        "mean_temperature_K": "mean_temperature_K",
        "duration_ps": "duration_ps",
    }

    property_name: str = "molecular_dynamics"

    directory: str = Field(description="Directory of the run; pass it as prev_dir to resume.")
    complete: bool = Field(description="Whether all steps are done; False after a walltime stop.")
    ensemble: str = Field(description="nve, nvt or npt.")
    thermostat: str | None = Field(description="bussi, nose-hoover, langevin; None for nve.")
    barostat: str | None = Field(description="isotropic or full; None at a fixed cell.")
    start_temperature_K: float = Field(description="Target temperature at the start in K.")
    end_temperature_K: float = Field(description="Target temperature at the end in K.")
    start_pressure_GPa: float | None = Field(description="Target pressure at the start in GPa.")
    end_pressure_GPa: float | None = Field(description="Target pressure at the end in GPa.")
    timestep_fs: float = Field(description="Time step in fs.")
    n_steps: int = Field(description="Number of steps done.")
    duration_ps: float = Field(description="Simulated time in ps.")
    seed: int = Field(description="Seed of the initial velocities and of the thermostat.")
    settings: dict[str, Any] = Field(description="All settings of the run.")
    force_field: dict[str, Any] = Field(description="Identity of the potential.")
    evaluated_by: list[EvaluatedBy] = Field(
        description="Implementations that evaluated the potential. With more than one, the run is "
        "not reproducible bit for bit from the seed."
    )
    energy_eV: float = Field(description="Potential energy of the last state in eV.")
    mean_temperature_K: float = Field(description="Mean temperature over the frames in K.")
    temperature_std_K: float = Field(description="Standard deviation of the temperature in K.")
    mean_pressure_GPa: float | None = Field(description="Mean pressure over the frames in GPa.")
    mean_volume_A3: float = Field(description="Mean volume over the frames in A3.")
    energy_drift_meV_per_atom_ps: float | None = Field(
        description="Slope of the conserved energy in meV/(atom ps)."
    )
    msd_A2: dict[str, float] = Field(
        description="Mean square displacement of each element from the first to the last state in "
        "A2; a quick check, not a diffusivity."
    )
    mobile_species: str | None = Field(None, description="Mobile element.")
    ns_per_day: float = Field(description="Speed of the run in ns/day.")
    trajectory: TrajectoryReference = Field(description="The file with every frame.")
    checkpoint: FileReference = Field(description="The file from which the run can resume.")
    view: RunTimeSeries = Field(description="Subsampled time series of the run.")


class MDSeriesDoc(SchemaOnce, BaseModel):
    """Several independent runs of one job; a failed run does not stop the others."""

    directory: str = Field(description="Directory with one folder for each run.")
    runs: dict[str, MDDoc] = Field(description="Documents of the runs, by name.")
    failures: dict[str, str] = Field(description="Error messages of the failed runs, by name.")
    additional_fields: dict[str, Any] = Field(
        default_factory=dict, description="Fields added by the user."
    )


VIEW_POINTS = 200
ASSESSED_FRAMES = 20


def md_document(result: MDResult, potential: PotentialSpec | None = None, **kwargs: Any) -> MDDoc:
    """Create the document of a run.

    Parameters
    ----------
    result : MDResult
        Result of the run.
    potential : PotentialSpec, optional
        The potential; None if it is not in the registry.
    **kwargs
        Other fields of the document, such as ``trust`` or ``phase``.

    Returns
    -------
    MDDoc
        With references to the files, their checksums, and subsampled time series.
    """
    settings = result.settings
    npt = settings.ensemble == "npt"
    with Trajectory(result.trajectory) as trajectory:
        reference = TrajectoryReference(
            **_reference(result.trajectory),
            n_frames=trajectory.n_frames,
            n_atoms=trajectory.n_atoms,
            frame_interval_fs=trajectory.frame_interval_fs,
        )
        view = _view(trajectory)
    return MDDoc.from_structure(
        meta_structure=result.structure,
        provenance=Provenance.collect(potential, seeds={"dynamics": settings.seed}),
        directory=str(result.directory),
        complete=result.complete,
        ensemble=settings.ensemble,
        thermostat=settings.resolved_thermostat,
        barostat=settings.resolved_barostat,
        start_temperature_K=settings.temperature_at(0),
        end_temperature_K=settings.temperature_at(settings.n_steps),
        start_pressure_GPa=settings.pressure_at(0) if npt else None,
        end_pressure_GPa=settings.pressure_at(settings.n_steps) if npt else None,
        timestep_fs=settings.timestep_fs,
        n_steps=result.n_steps,
        duration_ps=result.n_steps * settings.timestep_fs / 1000,
        seed=settings.seed,
        settings=settings.model_dump(mode="json"),
        force_field=result.potential,
        evaluated_by=[EvaluatedBy(first_step=at, name=name) for at, name in result.evaluated_by],
        energy_eV=result.energy_eV,
        mean_temperature_K=result.temperature_K,
        temperature_std_K=result.temperature_std_K,
        mean_pressure_GPa=result.pressure_GPa,
        mean_volume_A3=result.volume_A3,
        energy_drift_meV_per_atom_ps=result.energy_drift_meV_per_atom_ps,
        msd_A2=result.msd_A2,
        mobile_species=settings.mobile,
        ns_per_day=result.ns_per_day,
        trajectory=reference,
        checkpoint=FileReference(**_reference(result.checkpoint)),
        view=view,
        **kwargs,
    )


def subsample(result: MDResult) -> list[Atoms]:
    """Return at most 20 evenly spaced frames of a run, including the first and the last."""
    with Trajectory(result.trajectory) as trajectory:
        kept = _evenly(trajectory.n_frames, ASSESSED_FRAMES)
        return [next(trajectory.to_ase(slice(index, index + 1))) for index in kept]


def _evenly(n_frames: int, most: int) -> list[int]:
    """Return at most ``most`` evenly spaced frames, including the first and the last."""
    return np.unique(np.linspace(0, n_frames - 1, min(n_frames, most)).round().astype(int)).tolist()


def _reference(path: Path) -> dict[str, Any]:
    return {
        "path": str(path.absolute()),
        "host": socket.gethostname(),
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }


def _view(trajectory: Trajectory) -> RunTimeSeries:
    kept = _evenly(trajectory.n_frames, VIEW_POINTS)
    pressures = trajectory.pressures()[kept]
    return RunTimeSeries(
        times_ps=trajectory.times_ps()[kept].tolist(),
        temperature_K=trajectory.temperatures()[kept].tolist(),
        energy_eV=trajectory.energies()[kept].tolist(),
        conserved_eV=trajectory.conserved()[kept].tolist(),
        volume_A3=np.abs(np.linalg.det(trajectory.cells()[kept])).tolist(),
        pressure_GPa=pressures.tolist() if np.isfinite(pressures).all() else None,
    )
