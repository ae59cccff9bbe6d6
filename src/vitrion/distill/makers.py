"""Makers of the stages of distillation (label, train, release) and of the complete flow.

Frames are files in a directory given by the user, from which an interrupted stage resumes; the
database contains paths, counts and hashes. A record next to the files states their inputs: a stage
rejects files of other inputs and never overwrites them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jobflow import Flow, Job, Maker, Response, job
from monty.json import MontyEncoder
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.distill.architecture import Architecture
from vitrion.distill.checkpoints import load_checkpoint
from vitrion.distill.frames import (
    ENERGY,
    FORCES,
    STRESS,
    read_frames,
    read_labelled,
    split,
    within,
    write_frames,
)
from vitrion.distill.labelling import LABELS, Teacher, label
from vitrion.distill.origin import claim, digest_of_files
from vitrion.distill.release import release
from vitrion.distill.samplers import CollectMaker, SeedMaker, SupplementMaker
from vitrion.distill.training import TrainingSettings, fine_tune, train
from vitrion.distill.training_plan import ARCHITECTURE, PHASES
from vitrion.distill.validation import regime_errors
from vitrion.errors import InputError
from vitrion.runtime.atomic import copy_durably
from vitrion.runtime.notebook_display import NotebookTable

# VASP writes stresses in kbar, compression positive.
_EV_A3_PER_VASP_KBAR = -1 / 1602.1766208


@dataclass
class LabelMaker(NotebookTable, Maker):
    """Label the frames of a directory, with a teacher or with static calculations.

    Parameters
    ----------
    name : str
        Name of the jobs.
    teacher : Teacher
        Potential that labels, in this or another environment.
    static_maker : Maker or None
        A Maker of static calculations, such as atomate2's VASP ``StaticMaker``, that labels
        instead of the teacher, in one job per frame.
    """

    name: str = "label"
    teacher: Teacher = field(default_factory=lambda: Teacher(name="sevennet:7net-l3i5"))
    static_maker: Maker | None = None

    def __post_init__(self) -> None:
        """Accept the teacher as a dictionary, as in a serialized Maker."""
        self.teacher = Teacher.model_validate(self.teacher)

    @job
    def make(self, directory: str) -> Response | dict[str, Any]:
        """Label ``frames.xyz`` of the directory into ``labelled.xyz``."""
        folder = Path(directory)
        if not (folder / "frames.xyz").is_file():
            raise InputError(f"There are no frames to label in {folder}.")
        frames = read_frames(folder / "frames.xyz")
        if self.static_maker is None:
            return {"directory": directory, "frames": len(label(frames, self.teacher, folder))}
        target = folder / "labelled.xyz"
        teacher = json.loads(json.dumps(self.static_maker, cls=MontyEncoder))
        origin = {"frames": digest_of_files(folder / "frames.xyz"), "teacher": teacher}
        claim(folder / LABELS, origin, [target])
        if target.exists():
            return {"directory": directory, "frames": len(frames)}
        adaptor = AseAtomsAdaptor()
        statics = [self.static_maker.make(adaptor.get_structure(frame)) for frame in frames]
        gather = gather_labels(directory, [static.output.output for static in statics])
        return Response(replace=Flow([*statics, gather], output=gather.output, name=self.name))


@job(name="gather labels")
def gather_labels(directory: str, outputs: list[Any]) -> dict[str, Any]:
    """Write the results of static calculations as the labels of a directory's frames.

    Parameters
    ----------
    directory
        Holds ``frames.xyz``.
    outputs
        The ``output`` of an atomate2 document for each frame: energy (eV), forces (eV/A) and
        stress (kbar, in VASP's sign).
    """
    folder = Path(directory)
    frames = read_frames(folder / "frames.xyz")
    for frame, output in zip(frames, outputs, strict=True):
        entry = output if isinstance(output, dict) else output.model_dump()
        frame.info[ENERGY] = float(entry["energy"])
        frame.arrays[FORCES] = np.array(entry["forces"], dtype=float)
        if entry.get("stress") is not None:
            frame.info[STRESS] = np.ravel(entry["stress"]) * _EV_A3_PER_VASP_KBAR
    write_frames(folder / "labelled.xyz", frames)
    return {"directory": directory, "frames": len(frames)}


@dataclass
class TrainMaker(NotebookTable, Maker):
    """Train a student on all labelled frames, or continue its training.

    Parameters
    ----------
    name : str
        Name of the job.
    settings : TrainingSettings
        The phase.
    architecture : Architecture
        Size of the student.
    """

    name: str = "train"
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    architecture: Architecture = field(default_factory=lambda: ARCHITECTURE)

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as in a serialized Maker."""
        self.settings = TrainingSettings.model_validate(self.settings)
        self.architecture = Architecture.model_validate(self.architecture)

    @job
    def make(self, directory: str, labelled: list[dict[str, Any]], keep_as: str) -> dict[str, Any]:
        """Train in ``directory/student`` and keep the checkpoint as ``directory/<keep_as>``."""
        folder = Path(directory)
        kept = folder / keep_as
        sources = [Path(entry["directory"]) / "labelled.xyz" for entry in labelled]
        frames = read_labelled(sources)
        origin = {
            "settings": self.settings.model_dump(mode="json"),
            "architecture": self.architecture.model_dump(mode="json"),
            "labels": digest_of_files(*sources),
        }
        claim(kept.with_name(f"{keep_as}.json"), origin, [kept])
        if kept.exists():
            return {"checkpoint": str(kept)}
        checkpoint = train(
            frames,
            folder / f"student-{self.settings.seed}",
            self.settings,
            self.architecture,
        )
        copy_durably(checkpoint, kept)  # the folder of the training keeps the newest only
        return {"checkpoint": str(kept)}


@dataclass
class FineTuneMaker(NotebookTable, Maker):
    """Fine-tune a MACE foundation model on labelled frames, instead of training a student.

    Parameters
    ----------
    name : str
        Name of the job.
    foundation : str
        Name that mace can download, or a file.
    settings : TrainingSettings
        Step size, epochs, weights.
    """

    name: str = "fine-tune"
    foundation: str = "medium-mpa-0"
    settings: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(learning_rate=1e-4, epochs=20)
    )

    def __post_init__(self) -> None:
        """Accept settings as a dictionary, as in a serialized Maker."""
        self.settings = TrainingSettings.model_validate(self.settings)

    @job
    def make(self, directory: str, labelled: list[dict[str, Any]]) -> dict[str, Any]:
        """Fine-tune in ``directory/fine-tuned``; the name of the model is ``mace:<path>``."""
        frames = read_labelled([Path(entry["directory"]) / "labelled.xyz" for entry in labelled])
        folder = Path(directory) / "fine-tuned"
        return {"model": str(fine_tune(frames, folder, self.foundation, self.settings))}


@job(name="release")
def release_job(
    directory: str,
    checkpoint: str,
    labelled: list[dict[str, Any]],
    architecture: dict[str, Any],
    validation_fraction: float,
    card: dict[str, Any],
) -> dict[str, Any]:
    """Write the student file and its card, with the errors on held-out frames."""
    frames = read_labelled([Path(entry["directory"]) / "labelled.xyz" for entry in labelled])
    training, kept_out = split(within(frames, 12.0), validation_fraction)
    model = load_checkpoint(Path(checkpoint), Architecture.model_validate(architecture))
    path = Path(directory) / "student.safetensors"
    from vitrion.potentials.evaluation import calculator_of

    for frame in kept_out:
        frame.info.setdefault("regime", str(frame.info.get("config_type", "all")))
    errors = [e.model_dump() for e in regime_errors(kept_out, calculator_of(model))]
    sha256 = release(model, training, kept_out, path, {**card, "validation": errors})
    return {"path": str(path), "sha256": sha256, "errors": errors}


Sampler = TypeVar("Sampler", SeedMaker, SupplementMaker)


@dataclass
class DistillMaker(NotebookTable, Maker):
    """Distill a student: seeds, labels, active learning, supplement, training phases, release.

    Parameters
    ----------
    name : str
        Name of the flow.
    iterations : int
        Active-learning iterations after the seeds.
    seed : int
        Seed of the frames of every iteration.
    label_maker, train_maker, collect_maker : Maker
        The stages; stages without chemistry and crystals use those of ``collect_maker``.
    supplement_maker : SupplementMaker or None
        Samples defects and other packings after active learning; None skips this stage.
    phases : tuple of TrainingSettings
        Final phases on all frames, with a decreasing step size and an increasing energy weight.
    card : dict
        Further entries of the data card: version, license, citation.
    seed_maker : SeedMaker
        Generates the first frames.

    Examples
    --------
    >>> from vitrion.distill.labelling import Teacher
    >>> maker = DistillMaker(iterations=2, label_maker=LabelMaker(teacher=Teacher(name="chgnet")))
    >>> [job.name for job in maker.make("distilled").jobs][:4]
    ['seed frames', 'label', 'train', 'train']
    """

    name: str = "distill"
    iterations: int = 6
    seed: int = 1
    label_maker: LabelMaker = field(default_factory=LabelMaker)
    train_maker: TrainMaker = field(default_factory=TrainMaker)
    collect_maker: CollectMaker = field(default_factory=CollectMaker)
    supplement_maker: SupplementMaker | None = field(default_factory=SupplementMaker)
    phases: tuple[TrainingSettings, ...] = PHASES
    card: dict[str, Any] = field(default_factory=dict)
    seed_maker: SeedMaker = field(default_factory=SeedMaker)

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as in a serialized Maker."""
        self.phases = tuple(TrainingSettings.model_validate(phase) for phase in self.phases)

    def make(self, directory: str) -> Flow:
        """Return the flow; everything is kept in ``directory``.

        Rerun the same flow to resume after an interruption; results of another flow are rejected.
        """
        if self.iterations < 0:
            raise InputError("The number of active-learning iterations cannot be negative.")
        base = Path(directory).absolute()
        seeds = self._informed(self.seed_maker).make(str(base / "iteration-000"), self.seed)
        labels = [self.label_maker.make(seeds.output["directory"])]
        first = self._train(base, labels, "student-000.pt")
        rival = self._train(base, labels, "student-rival.pt", seed_shift=1)
        jobs: list[Job] = [seeds, *labels, first, rival]
        older, newest = rival, first
        for number in range(1, self.iterations + 1):
            members = [newest.output["checkpoint"], older.output["checkpoint"]]
            folder = str(base / f"iteration-{number:03d}")
            found = self.collect_maker.make(folder, members, self.seed + number)
            labels.append(self.label_maker.make(found.output["directory"]))
            older, newest = newest, self._train(base, labels, f"student-{number:03d}.pt")
            jobs += [found, labels[-1], newest]
        if self.supplement_maker is not None:
            folder = str(base / "supplement")
            sampler = self._informed(self.supplement_maker)
            found = sampler.make(folder, newest.output["checkpoint"], self.seed)
            labels.append(self.label_maker.make(found.output["directory"]))
            jobs += [found, labels[-1]]
        for number, phase in enumerate(self.phases):
            newest = self._train(base, labels, f"student-phase-{number}.pt", settings=phase)
            jobs.append(newest)
        final = release_job(
            str(base),
            newest.output["checkpoint"],
            [entry.output for entry in labels],
            self.train_maker.architecture.model_dump(mode="json"),
            self._never_trained_on(),
            self._card(),
        )
        return Flow([*jobs, final], output=final.output, name=self.name)

    def _informed(self, maker: Sampler) -> Sampler:
        """Return a stage with the chemistry and crystals of ``collect_maker`` if it has none."""
        collect = self.collect_maker
        return replace(
            maker,
            chemistry=maker.chemistry or collect.chemistry,
            crystals=collect.crystals if maker.crystals is None else maker.crystals,
        )

    def _never_trained_on(self) -> float:
        """Return the smallest validation fraction; no phase trains on its frames."""
        phases = (self.train_maker.settings, *self.phases)
        return min(phase.validation_fraction for phase in phases)

    def _train(
        self,
        base: Path,
        labels: list[Job],
        name: str,
        *,
        seed_shift: int = 0,
        settings: TrainingSettings | None = None,
    ) -> Job:
        settings = settings or self.train_maker.settings
        seed = self.train_maker.settings.seed + seed_shift
        maker = replace(self.train_maker, settings=settings.model_copy(update={"seed": seed}))
        return maker.make(str(base), [entry.output for entry in labels], name)

    def _card(self) -> dict[str, Any]:
        teacher = self.label_maker.teacher.name
        if self.label_maker.static_maker is not None:
            teacher = type(self.label_maker.static_maker).__name__
        return {"teacher": teacher, "seed": self.seed, "iterations": self.iterations, **self.card}
