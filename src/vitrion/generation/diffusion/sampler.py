"""Predictor-corrector sampling of positions, optionally around a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from pydantic import Field

from vitrion.generation.diffusion.crystal_batch import CrystalBatch, make_batch, pad
from vitrion.generation.diffusion.noise import NoiseSchedule, mean_over
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vitrion.generation.diffusion.net import ScoreNet
    from vitrion.generation.diffusion.space_groups import SiteSymmetry


InpaintMode = Literal["conditioned", "repaint"]


class SamplerSettings(SettingsModel):
    """Settings of the sampler."""

    levels: int = Field(
        25, ge=2, description="Number of noise levels, evenly spaced in their logarithm."
    )
    correctors: int = Field(3, ge=0, description="Number of Langevin steps at each level.")
    signal_to_noise: float = Field(
        0.3, gt=0, lt=1, description="A Langevin step is 2 (signal_to_noise * sigma)^2."
    )
    mode: InpaintMode = Field(
        "conditioned",
        description="Treatment of the host. conditioned: fixed with the smallest noise level, as "
        "in training. repaint: noised like the other atoms, and the sampler jumps back to make "
        "both consistent (A. Lugmayr et al., arXiv 2201.09865).",
    )
    jump_length: int = Field(5, ge=1, description="Number of levels of a jump of repaint.")
    resamples: int = Field(3, ge=1, description="Passes over each segment of that length.")


@dataclass(frozen=True)
class Task:
    """One crystal to sample.

    Attributes
    ----------
    numbers : array (n,)
        Atomic numbers.
    lattice : array (3, 3)
        Row vectors in A, preferably Niggli-reduced.
    seed : int
        Seed; the result does not depend on the rest of the batch (to rounding).
    host : array (h, 3) or None
        Fractional positions of the first ``h`` atoms, which are fixed.
    start : array (n, 3) or None
        Initial fractional positions; None draws them uniformly.
    symmetry : SiteSymmetry or None
        Space group of the initial positions, which sampling preserves.
    """

    numbers: np.ndarray
    lattice: np.ndarray
    seed: int
    host: np.ndarray | None = None
    start: np.ndarray | None = None
    symmetry: SiteSymmetry | None = None

    @property
    def n_host(self) -> int:
        """Number of host atoms."""
        return 0 if self.host is None else len(self.host)


@torch.no_grad()
def sample(
    net: ScoreNet,
    tasks: Sequence[Task],
    schedule: NoiseSchedule,
    settings: SamplerSettings | None = None,
) -> list[np.ndarray]:
    """Sample the positions of a batch of crystals.

    Parameters
    ----------
    net : ScoreNet
    tasks : sequence of Task
        One batch: split long lists with ``batches_of``.
    schedule : NoiseSchedule
        Range of noise levels of the training.
    settings : SamplerSettings, optional

    Returns
    -------
    list of array (n, 3)
        Fractional coordinates in [0, 1); host positions are unchanged.
    """
    settings = settings or SamplerSettings()
    run = _Run(net, tasks, schedule, settings)
    if settings.mode == "repaint" and bool(run.host.any()):
        run.repaint()
    else:
        run.descend(0, settings.levels)
    return run.result()


def batches_of(tasks: Sequence[Task], most_atoms: int = 1536) -> list[list[int]]:
    """Return batches of task indices with similar sizes and at most ``most_atoms`` padded atoms."""
    batches: list[list[int]] = [[]]
    for index in np.argsort([len(task.numbers) for task in tasks], kind="stable").tolist():
        if batches[-1] and (len(batches[-1]) + 1) * len(tasks[index].numbers) > most_atoms:
            batches.append([])
        batches[-1].append(index)
    return batches


class _Run:
    """State of one batch during sampling."""

    def __init__(
        self,
        net: ScoreNet,
        tasks: Sequence[Task],
        schedule: NoiseSchedule,
        settings: SamplerSettings,
    ) -> None:
        self.net, self.tasks, self.settings = net, tasks, settings
        device = next(net.parameters()).device
        batch = make_batch(
            [task.numbers for task in tasks],
            np.stack([task.lattice for task in tasks]),
            net.config.cutoff_A,
        )
        self.batch: CrystalBatch = batch.to(device)
        self.inverse = torch.linalg.inv(self.batch.lattice)
        self.sigmas = [*schedule.levels(settings.levels), 0.0]
        # Drawn on the CPU from one stream per crystal: independent of batch and device.
        self.streams = [torch.Generator().manual_seed(task.seed) for task in tasks]
        self.n_atoms = batch.numbers.shape[1]
        given = [np.zeros((0, 3)) if task.host is None else task.host for task in tasks]
        self.given = pad(given, self.n_atoms).to(device)
        counts = torch.tensor([task.n_host for task in tasks], device=device)
        self.host = torch.arange(self.n_atoms, device=device) < counts[:, None]
        self.free = (self.batch.mask & ~self.host).float()
        self.projection, self.spread = self._symmetries(device)
        start = self._draw(torch.rand)
        for row, task in zip(start, tasks, strict=True):
            if task.start is not None:
                row[: len(task.start)] = torch.as_tensor(task.start)
        self.fractional = torch.where(self.host[..., None], self.given, start)

    def result(self) -> list[np.ndarray]:
        fractional = torch.where(self.host[..., None], self.given, self.fractional)
        wrapped = torch.remainder(fractional, 1.0).double().cpu().numpy()
        return [row[: len(task.numbers)] for row, task in zip(wrapped, self.tasks, strict=True)]

    def descend(self, first: int, last: int, *, noised_host: bool = False) -> None:
        """Go from level ``first`` to level ``last``."""
        for level in range(first, last):
            sigma, lower = self.sigmas[level], self.sigmas[level + 1]
            if noised_host:
                self._place_host(sigma)
            for _ in range(self.settings.correctors):
                step = 2 * (self.settings.signal_to_noise * sigma) ** 2
                self._move(sigma, step, (2 * step) ** 0.5, noised_host)
            # Reverse diffusion: the variance falls by sigma^2 - lower^2.
            drop = sigma**2 - lower**2
            self._move(sigma, drop, drop**0.5 * lower / sigma, noised_host)

    def repaint(self) -> None:
        """Descend in segments; after each segment, jump back and descend again."""
        for start in range(0, self.settings.levels, self.settings.jump_length):
            end = min(start + self.settings.jump_length, self.settings.levels)
            for repeat in range(self.settings.resamples):
                self.descend(start, end, noised_host=True)
                if repeat + 1 < self.settings.resamples:
                    # The variance to put back is a difference of variances; its square root is
                    # the width of the noise.
                    width = (self.sigmas[start] ** 2 - self.sigmas[end] ** 2) ** 0.5
                    self._shift(width * self._noise())

    def _move(self, sigma: float, step: float, width: float, noised_host: bool) -> None:
        """Apply ``x += step * score + width * noise`` to the free atoms."""
        levels = torch.full(self.host.shape, sigma, device=self.batch.device)
        if not noised_host:
            levels = levels.masked_fill(self.host, self.sigmas[-2])
        score = self.net(self.batch, self.fractional, levels) / sigma
        # Without a host there is no origin: remove the drift of the crystal.
        drift = mean_over(score, self.free)
        score = score - torch.where(self.host.any(1)[:, None, None], 0.0, drift)
        move = self._symmetric(step * score)
        if width > 0:
            move = move + width * self._noise()
        self._shift(move * self.free[..., None])

    def _place_host(self, sigma: float) -> None:
        noised = self.given + sigma * self._noise() @ self.inverse
        self.fractional = torch.where(self.host[..., None], noised, self.fractional)

    def _shift(self, cartesian: torch.Tensor) -> None:
        self.fractional = torch.remainder(self.fractional + cartesian @ self.inverse, 1.0)

    def _noise(self) -> torch.Tensor:
        noise = self._symmetric(self._draw(torch.randn))
        return noise if self.spread is None else noise * self.spread

    def _symmetric(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the part of vectors on the atoms that keeps the space group of each crystal."""
        if self.projection is None:
            return vectors
        flat = vectors.reshape(len(vectors), -1, 1)
        return (self.projection @ flat).reshape(vectors.shape)

    def _symmetries(self, device: torch.device) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return projections ``(B, 3N, 3N)`` and spreads ``(B, N, 1)``; None if all are P1."""
        if all(task.symmetry is None for task in self.tasks):
            return None, None
        projection = torch.eye(3 * self.n_atoms).repeat(len(self.tasks), 1, 1)
        spread = torch.ones((len(self.tasks), self.n_atoms, 1))
        for index, task in enumerate(self.tasks):
            if task.symmetry is not None:
                n = len(task.numbers)
                projection[index, : 3 * n, : 3 * n] = torch.as_tensor(task.symmetry.projection)
                spread[index, :n, 0] = torch.as_tensor(task.symmetry.spread)
        return projection.to(device), spread.to(device)

    def _draw(self, distribution: Callable[..., torch.Tensor]) -> torch.Tensor:
        drawn = torch.zeros((len(self.tasks), self.n_atoms, 3))
        for row, task, stream in zip(drawn, self.tasks, self.streams, strict=True):
            row[: len(task.numbers)] = distribution((len(task.numbers), 3), generator=stream)
        return drawn.to(self.batch.device)
