"""Write a student file and its data card from a trained model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ase.data import chemical_symbols

from vitrion.potentials.evaluation import calculator_of
from vitrion.potentials.student import save_student
from vitrion.potentials.trust import FeatureStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel


def release(
    model: MACEModel,
    training: Sequence[Atoms],
    kept_out: Sequence[Atoms],
    path: Path,
    card: dict[str, Any],
) -> str:
    """Write ``path`` (safetensors) and its card (same name, ``.json``).

    Parameters
    ----------
    model
        The trained model.
    training
        Training frames, for the statistics that detect extrapolation.
    kept_out
        Validation frames, which determine the extrapolation threshold.
    path
        Target, ending in ``.safetensors``.
    card
        Entries of the card: version, functional, training_set, license, citation, and others such
        as the validation table.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    elements = [int(z) for z in model.atomic_numbers]
    calculator: Any = calculator_of(model)

    def features(frames: Sequence[Atoms]) -> list[tuple]:
        return [(atoms.numbers, calculator.node_features(atoms)) for atoms in frames]

    statistics = FeatureStatistics.fit(features(training), features(kept_out), elements)
    sha256 = save_student(model, path, statistics.tensors())
    entries = {
        "sha256": sha256,
        "elements": [chemical_symbols[z] for z in elements],
        "cutoff_A": float(model.r_max),
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_frames": len(training),
        "training_atoms": sum(len(atoms) for atoms in training),
        **card,
    }
    path.with_suffix(".json").write_text(json.dumps(entries, indent=2) + "\n")
    return sha256
