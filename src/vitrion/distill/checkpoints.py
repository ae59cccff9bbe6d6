"""Find and change checkpoints of ``mace_run_train``, and build models from them.

Checkpoints are pickles, read only from directories in which a training wrote them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vitrion.errors import InputError
from vitrion.potentials.student import DERIVED

if TYPE_CHECKING:
    from pathlib import Path

    from vitrion.distill.architecture import Architecture
    from vitrion.potentials.mace_model import MACEModel


def latest_checkpoint(directory: Path) -> Path | None:
    """Return the newest checkpoint of a training directory, or None."""
    found = sorted((directory / "checkpoints").glob("*_epoch-*.pt"), key=epoch_of)
    return found[-1] if found else None


def epoch_of(checkpoint: Path) -> int:
    """Return the epoch in the name of a checkpoint, or -1."""
    match = re.search(r"_epoch-(\d+)", checkpoint.name)
    return int(match.group(1)) if match else -1


def set_schedule(
    checkpoint: Path, learning_rate: float, decay: float, *, fresh: bool = False
) -> None:
    """Write another step size and decay into a checkpoint.

    ``fresh`` resets the state of Adam. Otherwise amsgrad would divide all later steps by the large
    gradients of the first epochs.
    """
    import torch

    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    groups = content["optimizer"]["param_groups"]
    for group in groups:
        group["lr"] = group["initial_lr"] = learning_rate
        if fresh:
            group["amsgrad"] = False
    if fresh:
        content["optimizer"]["state"] = {}
    rates = [learning_rate] * len(groups)
    content["lr_scheduler"] = {
        "gamma": decay,
        "base_lrs": rates,
        "last_epoch": 0,
        "_step_count": 1,
        "_last_lr": rates,
    }
    _save(content, checkpoint)


def load_checkpoint(checkpoint: Path, architecture: Architecture) -> MACEModel:
    """Return the model of a checkpoint."""
    import torch

    from vitrion.potentials.student import build_model, fill_model

    weights = torch.load(checkpoint, map_location="cpu", weights_only=False)["model"]
    elements = [int(z) for z in weights["atomic_numbers"]]
    model = build_model(architecture.description(elements))
    return fill_model(model, weights, str(checkpoint))


def replace_weights(checkpoint: Path, model: MACEModel) -> None:
    """Write the weights of a student of the same size into a checkpoint, and reset Adam.

    The atomic energies of the checkpoint are kept: they follow from the labels.

    Raises
    ------
    InputError
        If the student has other elements or another size.
    """
    import torch

    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights, own = content["model"], model.state_dict()
    for key, value in weights.items():
        if any(part in key for part in (*DERIVED, "atomic_energies")):
            continue
        if key not in own or own[key].numel() != value.numel():
            raise InputError(f"The student does not fit the checkpoint {checkpoint}: see {key}.")
        weights[key] = own[key].reshape(value.shape).to(value.dtype).clone()
    content["optimizer"]["state"] = {}
    _save(content, checkpoint)


def _save(content: dict[str, Any], checkpoint: Path) -> None:
    import torch

    partial = checkpoint.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(checkpoint)
