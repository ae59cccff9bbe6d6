"""Initial weights of a student: random, or carried over from another student to its elements.

Radial functions, message weights and readouts do not depend on the element. An element that the
shipped student does not know begins with the weights of the most similar known element, with a
small random change so that two elements of the same origin can separate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.distill.data.frames import ENERGY, FORCES, fit_atomic_energies
from vitrion.potentials.imbalance import FORMAL_CHARGES
from vitrion.potentials.student import (
    DERIVED,
    build_model,
    describe_model,
    fill_model,
    load_student,
    save_student,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from ase import Atoms

    from vitrion.distill.train.architecture import Architecture
    from vitrion.potentials.mace_model import MACEModel

NOISE = 0.05
"""Relative random change of the weights of a new element."""


def random_student(architecture: Architecture, frames: Sequence[Atoms], seed: int) -> MACEModel:
    """Return a student of the elements of labelled frames with random weights.

    Its output is scaled by the root mean square of the forces, as in ``mace_run_train``.

    Parameters
    ----------
    architecture
        Size of the student.
    frames
        Labelled frames.
    seed
        Seed of the weights.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_model(architecture.description(elements_of(frames)))
    forces = np.concatenate([atoms.arrays[FORCES].ravel() for atoms in frames])
    with torch.no_grad():
        model.scale_shift.scale.fill_(float(np.sqrt(np.mean(forces**2))) or 1.0)
    return model


def elements_of(frames: Sequence[Atoms]) -> list[int]:
    """Return the atomic numbers of the elements of frames, ascending."""
    return sorted({int(z) for atoms in frames for z in atoms.numbers})


def initial_student(model: MACEModel, elements: Sequence[int], seed: int) -> MACEModel:
    """Return a student of other elements that begins with the weights of a student.

    For elements that the student knows, energies and forces are its own.

    Parameters
    ----------
    model
        A student.
    elements
        Atomic numbers, ascending.
    seed
        Seed of the random change of new elements.
    """
    known = [int(z) for z in model.atomic_numbers]
    sources = [known.index(most_similar(z, known)) for z in elements]
    description = describe_model(model) | {"atomic_numbers": list(elements)}
    if not set(elements) <= FORMAL_CHARGES.keys():
        description |= {"hole_energy_eV": 0.0, "electron_energy_eV": 0.0}
    new = build_model(description)
    weights = {
        key: value
        for key, value in model.state_dict().items()
        if not any(part in key for part in DERIVED)
    }
    rng = np.random.default_rng(seed)
    is_new = np.array([z not in known for z in elements])
    for key, value in weights.items():
        weights[key] = _carried_over(key, value, sources, is_new, len(known), rng)
    weights["atomic_numbers"] = new.state_dict()["atomic_numbers"]
    return fill_model(new, weights, "the initial student")


def most_similar(atomic_number: int, known: Sequence[int]) -> int:
    """Return the known element nearest in group, period and electronegativity."""
    from pymatgen.core import Element

    def place(z: int) -> tuple[float, float, float]:
        element = Element.from_Z(z)
        electronegativity = element.X if np.isfinite(element.X) else 1.5
        return float(element.group), float(element.row), float(electronegativity)

    group, row, electronegativity = place(atomic_number)

    def distance(z: int) -> float:
        other = place(z)
        groups = min(abs(group - other[0]), 4.0)
        return groups + 0.2 * abs(row - other[1]) + abs(electronegativity - other[2])

    return min(known, key=distance)


def with_energies(model: MACEModel, frames: Sequence[Atoms]) -> MACEModel:
    """Shift the energies of the free atoms so that the model fits the frames' energies best.

    Elements that no frame contains keep theirs.
    """
    import torch

    missing = missing_energies(model, frames)
    with torch.no_grad():
        energies = model.atomic_energies_fn.atomic_energies.view(-1)
        for index, z in enumerate(model.atomic_numbers.tolist()):
            energies[index] += missing.get(z, 0.0)
    return model


def missing_energies(model: MACEModel, frames: Sequence[Atoms]) -> dict[int, float]:
    """Fit one energy per element (eV) to the labels of frames minus the energies of a model."""
    from vitrion.potentials.evaluation import calculator_of

    calculator = calculator_of(model)
    rest = [atoms.copy() for atoms in frames]
    for atoms in rest:
        atoms.info[ENERGY] = float(atoms.info[ENERGY] - calculator.get_potential_energy(atoms))
    return fit_atomic_energies(rest)


def write_initial_student(
    begin: Path, frames: Sequence[Atoms], elements: Sequence[int], path: Path, seed: int
) -> Path:
    """Write the initial student of some elements, with energies fitted to labelled frames."""
    model = initial_student(load_student(begin), elements, seed)
    save_student(with_energies(model, frames), path)
    return path


def _carried_over(
    key: str,
    value: torch.Tensor,
    sources: list[int],
    is_new: np.ndarray,
    n_known: int,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Return the weights of the elements ``sources`` in the layout for their number.

    e3nn divides sums over elements by the square root of their number; the weights make up for it.
    """
    n = len(sources)
    if key.endswith("node_embedding.linear.weight"):
        rows = value.reshape(n_known, -1)[sources] * (n / n_known) ** 0.5
        return _changed(rows, 0, is_new, rng).reshape(-1)
    if ".skip_tp.weight" in key:
        channels = round((value.numel() / n_known) ** 0.5)
        rows = value.reshape(channels, n_known, channels)[:, sources] * (n / n_known) ** 0.5
        return _changed(rows, 1, is_new, rng).reshape(-1)
    if ".symmetric_contractions." in key and value.dim() == 3:
        return _changed(value[sources], 0, is_new, rng)
    if key.endswith("atomic_energies_fn.atomic_energies"):
        return value.reshape(1, n_known)[:, sources].clone()
    return value.clone()


def _changed(
    rows: torch.Tensor, axis: int, is_new: np.ndarray, rng: np.random.Generator
) -> torch.Tensor:
    """Return the weights with random changes for new elements."""
    import torch

    shape = [1] * rows.dim()
    shape[axis] = len(is_new)
    size = NOISE * float(rows.std()) * is_new.reshape(shape)
    return rows + torch.as_tensor(size * rng.normal(size=rows.shape), dtype=rows.dtype)


def write_with_energies(begin: Path, frames: Sequence[Atoms], path: Path) -> Path:
    """Write a student with energies of the free atoms refitted to labelled frames."""
    save_student(with_energies(load_student(begin), frames), path)
    return path
