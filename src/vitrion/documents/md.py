"""The document of one molecular-dynamics run: references to its files and a thinned view."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, Field

from vitrion.documents.base import VitrionDoc


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


class ThinnedView(BaseModel):
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
        "md_temperature_K": "mean_temperature_K",
        "md_duration_ps": "duration_ps",
    }

    property_name: str = "molecular_dynamics"

    dir_name: str = Field(description="Directory of the run; give it as prev_dir to go on.")
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
    mobile: str | None = Field(None, description="Element that is expected to move.")
    ns_per_day: float = Field(description="Speed of the run in ns a day.")
    trajectory: TrajectoryReference = Field(description="The file with every frame.")
    checkpoint: FileReference = Field(description="The file from which the run can go on.")
    view: ThinnedView = Field(description="The course of the run, thinned.")


class MDSeriesDoc(BaseModel):
    """Several independent runs of one job; one that failed does not take the others along."""

    dir_name: str = Field(description="Directory with one folder for each run.")
    runs: dict[str, MDDoc] = Field(description="Document of each run that is at hand, by name.")
    failures: dict[str, str] = Field(description="What went wrong, by the name of the run.")
