"""Train a student by ``mace_run_train`` in a restartable subprocess.

A training consists of phases with different settings and possibly more frames;
:mod:`vitrion.distill.checkpoints` transfers the weights to the next phase.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from vitrion.distill.architecture import Architecture
from vitrion.distill.checkpoints import (
    epoch_of,
    latest_checkpoint,
    replace_weights,
    set_schedule,
)
from vitrion.distill.frames import (
    ENERGY,
    fit_atomic_energies,
    low_energies,
    split,
    within,
    write_frames,
)
from vitrion.distill.initial_weights import missing_energies
from vitrion.distill.origin import claim, digest_of_files, digest_of_labels
from vitrion.errors import InputError, SimulationError
from vitrion.potentials.imbalance import imbalance_energy
from vitrion.runtime.processes import KEEP_FREED_MEMORY, run_checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.potentials.mace_model import MACEModel


class TrainingSettings(BaseModel):
    """Settings of a phase of training."""

    model_config = ConfigDict(frozen=True)

    learning_rate: float = Field(0.01, gt=0, description="Step size at the start of the phase.")
    decay: float = Field(1.0, gt=0, le=1, description="Factor on the step size per epoch.")
    epochs: int = Field(50, ge=1, description="Epochs of the phase.")
    batch_size: int = Field(4, ge=1, description="Frames per step.")
    energy_weight: float = Field(1.0, ge=0, description="Weight of the energy per atom (eV).")
    forces_weight: float = Field(10.0, ge=0, description="Weight of the forces (eV/A).")
    stress_weight: float = Field(10.0, ge=0, description="Weight of the stress (eV/A3).")
    emphasis: dict[str, float] = Field(
        default_factory=dict,
        description="Weights of the energies of frames whose config_type contains the key.",
    )
    averaging: float = Field(
        0.99, ge=0, lt=1, description="Decay of the exponential moving average of the weights."
    )
    fresh_optimizer: bool = Field(
        False, description="Reset Adam and amsgrad at the start of the phase."
    )
    validation_fraction: float = Field(
        0.07, gt=0, lt=1, description="Fraction of frames kept for validation."
    )
    largest_force_eV_per_A: float = Field(
        25.0, gt=0, description="Frames with a larger force component are skipped."
    )
    highest_energy_eV_per_atom: float = Field(
        5.0,
        gt=0,
        description="Frames further above the lowest of their composition are skipped.",
    )
    evaluate_every: int = Field(2, ge=1, description="Epochs between validations.")
    device: str = Field("cpu", description="Torch device.")
    seed: int = Field(1, description="Seed of the weights and of the order of the frames.")


def train(
    frames: Sequence[Atoms],
    directory: Path,
    settings: TrainingSettings | None = None,
    architecture: Architecture | None = None,
) -> Path:
    """Train a student, or continue the training in ``directory``.

    Parameters
    ----------
    frames
        Labelled frames; later calls may add frames.
    directory
        Contains data, checkpoints, log, the exact command and the atomic energies, which are
        fitted at the first call.
    settings
        The phase. A call with other settings, frames or labels starts a new phase; with the same,
        it resumes an interrupted phase.
    architecture
        Size of the student; the same in every call.

    Returns
    -------
    Path
        The newest checkpoint.

    Raises
    ------
    InputError
        If no frames are left after filtering.
    SimulationError
        If ``mace_run_train`` fails.
    """
    settings = settings or TrainingSettings()
    architecture = (architecture or Architecture()).fitting({z for a in frames for z in a.numbers})
    frames = [without_imbalance(atoms, architecture) for atoms in frames]
    energies = _write_data(frames, directory, settings)
    target, finished = _target_epoch(directory, settings)
    if finished and (checkpoint := latest_checkpoint(directory)) is not None:
        return checkpoint
    command = training_command(directory, settings, energies, target, architecture.mace_options())
    _run(command, directory, settings)
    checkpoint = latest_checkpoint(directory)
    if checkpoint is None:
        raise SimulationError(f"The training in {directory} left no checkpoint: see train.log.")
    record = json.loads((directory / "phase.json").read_text())
    (directory / "phase.json").write_text(json.dumps(record | {"finished": True}))
    return checkpoint


def begin_from(
    model: MACEModel, frames: Sequence[Atoms], directory: Path, architecture: Architecture
) -> None:
    """Start a training from the weights of a student, unless the directory has a checkpoint.

    mace writes a first checkpoint after an epoch on some of the frames, whose weights are then
    replaced. The free-atom energies are shifted by a fit to the difference between the labels and
    the student, such as dispersion.

    Parameters
    ----------
    model
        A student of this architecture and the elements of the frames.
    frames
        Labelled frames.
    directory
        Directory of the training.
    architecture
        Size of the student.

    Raises
    ------
    InputError
        If the student has other elements or another size.
    """
    if latest_checkpoint(directory) is not None:
        return
    shift = missing_energies(model, frames)
    elements = [int(z) for z in model.atomic_numbers]
    own = model.atomic_energies_fn.atomic_energies.ravel().tolist()
    energies = {z: e + shift.get(z, 0.0) for z, e in zip(elements, own, strict=True)}
    begin, target = directory / "begin", directory / "checkpoints"
    begin.mkdir(parents=True, exist_ok=True)
    target.mkdir(exist_ok=True)
    for folder in (directory, begin):
        (folder / "atomic_energies.json").write_text(json.dumps(energies))
    some = frames[:: max(1, len(frames) // 200)]
    checkpoint = train(some, begin, TrainingSettings(epochs=1), architecture)
    replace_weights(checkpoint, model)
    checkpoint.replace(target / checkpoint.name)
    shutil.rmtree(begin)


def fine_tune(
    frames: Sequence[Atoms],
    directory: Path,
    foundation: Path | str,
    settings: TrainingSettings | None = None,
) -> Path:
    """Fine-tune a MACE foundation model on the same frames instead of training a student.

    Parameters
    ----------
    frames
        Labelled frames.
    directory
        Contains data, checkpoints, log and the exact command; an interrupted call resumes, a
        finished one is not repeated.
    foundation
        Name that mace can download, or a file.
    settings
        The default step size is small, 1e-4.

    Returns
    -------
    Path
        The fine-tuned model; its name as a potential is ``mace:<path>``.

    Raises
    ------
    InputError
        If no frames are left after filtering, or the directory holds a model that was tuned from
        another foundation, with other settings, or on other labels.
    SimulationError
        If ``mace_run_train`` fails.
    """
    settings = settings or TrainingSettings(learning_rate=1e-4, epochs=20)
    record, model = directory / "fine-tune.json", directory / "student.model"
    origin = {
        "foundation": _identity(foundation),
        "settings": settings.model_dump(mode="json"),
        "labels": digest_of_labels(frames),
    }
    before = claim(record, origin, [model, *directory.glob("checkpoints/*.pt")])
    if before.get("finished") and model.is_file():
        return model
    energies = _write_data(frames, directory, settings)
    options = {"foundation_model": foundation, "multiheads_finetuning": False}
    command = training_command(directory, settings, energies, settings.epochs, options)
    _run(command, directory, settings)
    record.write_text(json.dumps(origin | {"finished": True}))
    return model


def _identity(foundation: Path | str) -> str:
    """Return the name of a foundation model that mace downloads, or the hash of a file."""
    path = Path(foundation)
    return digest_of_files(path) if path.is_file() else str(foundation)


def _write_data(
    frames: Sequence[Atoms], directory: Path, settings: TrainingSettings
) -> dict[int, float]:
    """Write the two files of frames; return the atomic energies."""
    kept = [_emphasized(atoms, settings.emphasis) for atoms in usable(frames, settings)]
    training, validation = split(kept, settings.validation_fraction)
    if len(training) < settings.batch_size or not validation:
        raise InputError(f"{len(kept)} usable frames are too few for training: label more.")
    directory.mkdir(parents=True, exist_ok=True)
    write_frames(directory / "train.xyz", training)
    write_frames(directory / "valid.xyz", validation)
    return _atomic_energies(directory / "atomic_energies.json", training)


def usable(frames: Sequence[Atoms], settings: TrainingSettings) -> list[Atoms]:
    """Return the frames of a phase, for training and validation."""
    kept = within(frames, settings.largest_force_eV_per_A)
    return low_energies(kept, settings.highest_energy_eV_per_atom)


def without_imbalance(atoms: Atoms, architecture: Architecture) -> Atoms:
    """Return a copy whose label lacks the energy of holes and electrons, added outside mace."""
    out = atoms.copy()
    out.info[ENERGY] = float(out.info[ENERGY]) - imbalance_energy(
        out.numbers, architecture.hole_energy_eV, architecture.electron_energy_eV
    )
    return out


def _emphasized(atoms: Atoms, emphasis: dict[str, float]) -> Atoms:
    """Return a copy with the weight of its energy under the key of mace."""
    name = str(atoms.info.get("config_type", ""))
    weights = [weight for key, weight in emphasis.items() if key in name]
    out = atoms.copy()
    out.info["config_energy_weight"] = max(weights, default=1.0)
    return out


def _run(command: list[str], directory: Path, settings: TrainingSettings) -> None:
    (directory / "command.json").write_text(json.dumps(command, indent=1))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} if settings.device == "cpu" else {}
    run_checked(command, directory / "train.log", {**os.environ, **KEEP_FREED_MEMORY, **threads})


def training_command(
    directory: Path,
    settings: TrainingSettings,
    energies: dict[int, float],
    last_epoch: int,
    model_options: dict[str, Any],
) -> list[str]:
    """Return the exact command of a phase; ``model_options`` select the model."""
    options: dict[str, Any] = {
        "name": "student",
        "work_dir": directory,
        "train_file": directory / "train.xyz",
        "valid_file": directory / "valid.xyz",
        "E0s": {int(z): e for z, e in energies.items()},
        "energy_key": "REF_energy",
        "forces_key": "REF_forces",
        "stress_key": "REF_stress",
        "compute_stress": True,
        "loss": "universal",
        "energy_weight": settings.energy_weight,
        "forces_weight": settings.forces_weight,
        "stress_weight": settings.stress_weight,
        "error_table": "PerAtomRMSEstressvirials",
        "batch_size": settings.batch_size,
        "valid_batch_size": 2 * settings.batch_size,
        "lr": settings.learning_rate,
        "scheduler": "ExponentialLR",
        "lr_scheduler_gamma": settings.decay,
        "max_num_epochs": last_epoch,
        "eval_interval": settings.evaluate_every,
        "ema_decay": settings.averaging,
        "default_dtype": "float32",
        "device": settings.device,
        "seed": settings.seed,
        "plot": False,
    }
    options |= model_options
    # The newest checkpoint counts, not that of the lowest validation loss: on so few frames it is
    # noisy, and cooling ends where the mean of the weights is best.
    flags = ["--ema", "--save_cpu", "--restart_latest", "--save_all_checkpoints"]
    if "foundation_model" not in options:
        flags.append("--pair_repulsion")
    program = [sys.executable, "-m", "vitrion.distill.train_program"]
    return [*program, *(f"--{key}={value}" for key, value in options.items()), *flags]


def _target_epoch(directory: Path, settings: TrainingSettings) -> tuple[int, bool]:
    """Return the epoch at which the phase ends, and whether it has ended.

    A phase is identified by its settings and labelled frames, so that an interrupted phase resumes
    to the same end; a new phase writes its schedule into the checkpoint.
    """
    record = directory / "phase.json"
    frames = digest_of_files(directory / "train.xyz", directory / "valid.xyz")
    phase = {"settings": settings.model_dump(mode="json"), "frames": frames}
    if record.is_file() and (before := json.loads(record.read_text()))["phase"] == phase:
        return int(before["target"]), bool(before.get("finished"))
    start = 0
    if (checkpoint := latest_checkpoint(directory)) is not None:
        set_schedule(
            checkpoint, settings.learning_rate, settings.decay, fresh=settings.fresh_optimizer
        )
        start = epoch_of(checkpoint) + 1
    record.write_text(json.dumps({"phase": phase, "target": start + settings.epochs}))
    return start + settings.epochs, False


def _atomic_energies(path: Path, frames: Sequence[Atoms]) -> dict[int, float]:
    if not path.is_file():
        path.write_text(json.dumps(fit_atomic_energies(frames)))
    return {int(z): float(e) for z, e in json.loads(path.read_text()).items()}
