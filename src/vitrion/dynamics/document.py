"""The document of a molecular-dynamics run: its files and a thinned view."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from vitrion.documents.base import VitrionDoc
from vitrion.documents.provenance import Provenance
from vitrion.dynamics.trajectory import Trajectory
from vitrion.potentials.spec import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from vitrion.dynamics.run_result import MDResult
    from vitrion.potentials import PotentialSpec


class FileReference(BaseModel):
    """Where a file lies and how to tell that it is still the same."""

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
    """What computed energies and forces during a part of a run."""

    first_step: int = Field(description="Number of steps made before it took over.")
    name: str = Field(description="Such as 'native avx512 1', 'torch', or a calculator's class.")


class RunTimeSeries(BaseModel):
    """A few hundred points of the run at most, evenly spaced, the last frame among them."""

    times_ps: list[float] = Field(description="Times in ps since the start.")
    temperature_K: list[float] = Field(description="Kinetic temperature in K.")
    energy_eV: list[float] = Field(description="Potential energy in eV.")
    conserved_eV: list[float] = Field(
        description="The energy in eV that exact dynamics would keep, baths included."
    )
    volume_A3: list[float] = Field(description="Volume of the cell in A3.")
    pressure_GPa: list[float] | None = Field(
        None, description="Pressure in GPa; None where it was not computed."
    )


class MDDoc(VitrionDoc):
    """One molecular-dynamics run.

    ``structure`` is its last moment, with velocities in A/fs as the site property ``velocities``.
    """

    key_fields: ClassVar = {
        "mean_temperature_K": "mean_temperature_K",
        "duration_ps": "duration_ps",
    }

    property_name: str = "molecular_dynamics"

    directory: str = Field(description="Directory of the run; give it as prev_dir to go on.")
    complete: bool = Field(description="Whether all steps were made; False at a walltime.")
    ensemble: str = Field(description="nve, nvt or npt.")
    thermostat: str | None = Field(description="bussi, nose-hoover, langevin; None for nve.")
    barostat: str | None = Field(description="isotropic or full; None at a fixed cell.")
    start_temperature_K: float = Field(description="Target temperature at the start in K.")
    end_temperature_K: float = Field(description="Target temperature at the end in K.")
    start_pressure_GPa: float | None = Field(description="Target pressure at the start in GPa.")
    end_pressure_GPa: float | None = Field(description="Target pressure at the end in GPa.")
    timestep_fs: float = Field(description="Time step in fs.")
    n_steps: int = Field(description="Steps made.")
    duration_ps: float = Field(description="Time simulated in ps.")
    seed: int = Field(description="Seed of the first velocities and of the thermostat.")
    settings: dict[str, Any] = Field(description="All settings of the run.")
    force_field: dict[str, Any] = Field(description="What identifies the potential.")
    evaluated_by: list[EvaluatedBy] = Field(
        description="What evaluated the potential. More than one if the run was continued on "
        "another: its steps are then not reproducible bit for bit from the seed."
    )
    energy_eV: float = Field(description="Potential energy of the last moment in eV.")
    mean_temperature_K: float = Field(description="Mean temperature over the frames in K.")
    temperature_std_K: float = Field(description="Standard deviation of the temperature in K.")
    mean_pressure_GPa: float | None = Field(description="Mean pressure over the frames in GPa.")
    mean_volume_A3: float = Field(description="Mean volume over the frames in A3.")
    energy_drift_meV_per_atom_ps: float | None = Field(
        description="Slope of the conserved energy in meV/(atom ps), work of the baths included."
    )
    msd_A2: dict[str, float] = Field(
        description="Mean square displacement of each element from first to last moment in A2: a "
        "quick look, not a diffusivity."
    )
    mobile_species: str | None = Field(None, description="Element that is expected to move.")
    ns_per_day: float = Field(description="Speed of the run in ns a day.")
    trajectory: TrajectoryReference = Field(description="The file with every frame.")
    checkpoint: FileReference = Field(description="The file from which the run can go on.")
    view: RunTimeSeries = Field(description="The course of the run, thinned.")


class MDSeriesDoc(BaseModel):
    """Several independent runs of one job; one that failed does not take the others along."""

    directory: str = Field(description="Directory with one folder for each run.")
    runs: dict[str, MDDoc] = Field(description="Document of each run that is at hand, by name.")
    failures: dict[str, str] = Field(description="What went wrong, by the name of the run.")


VIEW_POINTS = 200
ASSESSED_FRAMES = 20


def md_document(result: MDResult, potential: PotentialSpec | None = None, **kwargs: Any) -> MDDoc:
    """Make the document of a run.

    Parameters
    ----------
    result : MDResult
        What the run left behind.
    potential : PotentialSpec, optional
        The potential, where it is one of the registry.
    **kwargs
        Other fields of the document, such as ``trust`` or ``phase``.

    Returns
    -------
    MDDoc
        With references to the files, their checksums, and a thinned view.
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
    """Return a few frames of a run, evenly spaced from the first to the last."""
    with Trajectory(result.trajectory) as trajectory:
        kept = _evenly(trajectory.n_frames, ASSESSED_FRAMES)
        return [next(trajectory.to_ase(slice(index, index + 1))) for index in kept]


def _evenly(n_frames: int, most: int) -> list[int]:
    """Choose at most that many frames, the first and the last among them."""
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
