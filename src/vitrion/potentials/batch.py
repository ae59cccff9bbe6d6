"""Energies, forces and stresses of many small structures in one call of the model.

A call of a small model on a small cell is all overhead: ten cells of 12 atoms in one graph cost
little more than one of them alone.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from vitrion.potentials.mace_model import MACEModel
    from vitrion.potentials.spec import PotentialSpec


@dataclass(frozen=True)
class Evaluation:
    """What a potential says of one structure.

    Attributes
    ----------
    energy_eV : float
    forces : array (n, 3)
        In eV/A.
    stress : array (3, 3)
        In eV/A3, positive under tension (ASE's sign).
    """

    energy_eV: float
    forces: np.ndarray
    stress: np.ndarray


class BatchPotential(Protocol):
    """Evaluates lists of periodic structures."""

    def evaluate(self, systems: Sequence[Atoms]) -> list[Evaluation]:
        """Return one evaluation for each structure, in order."""
        ...


def load_batch_potential(
    potential: str | PotentialSpec | None = None,
    *,
    device: str | None = None,
    dtype: str = "float32",
    symbols: Sequence[str] | None = None,
) -> BatchPotential:
    """Load a registered potential for batches; see ``load_calculator`` for the arguments."""
    from vitrion.potentials.calculators import load_calculator

    return batched(load_calculator(potential, device=device, dtype=dtype, symbols=symbols))


def batched(calculator: Any) -> BatchPotential:
    """Return the fastest way to evaluate lists of structures with a calculator.

    MACE models (ours and mace-torch's) and CHGNet take all structures in one call; any other ASE
    calculator is asked one structure at a time.
    """
    kinds = {cls.__name__ for cls in type(calculator).__mro__}
    if "LeanMACECalculator" in kinds:
        return MACEBatch(calculator.model, calculator.elements)
    if "MACECalculator" in kinds and len(calculator.models) == 1:
        heads = list(getattr(calculator, "available_heads", None) or ["Default"])
        head = heads.index(calculator.head) if calculator.head in heads else 0
        elements = [int(z) for z in calculator.z_table.zs]
        return MACEBatch(calculator.models[0], elements, head=head)
    if "CHGNetCalculator" in kinds:
        return CHGNetBatch(calculator)
    return OneByOne(calculator)


class OneByOne:
    """Any ASE calculator, asked one structure at a time."""

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator

    def evaluate(self, systems: Sequence[Atoms]) -> list[Evaluation]:
        """Return one evaluation for each structure, in order."""
        found = []
        for atoms in systems:
            system = atoms.copy()
            system.calc = self.calculator
            energy = float(system.get_potential_energy())
            forces = np.array(system.get_forces())
            found.append(Evaluation(energy, forces, system.get_stress(voigt=False)))
        return found


class MACEBatch:
    """A MACE model, asked all structures at once as one graph of many components.

    Parameters
    ----------
    model : torch module
        As mace-torch makes them; it is copied.
    elements : sequence of int
        Atomic numbers in the order of the model.
    head : int
        Which of the model's heads to use.
    """

    def __init__(self, model: MACEModel, elements: Sequence[int], *, head: int = 0) -> None:
        from vitrion.potentials.fused import ScalarConvolution

        first = next(model.parameters())
        self.device, self.dtype = first.device, first.dtype
        # A copy: the lean calculator's model reads edges in a layout of its own.
        self.model, self.head = copy.deepcopy(model).eval(), head
        for module in self.model.modules():
            if isinstance(module, ScalarConvolution):
                module.regular = False
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.cutoff = float(model.r_max)
        self.column = np.full(120, -1)
        self.column[np.asarray(elements)] = np.arange(len(elements))
        self.n_elements = len(elements)

    def evaluate(self, systems: Sequence[Atoms]) -> list[Evaluation]:
        """Return one evaluation for each structure, in order."""
        out = self.model(self._graph(systems), compute_stress=True, compute_force=True)
        energies = out["energy"].detach().cpu().double().numpy()
        stresses = out["stress"].detach().cpu().double().numpy()
        forces = out["forces"].detach().cpu().double().numpy()
        ends = np.cumsum([len(atoms) for atoms in systems])[:-1]
        parts = np.split(forces, ends)
        return [
            Evaluation(float(energy), part, stress)
            for energy, part, stress in zip(energies, parts, stresses, strict=True)
        ]

    def _graph(self, systems: Sequence[Atoms]) -> dict[str, torch.Tensor]:
        import torch

        sizes = np.array([len(atoms) for atoms in systems])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        pairs, shifts, images = [], [], []
        for atoms, start in zip(systems, starts, strict=False):
            edges, units = neighbor_pairs(atoms, self.cutoff)
            pairs.append(edges + start)
            images.append(units)
            shifts.append(units @ atoms.cell.array)
        columns = self.column[np.concatenate([atoms.numbers for atoms in systems])]
        if columns.min() < 0:
            from vitrion.errors import InputError

            raise InputError("The potential does not know an element of these structures.")
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

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        import torch

        return torch.as_tensor(array, dtype=self.dtype, device=self.device)


def neighbor_pairs(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Return directed pairs ``(2, e)`` (sender, receiver), by receiver, and shifts ``(e, 3)``.

    The vector of a pair is ``r[receiver] - r[sender] + shift @ cell``.
    """
    from matscipy.neighbours import neighbour_list

    sender, receiver, shifts = neighbour_list("ijS", atoms, cutoff)
    order = np.argsort(receiver, kind="stable")
    return np.stack([sender, receiver])[:, order], shifts[order].astype(float)


class CHGNetBatch:
    """CHGNet, whose model takes a list of graphs.

    Parameters
    ----------
    calculator : CHGNetCalculator
    """

    def __init__(self, calculator: Any) -> None:
        self.model = calculator.model
        self.stress_unit = calculator.stress_weight

    def evaluate(self, systems: Sequence[Atoms]) -> list[Evaluation]:
        """Return one evaluation for each structure, in order."""
        from pymatgen.io.ase import AseAtomsAdaptor

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in systems]
            graphs = [self.model.graph_converter(structure) for structure in structures]
            found = self.model.predict_graph(graphs, task="efs", batch_size=len(graphs))
        found = [found] if len(graphs) == 1 else found
        scale = [len(atoms) if self.model.is_intensive else 1 for atoms in systems]
        return [
            Evaluation(
                float(values["e"]) * n_atoms,
                np.asarray(values["f"], dtype=float),
                np.asarray(values["s"], dtype=float) * self.stress_unit,
            )
            for values, n_atoms in zip(found, scale, strict=True)
        ]
