"""Batches of labelled frames in torch, with neighbor lists made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vitrion.distill.data.frames import ENERGY, ENERGY_WEIGHT, FORCES, STRESS
from vitrion.potentials.mace_graphs import MACEGraphs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel

Batch = dict[str, torch.Tensor]


def frame_batches(model: MACEModel, frames: Sequence[Atoms]) -> list[Batch]:
    """Return one batch for each frame: the graph and the labels.

    The labels are ``energy`` (1,) in eV, its weight ``energy_weight`` (1,), ``forces`` (n, 3) in
    eV/A, and ``stress`` (1, 3, 3) in eV/A3, which is not a number in frames without it.
    """
    graphs = MACEGraphs(model, [int(z) for z in model.atomic_numbers])
    for parameter in model.parameters():
        parameter.requires_grad_(True)  # MACEGraphs is made for evaluation
    batches = []
    for atoms in frames:
        batch = graphs.graph([atoms])
        stress = atoms.info.get(STRESS, np.full(9, np.nan))
        batch["energy"] = torch.tensor([atoms.info[ENERGY]], dtype=torch.float32)
        weight = float(atoms.info.get(ENERGY_WEIGHT, 1.0))
        batch["energy_weight"] = torch.tensor([weight], dtype=torch.float32)
        batch["forces"] = torch.tensor(atoms.arrays[FORCES], dtype=torch.float32)
        batch["stress"] = torch.tensor(np.reshape(stress, (1, 3, 3)), dtype=torch.float32)
        batches.append(batch)
    return batches


def padded(batch: Batch, width: int, cutoff: float) -> Batch:
    """Return a batch in which every atom has ``width`` edges; added ones contribute nothing.

    An added edge leads from an atom to its own image beyond the cutoff.
    """
    n_atoms = len(batch["positions"])
    receiver = batch["edge_index"][1]
    counts = torch.bincount(receiver, minlength=n_atoms)
    frame = batch["batch"][:, None] * 3
    cell = batch["cell"]
    lengths = cell[::3].norm(dim=1)
    images = torch.ceil(1.01 * cutoff / lengths)
    missing = width - counts
    extra = torch.arange(n_atoms).repeat_interleave(missing)
    units = torch.zeros(len(extra), 3)
    units[:, 0] = images[batch["batch"][extra]]
    shifts = units[:, :1] * cell[frame[extra, 0]]
    order = torch.argsort(torch.cat([receiver, extra]), stable=True)
    edges = torch.cat([batch["edge_index"], torch.stack([extra, extra])], dim=1)
    return batch | {
        "edge_index": edges[:, order],
        "unit_shifts": torch.cat([batch["unit_shifts"], units])[order],
        "shifts": torch.cat([batch["shifts"], shifts])[order],
    }


def widest(batch: Batch) -> int:
    """Return the largest number of edges of an atom."""
    return int(torch.bincount(batch["edge_index"][1]).max()) if batch["edge_index"].numel() else 1


def join(batches: Sequence[Batch], cutoff: float | None = None) -> Batch:
    """Return several batches as one; with a cutoff, padded to the same number of edges per atom."""
    if cutoff is not None:
        width = max(widest(batch) for batch in batches)
        batches = [padded(batch, width, cutoff) for batch in batches]
    sizes = [len(batch["positions"]) for batch in batches]
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    joined = {
        name: torch.cat([batch[name] for batch in batches])
        for name in batches[0]
        if name not in ("edge_index", "batch", "ptr")
    }
    joined["edge_index"] = torch.cat(
        [batch["edge_index"] + start for batch, start in zip(batches, starts, strict=False)], dim=1
    )
    joined["batch"] = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    joined["ptr"] = torch.tensor(starts)
    return joined


def epoch_order(
    sizes: Sequence[int], batch_size: int, epoch: int, seed: int, ranks: int
) -> Iterator[list[list[int]]]:
    """Yield the frames of each step, dealt to the processes so that their atoms are balanced.

    Parameters
    ----------
    sizes
        Atoms of each frame.
    batch_size
        Frames of a step, over all processes.
    epoch, seed
        Determine the order.
    ranks
        Number of processes.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(sizes))
    for start in range(0, len(order) - len(order) % batch_size or len(order), batch_size):
        step = sorted(order[start : start + batch_size].tolist(), key=lambda i: (-sizes[i], i))
        shares: list[list[int]] = [[] for _ in range(ranks)]
        for index in step:
            min(shares, key=lambda share: sum(sizes[i] for i in share)).append(index)
        yield shares
