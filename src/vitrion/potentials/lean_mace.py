"""An ASE calculator for small MACE models that does per step only what a step needs.

Against ``mace.calculators.MACECalculator``: the stress only when it is asked for; the neighbor list
with a skin, made anew only after atoms have moved by half of it; species encoded once per run; the
message sum fused, over edges laid out so that none need be gathered (see
:mod:`vitrion.potentials.fused`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from matscipy.neighbours import neighbour_list

from vitrion.errors import InputError
from vitrion.potentials.fused import ScalarConvolution, fuse, regular_edges

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel


class NeighborList:
    """Directed pairs within a cutoff; the list with a skin is kept until atoms moved too far."""

    def __init__(self, cutoff: float, skin: float = 0.5) -> None:
        self.cutoff = cutoff
        self.skin = skin
        self._positions: np.ndarray | None = None

    def update(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs ``(2, e)`` (sender, receiver) and their cell shifts ``(e, 3)``.

        The displacement vector of a pair is ``r[receiver] - r[sender] + shifts @ cell``.
        """
        cell = atoms.cell.array
        if self._stale(atoms, cell):
            first, second, shifts = neighbour_list(
                "ijS",
                pbc=atoms.pbc,
                cell=_bounded(atoms),
                positions=atoms.positions,
                cutoff=self.cutoff + self.skin,
            )
            by_receiver = np.argsort(second, kind="stable")
            self._pairs = np.stack([first, second])[:, by_receiver]
            self._shifts = shifts[by_receiver].astype(float)
            self._positions, self._cell = atoms.positions.copy(), cell.copy()
            self._pbc, self._numbers = atoms.pbc.copy(), atoms.numbers.copy()
        sender, receiver = self._pairs
        vectors = atoms.positions[receiver] - atoms.positions[sender] + self._shifts @ cell
        near = np.einsum("ij,ij->i", vectors, vectors) < self.cutoff**2
        return self._pairs[:, near], self._shifts[near]

    def _stale(self, atoms: Atoms, cell: np.ndarray) -> bool:
        if self._positions is None or len(self._positions) != len(atoms):
            return True
        if not (np.array_equal(cell, self._cell) and np.array_equal(atoms.pbc, self._pbc)):
            return True
        moved = atoms.positions - self._positions
        return np.einsum("ij,ij->i", moved, moved).max() > (0.5 * self.skin) ** 2


def _bounded(atoms: Atoms) -> np.ndarray:
    """Return the cell, with a vector that spans the atoms wherever it has none."""
    cell = atoms.cell.array.copy()
    for axis in np.flatnonzero(~cell.any(axis=1)):
        cell[axis, axis] = 2 * np.abs(atoms.positions).max() + 10.0
    return cell


class LeanMACECalculator(Calculator):
    """Energies (eV), forces (eV/A) and, where asked for, stress (eV/A3) of a MACE model.

    Parameters
    ----------
    model
        A ``ScaleShiftMACE`` module with one head; it is changed in place (message sums fused,
        gradients of its parameters switched off).
    device, dtype
        Where and in which precision (``float32`` or ``float64``) it runs.
    skin
        Skin of the neighbor list in A.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self,
        model: MACEModel,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        skin: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dtype = {"float32": torch.float32, "float64": torch.float64}[dtype]
        self.device = torch.device(device)
        self.model = fuse(model).to(device=self.device, dtype=self.dtype).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        sums = [m for m in self.model.modules() if isinstance(m, ScalarConvolution)]
        self._regular = len(sums) == len(self.model.interactions)
        for message_sum in sums:
            message_sum.regular = self._regular
        self.elements = [int(z) for z in model.atomic_numbers]
        self._neighbors = NeighborList(float(model.r_max), skin)
        self._static: dict[str, torch.Tensor] = {}
        self._numbers: np.ndarray | None = None

    def reset(self) -> None:
        """Forget earlier calls, the neighbor list too: its order leaves a trace in the bits."""
        super().reset()
        self._neighbors = NeighborList(self._neighbors.cutoff, self._neighbors.skin)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate the model once."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # ASE keeps those of the last call
        stress = "stress" in (properties or ())
        out = self.model(self.graph(self.atoms), compute_stress=stress)
        energy = float(out["energy"].item())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": out["forces"].detach().cpu().numpy().astype(np.float64),
        }
        if stress:
            tensor = out["stress"].detach().cpu().numpy().astype(np.float64)
            self.results["stress"] = full_3x3_to_voigt_6_stress(tensor.reshape(3, 3))

    def graph(self, atoms: Atoms) -> dict[str, torch.Tensor]:
        """Return the tensors that the model reads: one graph, pairs sorted by receiver.

        Raises
        ------
        InputError
            If the model does not know an element.
        """
        if self._numbers is None or not np.array_equal(atoms.numbers, self._numbers):
            self._static = self._encode(atoms.numbers)
            self._numbers = atoms.numbers.copy()
        pairs, shifts = self._neighbors.update(atoms)
        cell = atoms.cell.array
        vectors = shifts @ cell
        if self._regular:
            pairs, vectors = regular_edges(pairs, vectors, len(atoms), self._neighbors.cutoff)
            shifts = vectors @ np.linalg.pinv(cell)  # the model strains cells through these
        return {
            **self._static,
            "positions": self._tensor(atoms.positions),
            "cell": self._tensor(cell),
            "edge_index": torch.from_numpy(pairs).to(self.device, torch.long),
            "shifts": self._tensor(vectors),
            "unit_shifts": self._tensor(shifts),
        }

    def node_features(self, atoms: Atoms) -> np.ndarray:
        """Return the invariant features of every atom, ``(n_atoms, features)``."""
        with torch.enable_grad():
            out = self.model(self.graph(atoms), compute_force=False)
        return out["node_feats"].detach().cpu().numpy().astype(np.float64)

    def _encode(self, numbers: np.ndarray) -> dict[str, torch.Tensor]:
        unknown = sorted(set(numbers.tolist()) - set(self.elements))
        if unknown:
            raise InputError(f"This potential does not know the atomic numbers {unknown}.")
        one_hot = np.asarray(self.elements)[None, :] == numbers[:, None]
        n_atoms = len(numbers)
        return {
            "node_attrs": self._tensor(one_hot),
            "batch": torch.zeros(n_atoms, dtype=torch.long, device=self.device),
            "ptr": torch.tensor([0, n_atoms], device=self.device),
            "head": torch.zeros(1, dtype=torch.long, device=self.device),
        }

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device)
