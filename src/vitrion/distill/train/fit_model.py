"""Files of models that a fit can change: students, and pickled MACE models of other sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from vitrion.errors import InputError
from vitrion.potentials.mace_import import import_mace
from vitrion.potentials.student import SUFFIX, load_student, save_student
from vitrion.runtime.atomic import replace_durably

if TYPE_CHECKING:
    from pathlib import Path

    from vitrion.potentials.mace_model import MACEModel


def load_model(path: Path) -> MACEModel:
    """Return a model in float32 on the CPU, by the suffix of its file.

    Parameters
    ----------
    path
        Student file, or a pickle that the caller trusts.

    Raises
    ------
    InputError
        If a pickle does not hold a ``ScaleShiftMACE`` with one head.
    PotentialError
        If a student file is missing or broken.
    """
    if path.suffix == SUFFIX:
        from vitrion.potentials.fused import fuse

        return fuse(load_student(path))
    import_mace()
    import torch
    from mace.modules import ScaleShiftMACE

    model = torch.load(path, map_location="cpu", weights_only=False)
    if not isinstance(model, ScaleShiftMACE) or len(getattr(model, "heads", ["Default"])) > 1:
        raise InputError(f"{path} does not hold a ScaleShiftMACE model with one head.")
    return cast("MACEModel", model.float())


def save_model(model: MACEModel, path: Path) -> None:
    """Write a model atomically, as a student file or a pickle by the suffix."""
    if path.suffix == SUFFIX:
        save_student(model, path)
        return
    import torch

    partial = path.with_suffix(".partial")
    torch.save(model, partial)
    replace_durably(partial, path)
