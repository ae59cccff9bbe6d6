"""Distill a fast Li-C-O-F-P student from a slow teacher, from scratch.

    python workflows/distill_student.py out --teacher sevennet:7net-l3i5 --python ENV/bin/python
    python workflows/distill_student.py out --teacher chgnet --iterations 2 --epochs 10
    python workflows/distill_student.py out --fine-tune mace:medium-mpa-0
    python workflows/distill_student.py out --teacher chgnet --trial --without-dispersion

``--python`` names the interpreter of the teacher's environment (SevenNet cannot share one with
MACE). Rerun the command to resume an interrupted run. ``out`` then contains the student and its
data card. With ``--fine-tune`` a MACE foundation model is fine-tuned on the kept frames instead of
a new student.

``--trial`` runs all stages in minutes, with so few frames and passes that the student is useless.

``--from-data`` trains on the frames of data/student, without a teacher, and
``--from-data --begin-from vitrion-lipof-pbe`` continues that student with the phases that add
dispersion. ``--without-dispersion`` leaves the D3(BJ) correction out of the labels. The shipped
students were made by an earlier version of this file: see data/student/README.md.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from jobflow import run_locally

from vitrion.distill.data.frames import read_labelled
from vitrion.distill.label.dispersion import with_dispersion, without_dispersion
from vitrion.distill.label.labelling import Teacher
from vitrion.distill.makers import CollectMaker, DistillMaker, LabelMaker, TrainMaker
from vitrion.distill.sample.active import ActiveSettings
from vitrion.distill.samplers import SeedMaker, SupplementMaker
from vitrion.distill.student.release import release
from vitrion.distill.student_card import rounded
from vitrion.distill.train.training import FINE_TUNING, TrainingSettings, fine_tune, train, usable
from vitrion.distill.training_plan import ARCHITECTURE, CONTINUED_PHASES, PHASES, SUPPLEMENT
from vitrion.distill.validate.regime_errors import regime_errors, table
from vitrion.potentials.student import file_calculator, load_student, student_path

if TYPE_CHECKING:
    from ase import Atoms

    from vitrion.distill.train.architecture import Architecture

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


def retrain(directory: Path, options: argparse.Namespace, *, dispersion: bool) -> Path:
    """Train a student on the frames of the repository."""
    frames = kept_frames("train", dispersion=dispersion)
    begin: Architecture | Path = ARCHITECTURE
    phases: tuple[TrainingSettings, ...] = (TrainingSettings(epochs=80), *PHASES)
    if options.begin_from is not None:
        begin, phases = student_path(options.begin_from), CONTINUED_PHASES
    for number, phase in enumerate(phases):
        settings = phase.model_copy(update={"device": options.device})
        begin = student = train(
            frames, directory / f"phase-{number}", settings, begin, workers=options.workers
        )
    return student


def finish(student: Path, directory: Path, version: str, *, dispersion: bool) -> Path:
    """Write the student and its card, with its errors on held-out frames."""
    last = CONTINUED_PHASES[-1]
    frames = kept_frames("train", dispersion=dispersion)
    training, kept_out = usable(frames, last)
    heldout = kept_frames("heldout", dispersion=dispersion)
    errors = regime_errors(heldout, file_calculator(student))
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
    release(load_student(student), training, kept_out, path, card)
    print(table(errors))
    return path


def on_trial(maker: DistillMaker) -> DistillMaker:
    """Return the same stages with few frames and passes."""
    short = TrainingSettings(epochs=1)
    return replace(
        maker,
        iterations=1,
        seed_maker=SeedMaker(per_crystal=4, packed=20),
        collect_maker=CollectMaker(settings=ActiveSettings(runs=2)),
        supplement_maker=SupplementMaker(
            settings=SUPPLEMENT.model_copy(
                update={"glass_families": 1, "crystal_families": 0, "polymorphs": {"LiF": 2}}
            )
        ),
        train_maker=replace(maker.train_maker, settings=short),
        phases=(short,),
    )


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
    parser.add_argument("--fine-tune", help="MACE model to fine-tune on the kept frames")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that share a fit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from-data", action="store_true", help="retrain on the kept frames")
    parser.add_argument("--begin-from", help="shipped student to continue, with --from-data")
    parser.add_argument("--without-dispersion", action="store_true", help="no D3(BJ) in the labels")
    parser.add_argument("--trial", action="store_true", help="check that all stages run")
    parser.add_argument("--version", default="0.0.0", help="version of the student, for its card")
    options = parser.parse_args()
    dispersion = not options.without_dispersion
    options.directory.mkdir(parents=True, exist_ok=True)
    if options.from_data:
        student = retrain(options.directory, options, dispersion=dispersion)
        path = finish(student, options.directory, options.version, dispersion=dispersion)
        print(f"wrote {path}")
        return
    if options.fine_tune:
        frames = kept_frames("train", dispersion=dispersion)
        settings = FINE_TUNING.model_copy(update={"device": options.device})
        model = fine_tune(
            frames, options.directory, options.fine_tune, settings, workers=options.workers
        )
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
            workers=options.workers,
        ),
    )
    flow = (on_trial(maker) if options.trial else maker).make(str(options.directory))
    responses = run_locally(flow, ensure_success=True)
    final = responses[flow.output.uuid][1].output
    print(f"wrote {final['path']} (SHA-256 {final['sha256']})")


if __name__ == "__main__":
    main()
