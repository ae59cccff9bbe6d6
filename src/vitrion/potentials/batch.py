"""Energies, forces and stresses of many small structures in one call of the model.

A call of a small model on a small cell is all overhead: ten cells of 12 atoms in one graph cost
little more than one of them alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase.calculators.calculator import all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from vitrion.errors import InputError
from vitrion.potentials.devices import evaluation_in_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from vitrion.potentials.mace_graphs import MACEGraphs
    from vitrion.potentials.native import NativeCalculator, Workspace
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
        In eV/A3, positive under tension (ASE's sign); NaN if it was not requested.
    """

    energy_eV: float
    forces: np.ndarray
    stress: np.ndarray


UNKNOWN = np.full((3, 3), np.nan)
"""Stress that was not requested."""


class BatchPotential(Protocol):
    """Evaluates lists of periodic structures."""

    def evaluate(self, systems: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Return one evaluation for each structure, in order; the stress on request."""
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

    MACE models (native or in torch) and CHGNet take all structures in one call; any other ASE
    calculator is asked one structure at a time.
    """
    kinds = {cls.__name__ for cls in type(calculator).__mro__}
    if "NativeCalculator" in kinds:
        return NativeBatch(calculator)
    if "TorchMACECalculator" in kinds:
        return MACEBatch(calculator.graphs)
    if "MACECalculator" in kinds and len(calculator.models) == 1:
        heads = list(getattr(calculator, "available_heads", None) or ["Default"])
        from vitrion.potentials.mace_graphs import MACEGraphs

        head = heads.index(calculator.head) if calculator.head in heads else 0
        elements = [int(z) for z in calculator.z_table.zs]
        return MACEBatch(MACEGraphs(calculator.models[0], elements, head=head))
    if "CHGNetCalculator" in kinds:
        return CHGNetBatch(calculator)
    return OneByOne(calculator)


class OneByOne:
    """Any ASE calculator with stress, called once for each structure."""

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator

    def evaluate(self, systems: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Return one evaluation for each structure, in order; see :class:`BatchPotential`."""
        wanted = ["energy", "forces", *(["stress"] if stress else [])]
        found = []
        for atoms in systems:
            # One call for all properties: asked for the energy alone, some skip the stress.
            self.calculator.calculate(atoms.copy(), wanted, all_changes)
            results = self.calculator.results
            energy, forces = float(results["energy"]), np.array(results["forces"], dtype=float)
            found.append(Evaluation(energy, forces, self._stress() if stress else UNKNOWN))
        return found

    def _stress(self) -> np.ndarray:
        if "stress" not in self.calculator.results:
            raise InputError(
                f"{type(self.calculator).__name__} does not implement stress, which relaxations "
                "and constant pressure need: use another calculator."
            )
        stress = np.asarray(self.calculator.results["stress"], dtype=float)
        return voigt_6_to_full_3x3_stress(stress) if stress.size == 6 else stress


class NativeBatch:
    """The native kernel, which takes all structures in one call.

    Parameters
    ----------
    calculator : NativeCalculator
    """

    def __init__(self, calculator: NativeCalculator) -> None:
        self.calculator = calculator
        self._workspace: Workspace | None = None

    def evaluate(self, systems: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Return one evaluation for each structure, in order; see :class:`BatchPotential`.

        A structure that cannot be evaluated, for instance because two of its atoms are closer than
        0.3 A, has values that are not a number and does not stop the others.
        """
        from vitrion.potentials.native import Workspace

        model = self.calculator.model(np.concatenate([atoms.numbers for atoms in systems]))
        if self._workspace is None:
            self._workspace = Workspace(model.library)
        found = self._workspace.evaluate(model, systems, virials=stress)
        assert found.forces is not None
        stresses = [UNKNOWN] * len(systems)
        if found.virials is not None:
            stresses = [
                0.5 * (virial + virial.T) / atoms.get_volume()
                for virial, atoms in zip(found.virials, systems, strict=True)
            ]
        return _evaluations(systems, found.energies, found.forces, stresses)


class MACEBatch:
    """A MACE model in torch, asked all structures at once as one graph of many components.

    Parameters
    ----------
    graphs : MACEGraphs
    """

    def __init__(self, graphs: MACEGraphs) -> None:
        self.graphs = graphs

    @property
    def evaluation(self) -> str:
        """Implementation that evaluates the potential."""
        name = evaluation_in_torch(self.graphs.device.type)
        if not self.graphs.on_device:
            return name
        return f"{name}, neighbor lists of torch-sim {version('torch-sim-atomistic')}"

    def evaluate(self, systems: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Return one evaluation for each structure, in order; see :class:`BatchPotential`."""
        graph = self.graphs.graph(systems)
        out = self.graphs.model(graph, compute_stress=stress, compute_force=True)
        energies, forces = (
            out[key].detach().cpu().double().numpy() for key in ("energy", "forces")
        )
        stresses = [UNKNOWN] * len(systems)
        if stress:
            stresses = list(out["stress"].detach().cpu().double().numpy())
        return _evaluations(systems, energies, forces, stresses)


def _evaluations(
    systems: Sequence[Atoms],
    energies: np.ndarray,
    forces: np.ndarray,
    stresses: Sequence[np.ndarray],
) -> list[Evaluation]:
    """Return the evaluation of each structure from the concatenated forces of all."""
    ends = np.cumsum([len(atoms) for atoms in systems])[:-1]
    parts = np.split(forces, ends)
    return [
        Evaluation(float(energy), part, tensor)
        for energy, part, tensor in zip(energies, parts, stresses, strict=True)
    ]


class CHGNetBatch:
    """CHGNet, whose model takes a list of graphs.

    Parameters
    ----------
    calculator : CHGNetCalculator
    """

    def __init__(self, calculator: Any) -> None:
        self.model = calculator.model
        self.stress_unit = calculator.stress_weight

    def evaluate(self, systems: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Return one evaluation for each structure, in order; the stress is always computed."""
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
