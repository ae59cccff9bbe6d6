"""Makers of the stages of distillation (label, train, release) and of the complete flow.

Frames are files in a directory given by the user, from which an interrupted stage resumes; the
database contains paths, counts and hashes. A record next to the files states their inputs: a stage
rejects files of other inputs and never overwrites them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jobflow import Flow, Job, Maker, Response, job
from monty.json import MontyEncoder
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.distill.data.frames import (
    ENERGY,
    FORCES,
    STRESS,
    read_frames,
    read_labelled,
    split,
    within,
    write_frames,
)
from vitrion.distill.data.origin import claim, digest_of_files
from vitrion.distill.label.labelling import LABELS, Teacher, label
from vitrion.distill.samplers import CollectMaker, SeedMaker, SupplementMaker
from vitrion.distill.student.release import release
from vitrion.distill.train.architecture import Architecture
from vitrion.distill.train.training import FINE_TUNING, TrainingSettings, fine_tune, train
from vitrion.distill.training_plan import ARCHITECTURE, PHASES
from vitrion.distill.validate.regime_errors import regime_errors, with_regimes
from vitrion.errors import InputError
from vitrion.potentials.student import file_calculator, load_student
from vitrion.runtime.notebook_display import NotebookTable

if TYPE_CHECKING:
    from ase import Atoms

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
        cells = [adaptor.get_structure(frame[site_order(frame)]) for frame in frames]
        statics = [self.static_maker.make(cell) for cell in cells]
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
        The ``output`` of an atomate2 document for each frame: energy (eV), forces (eV/A, in the
        order of :func:`site_order`) and stress (kbar, in VASP's sign).
    """
    folder = Path(directory)
    frames = read_frames(folder / "frames.xyz")
    for frame, output in zip(frames, outputs, strict=True):
        entry = output if isinstance(output, dict) else output.model_dump()
        frame.info[ENERGY] = float(entry["energy"])
        frame.arrays[FORCES] = np.empty((len(frame), 3))
        frame.arrays[FORCES][site_order(frame)] = entry["forces"]
        if entry.get("stress") is not None:
            frame.info[STRESS] = np.ravel(entry["stress"]) * _EV_A3_PER_VASP_KBAR
    write_frames(folder / "labelled.xyz", frames)
    return {"directory": directory, "frames": len(frames)}


def site_order(atoms: Atoms) -> list[int]:
    """Return the indices of atoms in pymatgen's order, in which VASP input sets write sites."""
    sites = AseAtomsAdaptor.get_structure(atoms).sites
    return sorted(range(len(atoms)), key=sites.__getitem__)


@dataclass
class TrainMaker(NotebookTable, Maker):
    """Train a student on labelled frames.

    Parameters
    ----------
    name : str
        Name of the job.
    settings : TrainingSettings
        The phase.
    architecture : Architecture
        Size of a student that begins with random weights.
    workers : int
        Processes that share each step.
    """

    name: str = "train"
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    architecture: Architecture = field(default_factory=lambda: ARCHITECTURE)
    workers: int = 1

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as in a serialized Maker."""
        self.settings = training_settings(self.settings)
        self.architecture = Architecture.model_validate(self.architecture)

    @job
    def make(
        self, directory: str, labelled: list[dict[str, Any]], begin: str | None = None
    ) -> dict[str, Any]:
        """Train in the directory, from the weights of the student file ``begin`` or random ones."""
        weights = self.architecture if begin is None else Path(begin)
        frames = labelled_frames_of(labelled)
        student = train(frames, Path(directory), self.settings, weights, workers=self.workers)
        return {"student": str(student)}


@dataclass
class FineTuneMaker(NotebookTable, Maker):
    """Fine-tune a MACE foundation model on labelled frames, instead of training a student.

    Parameters
    ----------
    name : str
        Name of the job.
    foundation : str
        Name as a potential: see `vitrion.distill.train.training.fine_tune`.
    settings : TrainingSettings
        Step size, epochs, weights.
    workers : int
        Processes that share each step.
    """

    name: str = "fine-tune"
    foundation: str = "mace:medium-mpa-0"
    settings: TrainingSettings = field(default_factory=lambda: FINE_TUNING)
    workers: int = 1

    def __post_init__(self) -> None:
        """Accept settings as a dictionary, as in a serialized Maker."""
        self.settings = training_settings(self.settings)

    @job
    def make(self, directory: str, labelled: list[dict[str, Any]]) -> dict[str, Any]:
        """Fine-tune in the directory; the name of the model as a potential is ``mace:<path>``."""
        frames = labelled_frames_of(labelled)
        model = fine_tune(
            frames, Path(directory), self.foundation, self.settings, workers=self.workers
        )
        return {"model": str(model)}


def training_settings(values: TrainingSettings | dict[str, Any]) -> TrainingSettings:
    """Return the settings of a phase, also from a dictionary as in a serialized Maker."""
    return TrainingSettings.from_dict(values) if isinstance(values, dict) else values


def labelled_frames_of(labelled: list[dict[str, Any]]) -> list[Atoms]:
    """Return the labelled frames of the outputs of `LabelMaker`."""
    return read_labelled([Path(entry["directory"]) / "labelled.xyz" for entry in labelled])


@job(name="release")
def release_job(
    directory: str,
    student: str,
    labelled: list[dict[str, Any]],
    validation_fraction: float,
    card: dict[str, Any],
) -> dict[str, Any]:
    """Write the student file and its card, with the errors on held-out frames."""
    frames = labelled_frames_of(labelled)
    training, kept_out = split(within(frames, 12.0), validation_fraction)
    path = Path(directory) / "student.safetensors"
    errors = regime_errors(with_regimes(kept_out), file_calculator(student))
    card = {**card, "validation": [entry.model_dump() for entry in errors]}
    sha256 = release(load_student(student), training, kept_out, path, card)
    return {"path": str(path), "sha256": sha256, "errors": card["validation"]}


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
        The stages; stages without chemistry and crystals take them from ``collect_maker``.
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
    >>> from vitrion.distill.label.labelling import Teacher
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
        self.phases = tuple(training_settings(phase) for phase in self.phases)

    def make(self, directory: str) -> Flow:
        """Return the flow; everything is kept in ``directory``.

        Rerun the same flow to resume after an interruption; results of another flow are rejected.
        """
        if self.iterations < 0:
            raise InputError("The number of active-learning iterations cannot be negative.")
        base = Path(directory).absolute()
        seeds = self._informed(self.seed_maker).make(str(base / "iteration-000"), self.seed)
        labels = [self.label_maker.make(seeds.output["directory"])]
        first = self._train(base / "student-000", labels)
        rival = self._train(base / "student-rival", labels, seed_shift=1)
        jobs: list[Job] = [seeds, *labels, first, rival]
        older, newest = rival, first
        for number in range(1, self.iterations + 1):
            members = [newest.output["student"], older.output["student"]]
            folder = str(base / f"iteration-{number:03d}")
            found = self.collect_maker.make(folder, members, self.seed + number)
            labels.append(self.label_maker.make(found.output["directory"]))
            older = newest
            newest = self._train(base / f"student-{number:03d}", labels, begin=newest)
            jobs += [found, labels[-1], newest]
        if self.supplement_maker is not None:
            folder = str(base / "supplement")
            sampler = self._informed(self.supplement_maker)
            found = sampler.make(folder, newest.output["student"], self.seed)
            labels.append(self.label_maker.make(found.output["directory"]))
            jobs += [found, labels[-1]]
        for number, phase in enumerate(self.phases):
            target = base / f"student-phase-{number}"
            newest = self._train(target, labels, begin=newest, settings=phase)
            jobs.append(newest)
        final = release_job(
            str(base),
            newest.output["student"],
            [entry.output for entry in labels],
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
        directory: Path,
        labels: list[Job],
        *,
        begin: Job | None = None,
        seed_shift: int = 0,
        settings: TrainingSettings | None = None,
    ) -> Job:
        settings = settings or self.train_maker.settings
        seed = self.train_maker.settings.seed + seed_shift
        maker = replace(self.train_maker, settings=settings.model_copy(update={"seed": seed}))
        weights = None if begin is None else begin.output["student"]
        return maker.make(str(directory), [entry.output for entry in labels], weights)

    def _card(self) -> dict[str, Any]:
        teacher = self.label_maker.teacher.name
        if self.label_maker.static_maker is not None:
            teacher = type(self.label_maker.static_maker).__name__
        return {"teacher": teacher, "seed": self.seed, "iterations": self.iterations, **self.card}
