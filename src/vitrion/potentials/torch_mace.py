"""MACE models in torch: models without native support, float64, and other devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from vitrion.potentials.devices import evaluation_in_torch
from vitrion.potentials.fused import fuse
from vitrion.potentials.mace_graphs import MACEGraphs

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel


class TorchMACECalculator(Calculator):
    """Energies (eV), forces (eV/A) and, on request, stress (eV/A3) of a MACE module.

    Parameters
    ----------
    model
        A ``ScaleShiftMACE`` module with one head; it is changed in place (message sums fused,
        gradients of its parameters switched off).
    device, dtype
        Device and precision (``float32`` or ``float64``).
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self, model: MACEModel, *, device: str = "cpu", dtype: str = "float32", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        torch.set_num_threads(1)  # two processes of two threads ran 17 times slower than of one
        kind = {"float32": torch.float32, "float64": torch.float64}[dtype]
        self.model = fuse(model).to(device=torch.device(device), dtype=kind).eval()
        self.evaluation = evaluation_in_torch(device)
        self.elements = [int(z) for z in model.atomic_numbers]
        self.graphs = MACEGraphs(self.model, self.elements)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate the model once.

        Raises
        ------
        InputError
            If the model does not know an element.
        """
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None  # ASE keeps the atoms of the last call
        stress = "stress" in (properties or ())
        out = self.model(self.graphs.graph([self.atoms]), compute_stress=stress)
        energy = float(out["energy"].item())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": out["forces"].detach().cpu().numpy().astype(np.float64),
        }
        if stress:
            tensor = out["stress"].detach().cpu().numpy().astype(np.float64)
            self.results["stress"] = full_3x3_to_voigt_6_stress(tensor.reshape(3, 3))

    def node_features(self, atoms: Atoms) -> np.ndarray:
        """Return the invariant features of every atom, ``(n_atoms, features)``."""
        with torch.enable_grad():
            out = self.model(self.graphs.graph([atoms]), compute_force=False)
        return out["node_feats"].detach().cpu().numpy().astype(np.float64)
