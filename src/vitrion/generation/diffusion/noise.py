"""Variance-exploding noise on periodic positions, and its score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vitrion.generation.diffusion.crystal_batch import CrystalBatch, image_offsets, integer_grid

SWITCH_A = 1.4
"""Noise in A above which the wrapped Gaussian is summed over reciprocal vectors."""
REAL_RADIUS_A = 8.0
RECIPROCAL_RADIUS = 5.0 / SWITCH_A
"""Largest reciprocal vector in 1/A; the first omitted term is below exp(-12) at ``SWITCH_A``."""


@dataclass(frozen=True)
class NoiseSchedule:
    """Noise levels from the largest to the smallest, evenly spaced in their logarithm.

    Attributes
    ----------
    largest_A, smallest_A : float
        Standard deviation of a Cartesian coordinate. The largest level exceeds half the length of
        the cells, so that the noised positions are uniform.
    """

    largest_A: float = 5.0
    smallest_A: float = 0.02

    def levels(self, n: int) -> list[float]:
        """Return ``n`` noise levels in A, descending."""
        return np.geomspace(self.largest_A, self.smallest_A, n).tolist()

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Draw noise levels, uniform in their logarithm."""
        span = math.log(self.largest_A / self.smallest_A)
        return self.smallest_A * torch.exp(span * torch.rand(shape, generator=generator))


def wrapped_score(
    displacement: torch.Tensor,
    sigma: torch.Tensor,
    lattice: torch.Tensor,
    real_images: torch.Tensor,
    reciprocal: torch.Tensor,
) -> torch.Tensor:
    r"""Return sigma times the score of a Gaussian wrapped into the cell.

    The density of a displacement x is
    ``p(x) ~ sum_R exp(-|x + R|^2 / 2 sigma^2) ~ sum_G exp(-sigma^2 |G|^2 / 2) cos(G x)``; the first
    sum converges fast at small sigma, the second at large sigma. The sums are also exact for small
    or oblique cells, for which the nearest images alone would give a wrong score.

    Parameters
    ----------
    displacement : Tensor (B, N, 3)
        Cartesian displacement in A.
    sigma : Tensor (B, N)
        Noise level in A.
    lattice : Tensor (B, 3, 3)
    real_images : Tensor (B, M, 3)
        Lattice translations in units of the lattice vectors (see ``score_images``).
    reciprocal : Tensor (B, G, 3)
        Integer reciprocal vectors (see ``score_images``).

    Returns
    -------
    Tensor (B, N, 3)
        Dimensionless.
    """
    inverse = torch.linalg.inv(lattice)
    fractional = displacement @ inverse
    fractional = fractional - fractional.round()
    near = (fractional @ lattice)[:, :, None] + (real_images @ lattice)[:, None]
    width = sigma[..., None].clamp(max=SWITCH_A)
    weights = torch.softmax(-(near**2).sum(-1) / (2 * width**2), dim=-1)
    real = -(weights[..., None] * near).sum(2) / width

    waves = 2 * math.pi * reciprocal @ inverse.transpose(1, 2)
    square = (waves**2).sum(-1)[:, None]
    width = sigma[..., None].clamp(min=SWITCH_A)
    amplitude = torch.exp(-(width**2) * square / 2) * (square < RECIPROCAL_RADIUS**2)
    phase = 2 * math.pi * fractional @ reciprocal.transpose(1, 2)
    density = (amplitude * phase.cos()).sum(-1, keepdim=True).clamp(min=1e-6)
    slope = -(amplitude * phase.sin()) @ waves
    return torch.where(sigma[..., None] < SWITCH_A, real, width * slope / density)


def score_images(lattice: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the real and reciprocal vectors over which ``wrapped_score`` sums."""
    cells = lattice.double().cpu().numpy()
    real = image_offsets(cells, REAL_RADIUS_A)
    # Rows of the transposed inverse are the reciprocal vectors; |k| <= radius * a / 2 pi.
    reach = np.linalg.norm(cells, axis=-1) * RECIPROCAL_RADIUS / (2 * math.pi)
    reciprocal = [integer_grid(*row) for row in np.floor(reach).astype(int).tolist()]
    padded = np.zeros((len(cells), max(map(len, reciprocal)), 3))
    # Padding with G = 0 would not change the gradient but the density: pad beyond the radius.
    padded[:] = 1000.0
    for row, integers in zip(padded, reciprocal, strict=True):
        row[: len(integers)] = integers
    as_tensor: dict[str, Any] = {"dtype": lattice.dtype, "device": lattice.device}
    return torch.as_tensor(real, **as_tensor), torch.as_tensor(padded, **as_tensor)


@dataclass(frozen=True)
class NoisedBatch:
    """Noised batch of one training step.

    Attributes
    ----------
    fractional : Tensor (B, N, 3)
        Noised positions.
    sigma : Tensor (B, N)
        Noise level of each atom in A.
    target : Tensor (B, N, 3)
        sigma times the score.
    weight : Tensor (B, N)
        Weight of each atom in the loss.
    """

    fractional: torch.Tensor
    sigma: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


def add_noise(
    batch: CrystalBatch,
    fractional: torch.Tensor,
    schedule: NoiseSchedule,
    generator: torch.Generator,
    inpainting_fraction: float = 0.5,
) -> NoisedBatch:
    """Add noise to a batch: all atoms of a cell at one level, or a subset around a host.

    In a cell with a host, the atoms of one element or a random subset are noised at one level, and
    the host atoms have a separate small noise level, zero in half of the cells. If all atoms share
    one level, the mean displacement is subtracted from the target: its expectation is zero because
    the data are translation invariant, so this only reduces the variance of the loss.
    """
    size, n_atoms = batch.numbers.shape
    sigma = schedule.draw((size, 1), generator).expand(size, n_atoms)
    host = _hosts(batch, inpainting_fraction, generator)
    host_sigma = schedule.smallest_A + 0.3 * (
        torch.rand((size, 1), generator=generator) - 0.5
    ).clamp(min=0.0)
    sigma = torch.where(host, host_sigma, sigma)
    resting = host & (host_sigma == schedule.smallest_A)
    noise = torch.randn((size, n_atoms, 3), generator=generator) * sigma[..., None]
    noise = noise.masked_fill((resting | ~batch.mask)[..., None], 0.0)
    target = wrapped_score(noise, sigma, batch.lattice, *score_images(batch.lattice))
    weight = (batch.mask & ~resting).float()
    target = target - torch.where(host.any(1)[:, None, None], 0.0, mean_over(target, weight))
    noised = torch.remainder(fractional + noise @ torch.linalg.inv(batch.lattice), 1.0)
    return NoisedBatch(noised, sigma, target, weight)


def mean_over(vectors: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean over the atoms of each cell, ``(B, 1, 3)``."""
    total = (vectors * weight[..., None]).sum(1, keepdim=True)
    return total / weight.sum(1)[:, None, None].clamp(min=1.0)


def _hosts(batch: CrystalBatch, fraction: float, generator: torch.Generator) -> torch.Tensor:
    """Select the host atoms in a fraction of the cells, ``(B, N)``."""
    size, n_atoms = batch.numbers.shape
    share = torch.rand((size, 1), generator=generator) * 0.8 + 0.1
    at_random = torch.rand((size, n_atoms), generator=generator) < share
    # One random atom of each cell determines the element that is not part of the host.
    order = torch.rand((size, n_atoms), generator=generator).masked_fill(~batch.mask, -1.0)
    chosen = batch.numbers.gather(1, order.argmax(1, keepdim=True))
    other_elements = batch.numbers != chosen
    by_element = torch.rand((size, 1), generator=generator) < 0.6
    host = torch.where(by_element, other_elements, at_random) & batch.mask
    with_host = torch.rand((size, 1), generator=generator) < fraction
    to_insert = (batch.mask & ~host).any(1, keepdim=True)
    return host & with_host & to_insert
