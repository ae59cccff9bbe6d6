"""A batch of periodic cells as padded torch tensors, with the periodic images of its edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from vitrion.chemistry.geometry import face_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

FAR = 1000.0
"""Padding of the image lists: an image beyond every cutoff."""


@dataclass(frozen=True)
class CrystalBatch:
    """Batch of ``B`` cells with at most ``N`` atoms each.

    Attributes
    ----------
    numbers : Tensor (B, N)
        Atomic numbers, padded with 0.
    lattice : Tensor (B, 3, 3)
        Rows are lattice vectors, in A.
    offsets : Tensor (B, M, 3)
        Lattice translations, in units of the lattice vectors, that include every image within the
        radius of the batch.
    """

    numbers: torch.Tensor
    lattice: torch.Tensor
    offsets: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """Mask of the entries that are atoms, (B, N)."""
        return self.numbers > 0

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.lattice.device

    def to(self, device: torch.device | str) -> CrystalBatch:
        """Return the batch on another device."""
        return CrystalBatch(
            self.numbers.to(device), self.lattice.to(device), self.offsets.to(device)
        )

    def wrap(self, cartesian: torch.Tensor) -> torch.Tensor:
        """Return Cartesian positions ``(B, N, 3)`` as fractional coordinates in [0, 1)."""
        return torch.remainder(cartesian @ torch.linalg.inv(self.lattice), 1.0)


def make_batch(numbers: Sequence[np.ndarray], lattices: ArrayLike, radius: float) -> CrystalBatch:
    """Pad cells into one batch.

    Parameters
    ----------
    numbers : sequence of (n,) arrays
        Atomic numbers of each cell.
    lattices : array (B, 3, 3)
        Row vectors in A. A reduced cell (Niggli) needs the fewest images; any cell is correct.
    radius : float
        Distance in A within which all images must be found.
    """
    cells = np.asarray(lattices, dtype=float)
    padded = np.zeros((len(cells), max(len(z) for z in numbers)), dtype=np.int64)
    for row, z in zip(padded, numbers, strict=True):
        row[: len(z)] = z
    return CrystalBatch(
        torch.from_numpy(padded),
        torch.as_tensor(cells, dtype=torch.float32),
        torch.as_tensor(image_offsets(cells, radius), dtype=torch.float32),
    )


def pad(arrays: Sequence[np.ndarray], n_atoms: int) -> torch.Tensor:
    """Return per-atom arrays ``(n, 3)`` as one zero-padded float tensor ``(B, n_atoms, 3)``."""
    padded = np.zeros((len(arrays), n_atoms, 3), dtype=np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(padded)


def image_offsets(lattices: np.ndarray, radius: float) -> np.ndarray:
    """Return lattice translations that include every image within a radius, ``(B, M, 3)``.

    For a fractional difference d in [-1/2, 1/2] the image ``d + m`` lies at least
    ``(|m| - 1/2) h`` away, with h the height of the cell along that axis; so
    ``|m| <= radius / h + 1/2`` is enough.
    """
    reach = np.floor(radius / face_distances(lattices) + 0.5).astype(int)
    grids = [integer_grid(*row) for row in reach.tolist()]
    offsets = np.full((len(grids), max(len(grid) for grid in grids), 3), FAR)
    for row, grid in zip(offsets, grids, strict=True):
        row[: len(grid)] = grid
    return offsets


@lru_cache(maxsize=4096)
def integer_grid(a: int, b: int, c: int) -> np.ndarray:
    """Return the integer vectors from (-a, -b, -c) to (a, b, c), shape (n, 3); do not modify."""
    axes = [np.arange(-n, n + 1) for n in (a, b, c)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def nearest_neighbors(
    batch: CrystalBatch, fractional: torch.Tensor, cutoff: float, most: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the nearest neighbors of each atom within a cutoff, over all periodic images.

    If neighbors are discarded, ``limit`` is the distance of the nearest discarded one. A function
    that vanishes there does not depend on which of several equidistant neighbors are kept.

    Returns
    -------
    vectors : Tensor (B, N, K, 3)
        From the atom to its neighbor, in A.
    distances : Tensor (B, N, K)
        In A; infinite for padding with fewer than K neighbors.
    index : Tensor (B, N, K)
        Index of the neighbor in its cell.
    limit : Tensor (B, N)
        Distance in A of the nearest discarded neighbor; infinite if none is discarded.
    """
    size, n_atoms, _ = fractional.shape
    difference = fractional[:, None] - fractional[:, :, None]
    difference = difference - difference.round()
    images = batch.offsets @ batch.lattice
    vectors = (difference @ batch.lattice[:, None])[:, :, :, None] + images[:, None, None]
    squares = (vectors**2).sum(-1)
    unwanted = (~batch.mask)[:, None, :, None] | (squares > cutoff**2) | (squares < 1e-8)
    squares = squares.masked_fill(unwanted, torch.inf).reshape(size, n_atoms, -1)
    vectors = vectors.reshape(size, n_atoms, -1, 3)
    nearest, where = squares.topk(min(most + 1, squares.shape[-1]), largest=False)
    limit = nearest[..., -1].sqrt()
    if nearest.shape[-1] > most:
        nearest, where = nearest[..., :-1], where[..., :-1]
    else:
        limit = torch.full_like(limit, torch.inf)
    vectors = torch.gather(vectors, 2, where[..., None].expand(-1, -1, -1, 3))
    return vectors, nearest.sqrt(), where // images.shape[1], limit
