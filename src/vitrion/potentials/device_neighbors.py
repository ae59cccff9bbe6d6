"""Neighbor lists of many cells on the device of a model, by torch-sim (the extra ``gpu``)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def is_available() -> bool:
    """Whether torch-sim is installed; it needs Python 3.12."""
    return find_spec("torch_sim") is not None


def device_pairs(
    positions: torch.Tensor,
    cells: torch.Tensor,
    pbc: torch.Tensor,
    batch: torch.Tensor,
    cutoff: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return all pairs of atoms of the same cell within the cutoff, in both directions.

    Parameters
    ----------
    positions : (n, 3) tensor
        In A, wrapped or not.
    cells : (m, 3, 3) tensor
        Lattice vectors of each cell as rows, in A.
    pbc : (m, 3) bool tensor
        Which lattice vectors are periodic.
    batch : (n,) int tensor
        Cell of each atom.
    cutoff : float
        In A.

    Returns
    -------
    pairs : (2, e) int tensor
        Sender and receiver.
    units, shifts : (e, 3) tensors
        Lattice translation of each pair in units of the lattice vectors, and in A: the vector of a
        pair is ``positions[receiver] - positions[sender] + shift``.
    """
    from torch_sim.neighbors import torchsim_nl
    from torch_sim.transforms import (
        compute_cell_shifts,
        pbc_wrap_batched_and_get_lattice_shifts,
    )

    wrapped, images = pbc_wrap_batched_and_get_lattice_shifts(positions, cells, batch, pbc)
    pairs, owners, units = torchsim_nl(wrapped, cells, pbc, cutoff, batch)
    units = units.to(cells.dtype) + images[pairs[0]] - images[pairs[1]]
    return pairs, units, compute_cell_shifts(cells, units, owners)
