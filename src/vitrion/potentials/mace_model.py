"""Types of what vitrion reads off MACE's modules, for annotations alone.

torch says of every attribute of a module that it is a tensor or a module; these say which.
"""

from __future__ import annotations

from typing import Any

import torch


class MACEBlock(torch.nn.Module):
    """An interaction block of a MACE model."""

    edge_irreps: Any
    edge_attrs_irreps: Any
    conv_tp: Any
    conv_fusion: bool


class MACEModel(torch.nn.Module):
    """A ``ScaleShiftMACE`` with one head."""

    atomic_numbers: torch.Tensor
    r_max: torch.Tensor
    num_interactions: torch.Tensor
    interactions: Any  # a ModuleList of MACEBlock
    products: Any
    readouts: Any
    radial_embedding: Any
    spherical_harmonics: Any
    atomic_energies_fn: Any
    scale_shift: Any
    hole_energy_eV: float
    electron_energy_eV: float
