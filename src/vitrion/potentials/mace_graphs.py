"""Input graphs of MACE models in torch: atoms, pairs within the cutoff, periodic images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matscipy.neighbours import neighbour_list

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel


class MACEGraphs:
    """Makes the input of one MACE model, for many structures at once.

    Parameters
    ----------
    model : torch module
        A mace-torch model; gradients of its parameters are disabled.
    elements : sequence of int
        Atomic numbers in the order of the model.
    head : int
        Index of the head of the model.
    """

    def __init__(self, model: MACEModel, elements: Sequence[int], *, head: int = 0) -> None:
        first = next(model.parameters())
        self.device, self.dtype = first.device, first.dtype
        self.model, self.head = model.eval(), head
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.cutoff = float(model.r_max)
        self.column = np.full(120, -1)
        self.column[np.asarray(elements)] = np.arange(len(elements))
        self.n_elements = len(elements)

    def graph(self, systems: Sequence[Atoms]) -> dict[str, torch.Tensor]:
        """Return one graph that has the structures as its components.

        Raises
        ------
        InputError
            If the model does not know an element.
        """
        sizes = np.array([len(atoms) for atoms in systems])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        pairs, shifts, images = [], [], []
        for atoms, start in zip(systems, starts, strict=False):
            edges, units = neighbor_pairs(atoms, self.cutoff)
            pairs.append(edges + start)
            images.append(units)
            shifts.append(units @ atoms.cell.array)
        columns = self._columns(np.concatenate([atoms.numbers for atoms in systems]))
        long: dict[str, Any] = {"dtype": torch.long, "device": self.device}
        return {
            "positions": self._tensor(np.concatenate([atoms.positions for atoms in systems])),
            "node_attrs": self._tensor(np.eye(self.n_elements)[columns]),
            "cell": self._tensor(np.concatenate([atoms.cell.array for atoms in systems])),
            "edge_index": torch.as_tensor(np.concatenate(pairs, axis=1), **long),
            "shifts": self._tensor(np.concatenate(shifts)),
            "unit_shifts": self._tensor(np.concatenate(images)),
            "batch": torch.as_tensor(np.repeat(np.arange(len(sizes)), sizes), **long),
            "ptr": torch.as_tensor(starts, **long),
            "head": torch.full((len(sizes),), self.head, **long),
        }

    def _columns(self, numbers: np.ndarray) -> np.ndarray:
        columns = self.column[numbers]
        if columns.min() < 0:
            unknown = sorted(set(numbers[columns < 0].tolist()))
            raise InputError(f"This potential does not know the atomic numbers {unknown}.")
        return columns

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=self.dtype, device=self.device)


def neighbor_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Return directed pairs ``(2, e)`` (sender, receiver), by receiver, and shifts ``(e, 3)``.

    The vector of a pair is ``r[receiver] - r[sender] + shift @ cell``.
    """
    cell = atoms.cell.array.copy()
    for axis in np.flatnonzero(~cell.any(axis=1)):  # an open direction without a vector
        cell[axis, axis] = 2 * np.abs(atoms.positions).max() + 10.0
    sender, receiver, shifts = neighbour_list(
        "ijS", pbc=atoms.pbc, cell=cell, positions=atoms.positions, cutoff=cutoff
    )
    order = np.argsort(receiver, kind="stable")
    return np.stack([sender, receiver])[:, order], shifts[order].astype(float)
