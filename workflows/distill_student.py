"""Distill a fast Li-C-O-F-P student from a slow teacher, from scratch.

    python workflows/distill_student.py out --teacher sevennet:7net-l3i5 --python ENV/bin/python
    python workflows/distill_student.py out --teacher chgnet --iterations 2 --epochs 10
    python workflows/distill_student.py out --fine-tune medium-mpa-0

``--python`` names the interpreter of the teacher's environment (SevenNet cannot share one with
MACE). Rerun the command to resume an interrupted run. ``out`` then contains the student, its data
card and the exact training command. With ``--foundation`` a MACE foundation
model is fine-tuned on the same frames instead of a new student.

The shipped student was trained in this way (data/student/README.md lists its iterations, phases
and errors); ``--from-data`` retrains it on the frames of that folder, without a teacher, and
``--from-data --begin-from vitrion-lipof-pbe`` continues that student with the phases that added
dispersion. ``--without-dispersion`` leaves the D3(BJ) correction out of the labels.
"""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import run_locally

from vitrion.distill.active import ActiveSettings, student_of
from vitrion.distill.checkpoints import load_checkpoint
from vitrion.distill.dispersion import with_dispersion, without_dispersion
from vitrion.distill.frames import read_labelled, split, within
from vitrion.distill.labelling import Teacher
from vitrion.distill.makers import CollectMaker, DistillMaker, LabelMaker, TrainMaker
from vitrion.distill.release import release
from vitrion.distill.training import (
    TrainingSettings,
    begin_from,
    fine_tune,
    train,
    usable,
)
from vitrion.distill.training_plan import ARCHITECTURE, CONTINUED_PHASES, PHASES
from vitrion.distill.validation import regime_errors, table
from vitrion.potentials.student import load_student, student_path

if TYPE_CHECKING:
    from ase import Atoms

DATA = Path(__file__).parents[1] / "data" / "student"
FUNCTIONAL = {
    True: "PBE-D3(BJ)",
    False: "PBE and PBE+U as in the Materials Project (through the teacher)",
}
CARD = {
    "teacher": "sevennet:7net-l3i5 (sevenn 0.13.0, MIT license, trained on MPtrj)",
    "license": "BSD-3-Clause",
    "citation": "The vitrion developers (this package); teacher: Y. Park et al., "
    "J. Chem. Theory Comput. 20, 4857 (2024), 10.1021/acs.jctc.4c00190",
}


def kept_frames(name: str, *, dispersion: bool) -> list[Atoms]:
    """Return the labeled frames of the repository, with or without D3(BJ)."""
    frames = read_labelled([DATA / f"{name}.xyz.gz"])
    return with_dispersion(frames) if dispersion else without_dispersion(frames)


def retrain(directory: Path, device: str, begin: str | None, *, dispersion: bool) -> Path:
    """Train a student on the frames of the repository."""
    frames = kept_frames("train", dispersion=dispersion)
    folder = directory / "student"
    phases: tuple[TrainingSettings, ...] = (TrainingSettings(epochs=80), *PHASES)
    if begin is not None:
        begin_from(load_student(student_path(begin)), frames, folder, ARCHITECTURE)
        phases = CONTINUED_PHASES
    for phase in phases:
        settings = phase.model_copy(update={"device": device})
        checkpoint = train(frames, folder, settings, ARCHITECTURE)
    return checkpoint


def finish(checkpoint: Path, directory: Path, version: str, *, dispersion: bool) -> Path:
    """Write the student and its card, with its errors on held-out frames."""
    last = CONTINUED_PHASES[-1]
    frames = kept_frames("train", dispersion=dispersion)
    training, kept_out = split(usable(frames, last), last.validation_fraction)
    heldout = kept_frames("heldout", dispersion=dispersion)
    errors = regime_errors(heldout, student_of(checkpoint, ARCHITECTURE))
    atoms = sum(len(frame) for frame in training)
    card = CARD | {
        "version": version,
        "functional": FUNCTIONAL[dispersion],
        "training_set": f"{len(training)} frames ({atoms} atoms) of Li-C-O-F-P crystals, defects, "
        "melts and glasses, labelled by SevenNet 7net-l3i5" + (" and D3(BJ)" if dispersion else ""),
        "mace": f"mace-torch {metadata.version('mace-torch')}",
        "validation": [rounded(entry.model_dump()) for entry in errors],
    }
    path = directory / "vitrion-lipof.safetensors"
    model = load_checkpoint(checkpoint, ARCHITECTURE)
    release(model, within(training, 12.0), within(kept_out, 12.0), path, card)
    print(table(errors))
    return path


def rounded(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry with its numbers rounded to three decimals."""
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in entry.items()}


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("--teacher", default="sevennet:7net-l3i5")
    parser.add_argument("--python", type=Path, help="interpreter of the teacher's environment")
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--runs", type=int, default=14, help="runs of dynamics in an iteration")
    parser.add_argument("--epochs", type=int, default=15, help="epochs after each iteration")
    parser.add_argument("--fine-tune", help="MACE foundation model to fine-tune on the kept frames")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from-data", action="store_true", help="retrain on the kept frames")
    parser.add_argument("--begin-from", help="shipped student to continue, with --from-data")
    parser.add_argument("--without-dispersion", action="store_true", help="no D3(BJ) in the labels")
    parser.add_argument("--checkpoint", type=Path, help="only write the student of a checkpoint")
    parser.add_argument("--version", default="0.0.0", help="version of the student, for its card")
    options = parser.parse_args()
    dispersion = not options.without_dispersion
    options.directory.mkdir(parents=True, exist_ok=True)
    if options.from_data or options.checkpoint:
        checkpoint = options.checkpoint or retrain(
            options.directory, options.device, options.begin_from, dispersion=dispersion
        )
        path = finish(checkpoint, options.directory, options.version, dispersion=dispersion)
        print(f"wrote {path}")
        return
    if options.fine_tune:
        frames = kept_frames("train", dispersion=dispersion)
        model = fine_tune(frames, options.directory, options.fine_tune)
        print(f"wrote {model}: use it as mace:{model}")
        return
    teacher = Teacher(
        name=options.teacher,
        python=options.python,
        device=options.device,
        dispersion="pbe" if dispersion else None,
    )
    maker = DistillMaker(
        iterations=options.iterations,
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
