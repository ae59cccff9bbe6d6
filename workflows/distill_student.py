"""Distill a fast Li-C-O-F-P student from a slow teacher, from nothing to a file that loads.

    python workflows/distill_student.py out --teacher sevennet:7net-l3i5 --python ENV/bin/python
    python workflows/distill_student.py out --teacher chgnet --rounds 2 --epochs 10
    python workflows/distill_student.py out --fine-tune medium-mpa-0

``--python`` names the interpreter of the teacher's own environment (SevenNet cannot share one with
MACE). Run the same line again after an interruption: what is done stays done. The student, its data
card and the exact training command are then in ``out``. With ``--foundation`` a MACE foundation
model is fine-tuned on the same frames instead of a new student.

This is the way the shipped student was made (see data/student/README.md for its rounds, phases and
errors); ``--from-data`` retrains it on the frames that are kept there, without a teacher.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jobflow import run_locally

from vitrion.potentials.distill.active import ActiveSettings
from vitrion.potentials.distill.architecture import Architecture
from vitrion.potentials.distill.checkpoints import load_checkpoint
from vitrion.potentials.distill.dataset import read_labelled
from vitrion.potentials.distill.labelling import Teacher
from vitrion.potentials.distill.makers import CollectMaker, DistillMaker, LabelMaker, TrainMaker
from vitrion.potentials.distill.recipe import PHASES
from vitrion.potentials.distill.training import TrainingSettings, fine_tune, train
from vitrion.potentials.student import save_student

if TYPE_CHECKING:
    from ase import Atoms

DATA = Path(__file__).parents[1] / "data" / "student" / "train.xyz.gz"


def kept_frames() -> list[Atoms]:
    """Return the labelled frames that are kept with the project."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "train.xyz"
        plain.write_bytes(gzip.decompress(DATA.read_bytes()))
        return read_labelled([plain])


def retrain(directory: Path, device: str) -> Path:
    """Train the student again on the frames that are kept with the project."""
    frames = kept_frames()
    for phase in (TrainingSettings(epochs=80), *PHASES):
        settings = phase.model_copy(update={"device": device})
        checkpoint = train(frames, directory / "student", settings)
    path = directory / "student.safetensors"
    save_student(load_checkpoint(checkpoint, Architecture()), path)
    return path


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--teacher", default="sevennet:7net-l3i5")
    parser.add_argument("--python", type=Path, help="interpreter of the teacher's environment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=14, help="runs of dynamics in a round")
    parser.add_argument("--epochs", type=int, default=15, help="epochs after each round")
    parser.add_argument("--fine-tune", help="MACE foundation model to fine-tune on the kept frames")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from-data", action="store_true", help="retrain on the kept frames")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    if options.from_data:
        print(f"wrote {retrain(options.directory, options.device)}")
        return
    if options.fine_tune:
        model = fine_tune(kept_frames(), options.directory, options.fine_tune)
        print(f"wrote {model}: use it as mace:{model}")
        return
    teacher = Teacher(name=options.teacher, python=options.python, device=options.device)
    maker = DistillMaker(
        rounds=options.rounds,
        seed=options.seed,
        label_maker=LabelMaker(teacher=teacher),
        collect_maker=CollectMaker(settings=ActiveSettings(runs=options.runs)),
        train_maker=TrainMaker(
            settings=TrainingSettings(epochs=options.epochs, device=options.device),
        ),
    )
    flow = maker.make(str(options.directory))
    responses = run_locally(flow, ensure_success=True)
    final = responses[flow.output.uuid][1].output
    print(f"wrote {final['path']} (SHA-256 {final['sha256']})")


if __name__ == "__main__":
    main()
