"""Loss of a student on labelled frames: Huber losses of energy per atom, forces and stress.

As mace's universal loss: errors beyond ``HUBER`` count linearly, so that frames far from rest do
not dominate (Batatia et al., arXiv 2401.00096).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from vitrion.distill.train.fit_batches import Batch
    from vitrion.distill.train.fit_settings import FitSettings
    from vitrion.potentials.mace_model import MACEModel

HUBER = 0.01
"""Error in eV, eV/A or eV/A3 above which the loss is linear."""


def batch_loss(
    model: MACEModel, batch: Batch, settings: FitSettings, n_frames: int, n_atoms: int
) -> torch.Tensor:
    """Return the share of a batch in the mean loss over ``n_frames`` frames of ``n_atoms`` atoms.

    The sum over the parts of a step is the loss of the step, however it is divided.
    """
    out = model(batch, training=True, compute_force=True, compute_stress=True)
    atoms = (batch["ptr"][1:] - batch["ptr"][:-1]).to(out["energy"].dtype)
    energies = _huber((out["energy"] - batch["energy"]) / atoms)
    energy = (batch["energy_weight"] * energies).sum() / n_frames
    forces = _huber(out["forces"] - batch["forces"]).sum() / (3 * n_atoms)
    known = ~torch.isnan(batch["stress"])
    difference = torch.where(known, out["stress"] - torch.nan_to_num(batch["stress"]), 0.0)
    stress = _huber(difference).sum() / (9 * n_frames)
    return (
        settings.energy_weight * energy
        + settings.forces_weight * forces
        + settings.stress_weight * stress
    )


def _huber(difference: torch.Tensor) -> torch.Tensor:
    zero = torch.zeros_like(difference)
    return torch.nn.functional.huber_loss(difference, zero, reduction="none", delta=HUBER)
