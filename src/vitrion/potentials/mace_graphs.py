"""Input graphs of MACE models in torch: atoms, pairs within the cutoff, periodic images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from matscipy.neighbours import neighbour_list

from vitrion.errors import InputError
from vitrion.potentials import device_neighbors

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

    Attributes
    ----------
    on_device : bool
        Whether the device of the model computes the neighbor lists (torch-sim) instead of the CPU:
        on a GPU with torch-sim installed.
    """

    def __init__(
        self,
        model: MACEModel,
        elements: Sequence[int],
        *,
        head: int = 0,
    ) -> None:
        first = next(model.parameters())
        self.device, self.dtype = first.device, first.dtype
        self.model, self.head = model.eval(), head
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.cutoff = float(model.r_max)
        self.column = np.full(120, -1)
        self.column[np.asarray(elements)] = np.arange(len(elements))
        self.n_elements = len(elements)
        self.on_device = self.device.type != "cpu" and device_neighbors.is_available()
        self._atoms: tuple[list[np.ndarray], dict[str, torch.Tensor]] = [], {}

    def graph(self, systems: Sequence[Atoms]) -> dict[str, torch.Tensor]:
        """Return one graph that has the structures as its components.

        Raises
        ------
        InputError
            If the model does not know an element.
        """
        graph = {
            "positions": self._tensor(np.concatenate([atoms.positions for atoms in systems])),
            "cell": self._tensor(np.concatenate([atoms.cell.array for atoms in systems])),
            **self._nodes([atoms.numbers for atoms in systems]),
        }
        pairs = self._device_pairs if self.on_device else self._host_pairs
        graph["edge_index"], graph["unit_shifts"], graph["shifts"] = pairs(systems, graph)
        return graph

    def _nodes(self, numbers: list[np.ndarray]) -> dict[str, torch.Tensor]:
        """Return the tensors that depend on the elements alone; kept for the next call."""
        known, tensors = self._atoms
        if len(known) == len(numbers) and all(map(np.array_equal, known, numbers)):
            return tensors
        sizes = np.array([len(each) for each in numbers])
        columns = self._columns(np.concatenate(numbers))
        tensors = {
            "node_attrs": self._tensor(np.eye(self.n_elements)[columns]),
            "batch": self._long(np.repeat(np.arange(len(sizes)), sizes)),
            "ptr": self._long(np.concatenate([[0], np.cumsum(sizes)])),
            "head": self._long(np.full(len(sizes), self.head)),
        }
        self._atoms = [each.copy() for each in numbers], tensors
        return tensors

    def _host_pairs(
        self, systems: Sequence[Atoms], graph: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return pairs and shifts from the neighbor lists of matscipy."""
        pairs, shifts, images, start = [], [], [], 0
        for atoms in systems:
            edges, units = neighbor_pairs(atoms, self.cutoff)
            pairs.append(edges + start)
            images.append(units)
            shifts.append(units @ atoms.cell.array)
            start += len(atoms)
        return (
            self._long(np.concatenate(pairs, axis=1)),
            self._tensor(np.concatenate(images)),
            self._tensor(np.concatenate(shifts)),
        )

    def _device_pairs(
        self, systems: Sequence[Atoms], graph: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return pairs and shifts from the neighbor lists of torch-sim."""
        pbc = torch.as_tensor(np.array([atoms.pbc for atoms in systems]), device=self.device)
        cells = graph["cell"].view(-1, 3, 3)
        return device_neighbors.device_pairs(
            graph["positions"], cells, pbc, graph["batch"], self.cutoff
        )

    def _columns(self, numbers: np.ndarray) -> np.ndarray:
        columns = self.column[numbers]
        if columns.min() < 0:
            unknown = sorted(set(numbers[columns < 0].tolist()))
            raise InputError(f"This potential does not know the atomic numbers {unknown}.")
        return columns

    def _long(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.long, device=self.device)

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
