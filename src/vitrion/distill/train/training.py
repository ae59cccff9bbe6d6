"""Train a student, or fine-tune a foundation model, on labelled frames in one restartable phase.

A phase fits the frames that it selects. The next phase begins with the weights of the last one, in
another folder, with other settings and possibly more frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from vitrion.distill.data.frames import ENERGY_WEIGHT, low_energies, split, within
from vitrion.distill.data.origin import claim, digest_of_files, digest_of_labels
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.fit import STATE, fit, fitted_file
from vitrion.distill.train.fit_model import load_model, save_model
from vitrion.distill.train.fit_settings import FitSettings
from vitrion.distill.train.initial_weights import (
    elements_of,
    initial_student,
    random_student,
    with_energies,
)
from vitrion.errors import InputError
from vitrion.potentials.calculators import model_file
from vitrion.potentials.devices import torch_device
from vitrion.potentials.student import SUFFIX, load_student
from vitrion.settings import DEVICE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel


class TrainingSettings(FitSettings):
    """Settings of a phase: which frames are fitted, and how."""

    device: str = Field(
        "cpu", pattern=DEVICE_PATTERN, description="Device: cpu, cuda, cuda:1 or auto."
    )
    emphasis: dict[str, float] = Field(
        default_factory=dict,
        description="Weights of the energies of frames whose config_type contains the key.",
    )
    validation_fraction: float = Field(
        0.07, gt=0, lt=1, description="Fraction of the frames that is not fitted."
    )
    largest_force_eV_per_A: float = Field(
        25.0, gt=0, description="Frames with a larger force component are skipped."
    )
    highest_energy_eV_per_atom: float = Field(
        5.0, gt=0, description="Frames further above the lowest of their composition are skipped."
    )


FINE_TUNING = TrainingSettings(learning_rate=1e-4, last_learning_rate=1e-5)
"""Default settings of :func:`fine_tune`: small steps."""


def train(
    frames: Sequence[Atoms],
    directory: Path,
    settings: TrainingSettings | None = None,
    begin: Architecture | Path | None = None,
    *,
    workers: int = 1,
) -> Path:
    """Train a student, resume an interrupted training, or return the result of a finished one.

    Parameters
    ----------
    frames
        Labelled frames.
    directory
        Folder of this phase only.
    settings
        The phase.
    begin
        An architecture begins with random weights; None is the architecture of the shipped
        student. A student file begins with its weights; an element that it does not know begins
        with the weights of a similar element. The pickle of a MACE model is fine-tuned.
    workers
        Processes that share each step.

    Returns
    -------
    Path
        The student file, or the pickle of the fine-tuned model.

    Raises
    ------
    InputError
        If no frames are left after filtering, or the directory holds a training with other
        settings, initial weights or labels.
    SimulationError
        If a process fails; the message contains its last output.
    """
    settings, begin = settings or TrainingSettings(), begin or Architecture()
    device = torch_device(settings.device)
    fitted, _ = usable(frames, settings)
    is_pickle = isinstance(begin, Path) and begin.suffix != SUFFIX
    initial = directory / f"initial{'.model' if is_pickle else SUFFIX}"
    made = [fitted_file(initial), directory / STATE]
    claim(directory / "training.json", _origin(frames, settings, begin), made)
    if not any(path.exists() for path in made):
        save_model(with_energies(_initial_model(begin, frames, settings.seed), fitted), initial)
    return fit(
        [emphasized(a, settings.emphasis) for a in fitted],
        initial,
        directory,
        settings,
        workers=workers,
        device=device,
    )


def fine_tune(
    frames: Sequence[Atoms],
    directory: Path,
    foundation: str,
    settings: TrainingSettings = FINE_TUNING,
    *,
    workers: int = 1,
) -> Path:
    """Fine-tune a MACE foundation model on labelled frames instead of training a student.

    Parameters
    ----------
    frames, directory, settings, workers
        As in :func:`train`.
    foundation
        Name as a potential: ``mace:medium-mpa-0`` is downloaded, ``mace:<file>`` needs the hash of
        a pickle or the permission to load pickles.

    Returns
    -------
    Path
        The fine-tuned model; its name as a potential is ``mace:<path>``.

    Raises
    ------
    InputError, SimulationError
        As in :func:`train`; InputError also if the foundation model is missing or not trusted.
    PotentialError
        If the foundation model cannot be downloaded.
    """
    return train(frames, directory, settings, model_file(foundation), workers=workers)


def usable(frames: Sequence[Atoms], settings: TrainingSettings) -> tuple[list[Atoms], list[Atoms]]:
    """Return the frames that a phase fits, and those that it keeps out.

    Raises
    ------
    InputError
        If there are too few frames for one of the two.
    """
    kept = within(frames, settings.largest_force_eV_per_A)
    kept = low_energies(kept, settings.highest_energy_eV_per_atom)
    fitted, kept_out = split(kept, settings.validation_fraction)
    if not fitted or not kept_out:
        raise InputError(f"{len(kept)} usable frames are too few for training: label more.")
    return fitted, kept_out


def emphasized(atoms: Atoms, emphasis: dict[str, float]) -> Atoms:
    """Return a copy with the largest weight of the keys in its config_type, 1 without any."""
    name = str(atoms.info.get("config_type", ""))
    weights = [weight for key, weight in emphasis.items() if key in name]
    out = atoms.copy()
    out.info[ENERGY_WEIGHT] = max(weights, default=1.0)
    return out


def _origin(
    frames: Sequence[Atoms], settings: TrainingSettings, begin: Architecture | Path
) -> dict[str, Any]:
    """Return the inputs that determine the result of a phase, for its record."""
    own = {
        "settings": settings.model_dump(mode="json", exclude={"device"}),
        "labels": digest_of_labels(frames),
    }
    if isinstance(begin, Architecture):
        return {**own, "architecture": begin.model_dump(mode="json")}
    return {**own, "initial weights": digest_of_files(begin)}


def _initial_model(begin: Architecture | Path, frames: Sequence[Atoms], seed: int) -> MACEModel:
    if isinstance(begin, Architecture):
        return random_student(begin, frames, seed)
    if begin.suffix == SUFFIX:
        return initial_student(load_student(begin), elements_of(frames), seed)
    return load_model(begin)
