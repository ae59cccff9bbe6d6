"""Fills the document of a glass from what the stages of its making left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.amorphous.characterize import characterize, equilibrium_frames, mean_density
from vitrion.amorphous.memory import melt_memory
from vitrion.amorphous.speciation import intact_ions
from vitrion.chemistry.bonds import bare
from vitrion.documents.amorphous import AmorphousDoc, Packing
from vitrion.dynamics.document import TrajectoryReference
from vitrion.dynamics.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

    from vitrion.amorphous.cell import PackedCell


def glass_document(
    structure: Structure,
    *,
    packed: PackedCell | None = None,
    stages: Mapping[str, Structure] | None = None,
    trajectories: Mapping[str, TrajectoryReference | dict[str, Any]] | None = None,
    **kwargs: Any,
) -> AmorphousDoc:
    """Characterize a relaxed glass and make its document.

    Parameters
    ----------
    structure : Structure
        The relaxed cell, its atoms in the order of the start.
    packed : PackedCell, optional
        The start.
    stages : mapping of str to Structure, optional
        The last moment of each stage, to see which ions it left whole.
    trajectories : mapping of str to TrajectoryReference, optional
        ``melt`` tells the loss of memory, ``equilibrate`` the density and the pair distributions; a
        file that cannot be reached is left out with a remark.
    **kwargs
        Other fields of the document.

    Returns
    -------
    AmorphousDoc
    """
    structure = bare(structure)
    references = {
        stage: TrajectoryReference.model_validate(reference)
        for stage, reference in (trajectories or {}).items()
    }
    lost = [stage for stage, reference in references.items() if not Path(reference.path).is_file()]
    fields: dict[str, Any] = {
        "trajectories": references,
        "remarks": [f"The trajectory of the {stage} stage could not be read." for stage in lost],
    }
    frames: list[Structure] = []
    if "melt" in references and "melt" not in lost:
        with Trajectory(references["melt"].path) as trajectory:
            fields["melt"] = melt_memory(trajectory)
    if "equilibrate" in references and "equilibrate" not in lost:
        with Trajectory(references["equilibrate"].path) as trajectory:
            frames = equilibrium_frames(trajectory)
        density, error = mean_density(frames)
        fields["density_equilibrated_g_per_cm3"] = density
        fields["density_error_g_per_cm3"] = error
    if packed is not None:
        fields["packing"] = packing_of(packed)
        parts = {
            stage: intact_ions(cell, packed.ions)
            for stage, cell in {**(stages or {}), "relaxation": structure}.items()
        }
        fields["ions_intact"] = {stage: part for stage, part in parts.items() if part is not None}
    return AmorphousDoc.from_character(
        structure, characterize(structure, frames), **fields, **kwargs
    )


def packing_of(packed: PackedCell) -> Packing:
    """Return the part of the document that tells the start."""
    return Packing(
        unit=packed.unit,
        ions=packed.ion_counts(),
        volume_per_atom_A3=packed.volume_per_atom_A3,
        shortest_contact_A=packed.shortest_contact_A,
        seed=packed.seed,
    )
