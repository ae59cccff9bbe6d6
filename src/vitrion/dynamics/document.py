"""Fills the document of a run from what the run left on the disk."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.documents.md import FileReference, MDDoc, ThinnedView, TrajectoryReference
from vitrion.documents.provenance import Provenance
from vitrion.dynamics.trajectory import Trajectory
from vitrion.potentials.spec import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from vitrion.dynamics.result import MDResult
    from vitrion.potentials import PotentialSpec

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
        dir_name=str(result.directory),
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
        energy_eV=result.energy_eV,
        mean_temperature_K=result.temperature_K,
        temperature_std_K=result.temperature_std_K,
        mean_pressure_GPa=result.pressure_GPa,
        mean_volume_A3=result.volume_A3,
        energy_drift_meV_per_atom_ps=result.energy_drift_meV_per_atom_ps,
        msd_A2=result.msd_A2,
        mobile=settings.mobile,
        ns_per_day=result.ns_per_day,
        trajectory=reference,
        checkpoint=FileReference(**_reference(result.checkpoint)),
        view=view,
        **kwargs,
    )


def thinned(result: MDResult) -> list[Atoms]:
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


def _view(trajectory: Trajectory) -> ThinnedView:
    kept = _evenly(trajectory.n_frames, VIEW_POINTS)
    pressures = trajectory.pressures()[kept]
    return ThinnedView(
        times_ps=trajectory.times_ps()[kept].tolist(),
        temperature_K=trajectory.temperatures()[kept].tolist(),
        energy_eV=trajectory.energies()[kept].tolist(),
        conserved_eV=trajectory.conserved()[kept].tolist(),
        volume_A3=np.abs(np.linalg.det(trajectory.cells()[kept])).tolist(),
        pressure_GPa=pressures.tolist() if np.isfinite(pressures).all() else None,
    )
