"""Score network: predicts the score of each atom of a noised crystal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from vitrion.generation.diffusion.crystal_batch import nearest_neighbors

if TYPE_CHECKING:
    from vitrion.generation.diffusion.crystal_batch import CrystalBatch

HEAVIEST = 100
N_DESCRIPTORS = 6
N_WAVES = 12
TAPER_START = 0.8
"""Fraction of the distance to the nearest discarded neighbor from which messages are tapered."""


@dataclass(frozen=True)
class NetConfig:
    """Size of the network.

    Attributes
    ----------
    channels : int
        Number of scalar and of vector features per atom.
    layers : int
        Number of message-passing layers.
    neighbors : int
        Maximum number of neighbors per atom.
    cutoff_A : float
        Cutoff radius of messages in A.
    radial : int
        Number of radial basis functions.
    """

    channels: int = 64
    layers: int = 4
    neighbors: int = 22
    cutoff_A: float = 6.5
    radial: int = 24


class ScoreNet(nn.Module):
    """E(3)-equivariant message passing after PaiNN, with a noise level for every atom.

    Scalars h and vectors v of atom i are updated by its nearest neighbors j,
    ``h_i += sum_j a(h_j, r_ij)`` and ``v_i += sum_j b(h_j, r_ij) r_ij/|r_ij| + c(h_j, r_ij) v_j``,
    then mixed within the atom (K. T. Schuett, O. T. Unke and M. Gastegger, arXiv 2102.03150). The
    output is linear in the vectors and therefore equivariant. The noise level enters the scalars of
    each atom; host atoms have the smallest level, which conditions the network for inpainting.
    """

    descriptors: torch.Tensor
    waves: torch.Tensor
    centers: torch.Tensor

    def __init__(self, config: NetConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetConfig()
        width = self.config.channels
        self.element = nn.Embedding(HEAVIEST + 1, width)
        self.descriptor = nn.Linear(N_DESCRIPTORS, width)
        self.noise = nn.Sequential(
            nn.Linear(2 * N_WAVES + 1, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.entry = nn.Linear(2 * width, width)
        self.layers = nn.ModuleList(_Layer(self.config) for _ in range(self.config.layers))
        self.gate = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.exit = nn.Linear(width, 1, bias=False)
        self.register_buffer("descriptors", torch.zeros(HEAVIEST + 1, N_DESCRIPTORS))
        self.register_buffer("waves", torch.exp(torch.linspace(0, math.log(20), N_WAVES)) / 2)
        centers = torch.linspace(0.3, self.config.cutoff_A, self.config.radial)
        self.register_buffer("centers", centers)

    def forward(
        self, batch: CrystalBatch, fractional: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """Return sigma times the score, ``(B, N, 3)``, dimensionless; zero for padding.

        Parameters
        ----------
        batch : CrystalBatch
            Built for a radius of at least ``config.cutoff_A``.
        fractional : Tensor (B, N, 3)
        sigma : Tensor (B, N)
            Noise level of each atom in A.
        """
        mask = batch.mask
        with torch.no_grad():
            edges = _Edges.of(batch, fractional, self.config, self.centers)
        scalars = self._scalars(batch.numbers[mask], sigma[mask])
        vectors = scalars.new_zeros(scalars.shape[0], 3, scalars.shape[1])
        for layer in self.layers:
            scalars, vectors = layer(scalars, vectors, edges)
        result = fractional.new_zeros(fractional.shape)
        result[mask] = self.exit(vectors * self.gate(scalars)[:, None])[..., 0]
        return result

    def _scalars(self, numbers: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        log = torch.log(sigma)[:, None]
        noise = self.noise(
            torch.cat([log, torch.sin(log * self.waves), torch.cos(log * self.waves)], -1)
        )
        element = self.element(numbers) + self.descriptor(self.descriptors[numbers])
        return self.entry(torch.cat([element, noise], -1))


@dataclass(frozen=True)
class _Edges:
    """Neighbors of the ``n`` atoms of a batch: ``K`` entries each, with padding.

    ``directions (n, K, 3)`` unit vectors, ``radial (n, K, R)`` basis functions tapered to zero at
    the cutoff and for padding, ``index (n, K)`` rows of the neighbors.
    """

    directions: torch.Tensor
    radial: torch.Tensor
    index: torch.Tensor

    @classmethod
    def of(
        cls,
        batch: CrystalBatch,
        fractional: torch.Tensor,
        config: NetConfig,
        centers: torch.Tensor,
    ) -> _Edges:
        mask = batch.mask
        vectors, distances, index, limit = nearest_neighbors(
            batch, fractional, config.cutoff_A, config.neighbors
        )
        rows = torch.zeros(mask.shape, dtype=torch.long, device=batch.device)
        rows[mask] = torch.arange(int(mask.sum()), device=batch.device)
        cells = torch.arange(len(rows), device=batch.device)[:, None, None]
        index = rows[cells, index][mask]
        empty = ~torch.isfinite(distances[mask])[..., None]
        distance = distances[mask].clamp(max=config.cutoff_A)[..., None]
        directions = (vectors[mask] / distance).masked_fill(empty, 0.0)
        spacing = config.cutoff_A / config.radial
        basis = torch.exp(-(((distance - centers) / spacing) ** 2) / 2)
        envelope = 0.5 * (1 + torch.cos(math.pi * distance / config.cutoff_A))
        envelope = envelope * _taper(distance / limit[mask][:, None, None])
        return cls(directions, (basis * envelope).masked_fill(empty, 0.0), index)


def _taper(ratio: torch.Tensor) -> torch.Tensor:
    """Return 1 up to a ratio of ``TAPER_START``, then decrease smoothly to 0 at 1."""
    x = ((ratio - TAPER_START) / (1 - TAPER_START)).clamp(0, 1)
    return 1 - x**2 * (3 - 2 * x)


class _Layer(nn.Module):
    """One message-passing layer followed by mixing within each atom."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        width = config.channels
        self.scale = config.neighbors**-0.5
        self.sender = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 3 * width)
        )
        self.radial = nn.Linear(config.radial, 3 * width, bias=False)
        self.pair = nn.Linear(width, 2 * width, bias=False)
        self.mix = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 3 * width)
        )

    def forward(
        self, scalars: torch.Tensor, vectors: torch.Tensor, edges: _Edges
    ) -> tuple[torch.Tensor, torch.Tensor]:
        messages = self.sender(scalars)[edges.index] * self.radial(edges.radial)
        to_scalar, along, carried = messages.chunk(3, dim=-1)
        scalars = scalars + to_scalar.sum(1) * self.scale
        pushed = edges.directions.transpose(1, 2) @ along
        passed = (carried[:, :, None] * vectors[edges.index]).sum(1)
        vectors = vectors + (pushed + passed) * self.scale

        first, second = self.pair(vectors).chunk(2, dim=-1)
        length = torch.sqrt((second**2).sum(1) + 1e-6)
        shift, stretch, product = self.mix(torch.cat([scalars, length], -1)).chunk(3, dim=-1)
        scalars = scalars + shift + product * (first * second).sum(1)
        return scalars, vectors + stretch[:, None] * first


def element_descriptors() -> torch.Tensor:
    """Return descriptors of each element, ``(HEAVIEST + 1, N_DESCRIPTORS)``.

    Electronegativity, group, period, atomic radius, most negative and most positive common
    oxidation state, each scaled to order one; rare elements generalize from similar common ones.
    """
    import warnings

    from pymatgen.core import Element

    table = torch.zeros(HEAVIEST + 1, N_DESCRIPTORS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(1, HEAVIEST + 1):
            element = Element.from_Z(number)
            electronegativity = element.X if math.isfinite(element.X) else 0.0
            radius = float(element.atomic_radius or 0.0)
            states = element.common_oxidation_states or (0,)
            values = (
                electronegativity - 2.0,
                element.group / 9.0 - 1.0,
                element.row / 3.0 - 1.0,
                radius - 1.3,
                min(states) / 4.0,
                max(states) / 4.0,
            )
            table[number] = torch.tensor(values)
    return table
