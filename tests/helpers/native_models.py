"""Models and systems for the tests of the native kernel, and torch in float64 as the reference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from matscipy.neighbours import neighbour_list

from vitrion.potentials.imbalance import imbalance_energy
from vitrion.potentials.student import build_model

HELDOUT = Path(__file__).parents[2] / "data" / "student" / "heldout.xyz.gz"
GPA = 160.21766

DESCRIPTION = {
    "r_max": 4.5,
    "num_bessel": 6,
    "num_polynomial_cutoff": 5,
    "max_ell": 3,
    "num_interactions": 2,
    "correlation": 2,
    "avg_num_neighbors": 12.0,
    "atomic_numbers": [3, 8, 15],
    "distance_transform": "Agnesi",
    "pair_repulsion": True,
    "hole_energy_eV": 0.0,
    "electron_energy_eV": 0.0,
    "radial_MLP": [16, 16],
    "hidden_irreps": "16x0e",
    "MLP_irreps": "16x0e",
    "interaction_cls": "RealAgnosticResidualInteractionBlock",
    "interaction_cls_first": "RealAgnosticResidualInteractionBlock",
}


@dataclass
class Reference:
    """What torch computes in float64."""

    energy: float
    forces: np.ndarray
    virial: np.ndarray
    features: np.ndarray
    atom_energies: np.ndarray


def random_model(seed: int = 0, channels: int = 16, **changes):
    """Return an untrained MACE module with random weights and atomic energies."""
    torch.manual_seed(seed)
    model = build_model(DESCRIPTION | changes | {"hidden_irreps": f"{channels}x0e"})
    with torch.no_grad():
        energies = model.atomic_energies_fn.atomic_energies
        energies.copy_(torch.randn_like(energies))
        model.scale_shift.scale.fill_(1.7)
        model.scale_shift.shift.fill_(0.2)
    return model


def reference(model, atoms: Atoms) -> Reference:
    """Evaluate a MACE module, in float64, without any neighbor list of vitrion's."""
    model = model.double().eval()
    known = [int(z) for z in model.atomic_numbers]
    cell = atoms.cell.array.copy()
    for axis in np.flatnonzero(~cell.any(axis=1)):
        cell[axis, axis] = 2 * np.abs(atoms.positions).max() + 20.0
    sender, receiver, shifts = neighbour_list(
        "ijS", pbc=atoms.pbc, cell=cell, positions=atoms.positions, cutoff=float(model.r_max)
    )
    one_hot = np.eye(len(known))[[known.index(z) for z in atoms.numbers]]
    tensor = {"dtype": torch.float64}
    data = {
        "positions": torch.tensor(atoms.positions, **tensor),
        "node_attrs": torch.tensor(one_hot, **tensor),
        "cell": torch.tensor(cell, **tensor),
        "edge_index": torch.tensor(np.stack([sender, receiver]), dtype=torch.long),
        "shifts": torch.tensor(shifts @ cell, **tensor),
        "unit_shifts": torch.tensor(shifts, **tensor),
        "batch": torch.zeros(len(atoms), dtype=torch.long),
        "ptr": torch.tensor([0, len(atoms)]),
        "head": torch.zeros(1, dtype=torch.long),
    }
    out = model(data, compute_virials=True, compute_stress=True)
    return Reference(
        energy=float(out["energy"]),
        forces=out["forces"].detach().numpy(),
        virial=-out["virials"].detach().numpy().reshape(3, 3),
        features=out["node_feats"].detach().numpy(),
        atom_energies=out["node_energy"].detach().numpy(),
    )


def imbalance(model, atoms: Atoms) -> float:
    """Return the energy of holes or electrons, which the energies of the atoms exclude."""
    return imbalance_energy(atoms.numbers, model.hole_energy_eV, model.electron_energy_eV)


def random_cell(
    seed: int, numbers: list[int], n: int, volume: float = 14.0, shortest: float = 1.3
) -> Atoms:
    """Return atoms at random in a random triclinic cell, no two closer than ``shortest``."""
    rng = np.random.default_rng(seed)
    while True:
        cell = np.eye(3) + rng.uniform(-0.35, 0.35, (3, 3))
        cell *= (n * volume / abs(np.linalg.det(cell))) ** (1 / 3)
        atoms = Atoms(rng.choice(numbers, n), cell=cell, pbc=True)
        for _ in range(200):
            atoms.set_scaled_positions(rng.random((n, 3)))
            near = neighbour_list("d", atoms, 1.01 * shortest)
            if near.size == 0 or near.min() > shortest:
                return atoms
            if n > 6:
                _push_apart(atoms, shortest)
                return atoms


def _push_apart(atoms: Atoms, shortest: float) -> None:
    for _ in range(2000):
        i, j, d, vectors = neighbour_list("ijdD", atoms, 1.05 * shortest)
        if not len(i):
            return
        push = 0.25 * (1.1 * shortest - d)[:, None] * vectors / d[:, None]
        np.add.at(atoms.positions, i, -push)
        np.add.at(atoms.positions, j, push)
    raise AssertionError("The atoms cannot be pushed apart.")


def heldout(step: int = 1) -> list[Atoms]:
    """Return the frames that the shipped student was never trained on."""
    return [atoms.copy() for atoms in _all_heldout()[::step]]


@cache
def _all_heldout() -> list[Atoms]:
    return read(HELDOUT, ":")
