"""Makers around the stages of distillation: label, train, collect, release, and all of them.

Frames travel as files in a directory that the user names, because a killed stage finds there what
it has done; the database holds paths, counts and hashes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jobflow import Flow, Job, Maker, Response, job
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.errors import InputError
from vitrion.potentials.distill.active import (
    ActiveSettings,
    collect_round,
    keep,
    student_of,
)
from vitrion.potentials.distill.architecture import Architecture
from vitrion.potentials.distill.checkpoints import load_checkpoint
from vitrion.potentials.distill.dataset import (
    ENERGY,
    FORCES,
    STRESS,
    read_frames,
    read_labelled,
    split,
    within,
    write_frames,
)
from vitrion.potentials.distill.labelling import Teacher, label
from vitrion.potentials.distill.recipe import (
    ARCHITECTURE,
    CHEMISTRY,
    PHASES,
    crystal_cells,
    defect_crystals,
    seed_frames,
    supplement_settings,
)
from vitrion.potentials.distill.release import release
from vitrion.potentials.distill.sampling import Chemistry
from vitrion.potentials.distill.supplement import SupplementSettings, supplement
from vitrion.potentials.distill.training import TrainingSettings, fine_tune, train
from vitrion.potentials.distill.validation import regime_errors

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

# VASP writes stresses in kbar, compression positive.
_EV_A3_PER_VASP_KBAR = -1 / 1602.1766208


@dataclass
class LabelMaker(Maker):
    """Label the frames of a directory, with a teacher or with static calculations.

    Parameters
    ----------
    name : str
        Name of the jobs.
    teacher : Teacher
        Potential that labels, here or in another environment.
    static_maker : Maker or None
        A Maker of static calculations, such as atomate2's VASP ``StaticMaker``, that labels in the
        teacher's place: one job a frame.
    """

    name: str = "label"
    teacher: Teacher = field(default_factory=lambda: Teacher(name="sevennet:7net-l3i5"))
    static_maker: Maker | None = None

    def __post_init__(self) -> None:
        """Accept the teacher as a dictionary, as a serialized Maker has it."""
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
        For each frame the ``output`` of an atomate2 document: energy (eV), forces (eV/A) and
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
class TrainMaker(Maker):
    """Train a student on all labelled frames, or go on with its training.

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
        """Accept settings as dictionaries, as a serialized Maker has them."""
        self.settings = TrainingSettings.model_validate(self.settings)
        self.architecture = Architecture.model_validate(self.architecture)

    @job
    def make(self, directory: str, labelled: list[dict[str, Any]], keep_as: str) -> dict[str, Any]:
        """Train in ``directory/student`` and keep the checkpoint as ``directory/<keep_as>``."""
        folder = Path(directory)
        if (folder / keep_as).exists():
            return {"checkpoint": str(folder / keep_as)}
        sources = [Path(entry["directory"]) / "labelled.xyz" for entry in labelled]
        frames = read_labelled(sources)
        checkpoint = train(
            frames,
            folder / f"student-{self.settings.seed}",
            self.settings,
            self.architecture,
        )
        keep(checkpoint, folder / keep_as)
        return {"checkpoint": str(folder / keep_as)}


@dataclass
class FineTuneMaker(Maker):
    """Fine-tune a MACE foundation model on labelled frames: the other exit of a distillation.

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
        """Accept settings as a dictionary, as a serialized Maker has them."""
        self.settings = TrainingSettings.model_validate(self.settings)

    @job
    def make(self, directory: str, labelled: list[dict[str, Any]]) -> dict[str, Any]:
        """Fine-tune in ``directory/fine-tuned``; the model is named as ``mace:<path>``."""
        frames = read_labelled([Path(entry["directory"]) / "labelled.xyz" for entry in labelled])
        folder = Path(directory) / "fine-tuned"
        return {"model": str(fine_tune(frames, folder, self.foundation, self.settings))}


def ase_cells(crystals: dict[str, Structure]) -> dict[str, Atoms]:
    """Return crystals as ASE has them.

    Raises
    ------
    InputError
        If a site is not occupied by one atom.
    """
    for name, structure in crystals.items():
        if not structure.is_ordered:
            raise InputError(f"The crystal {name} has partial occupancies: order it first.")
    return {name: structure.to_ase_atoms(msonable=False) for name, structure in crystals.items()}


@dataclass
class SeedMaker(Maker):
    """The first frames: strained, rattled crystals and packed ions.

    Parameters
    ----------
    name : str
        Name of the job.
    chemistry : Chemistry or None
        What to pack; None: that of the shipped student, in a flow that of its active rounds.
    crystals : dict of Structure or None
        Cells by name; None: the known crystals of the chemistry's elements, in a flow those of its
        active rounds.
    per_crystal, packed : int
        Frames of each crystal, and of packed ions.
    """

    name: str = "seed frames"
    chemistry: Chemistry | None = None
    crystals: dict[str, Structure] | None = None
    per_crystal: int = 8
    packed: int = 110

    def __post_init__(self) -> None:
        """Accept the chemistry as a dictionary, as a serialized Maker has it."""
        if self.chemistry is not None:
            self.chemistry = Chemistry.model_validate(self.chemistry)

    @job
    def make(self, directory: str, seed: int) -> dict[str, Any]:
        """Write the frames to ``directory/frames.xyz``."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        frames = seed_frames(
            seed,
            per_crystal=self.per_crystal,
            packed=self.packed,
            chemistry=self.chemistry or CHEMISTRY,
            crystals=None if self.crystals is None else ase_cells(self.crystals),
        )
        write_frames(folder / "frames.xyz", frames)
        return {"directory": directory, "frames": len(frames)}


@dataclass
class CollectMaker(Maker):
    """Dynamics with the students of two rounds; keeps the frames they disagree on.

    Parameters
    ----------
    name : str
        Name of the job.
    chemistry : Chemistry
        What to start from.
    crystals : dict of Structure or None
        Cells by name; None: the known crystals of the chemistry's elements.
    settings : ActiveSettings
        Size of the round.
    architecture : Architecture
        Size of the students.
    """

    name: str = "collect"
    chemistry: Chemistry = field(default_factory=lambda: CHEMISTRY)
    settings: ActiveSettings = field(default_factory=ActiveSettings)
    architecture: Architecture = field(default_factory=lambda: ARCHITECTURE)
    crystals: dict[str, Structure] | None = None

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as a serialized Maker has them."""
        self.chemistry = Chemistry.model_validate(self.chemistry)
        self.settings = ActiveSettings.model_validate(self.settings)
        self.architecture = Architecture.model_validate(self.architecture)

    @job
    def make(self, directory: str, checkpoints: list[str], seed: int) -> dict[str, Any]:
        """Write the chosen frames to ``directory/frames.xyz``."""
        members = [Path(checkpoint) for checkpoint in checkpoints]
        folder = Path(directory)
        given = self.crystals
        crystals = crystal_cells(self.chemistry) if given is None else ase_cells(given)
        frames = collect_round(
            members, self.architecture, self.chemistry, crystals, self.settings, folder, seed
        )
        write_frames(folder / "frames.xyz", frames)
        return {"directory": directory, "frames": len(frames)}


@dataclass
class SupplementMaker(Maker):
    """Defects and other packings, sampled with a student: see ``distill.supplement``.

    Parameters
    ----------
    name : str
        Name of the job.
    settings : SupplementSettings or None
        What to sample; None: what follows from the chemistry.
    architecture : Architecture
        Size of the student.
    chemistry : Chemistry or None
        None: that of the shipped student, in a flow that of its active rounds.
    crystals : dict of Structure or None
        Cells by name, of which those with the mobile element get defects; None: the known crystals
        of the chemistry's elements, in a flow those of its active rounds.
    """

    name: str = "supplement"
    settings: SupplementSettings | None = None
    architecture: Architecture = field(default_factory=lambda: ARCHITECTURE)
    chemistry: Chemistry | None = None
    crystals: dict[str, Structure] | None = None

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as a serialized Maker has them."""
        if self.settings is not None:
            self.settings = SupplementSettings.model_validate(self.settings)
        if self.chemistry is not None:
            self.chemistry = Chemistry.model_validate(self.chemistry)
        self.architecture = Architecture.model_validate(self.architecture)

    @job
    def make(self, directory: str, checkpoint: str, seed: int) -> dict[str, Any]:
        """Write the frames to ``directory/frames.xyz``."""
        student = student_of(Path(checkpoint), self.architecture)
        folder = Path(directory)
        chemistry = self.chemistry or CHEMISTRY
        settings = self.settings or supplement_settings(chemistry)
        crystals = self._crystals(chemistry, settings.mobile)
        frames = supplement(student, crystals, settings, folder / "families", seed)
        write_frames(folder / "frames.xyz", frames)
        return {"directory": directory, "frames": len(frames)}

    def _crystals(self, chemistry: Chemistry, mobile: str) -> dict[str, Atoms]:
        given = self.crystals
        crystals = defect_crystals(chemistry) if given is None else ase_cells(given)
        return {name: atoms for name, atoms in crystals.items() if mobile in atoms.symbols}


@job(name="release")
def release_job(
    directory: str,
    checkpoint: str,
    labelled: list[dict[str, Any]],
    architecture: dict[str, Any],
    validation_fraction: float,
    card: dict[str, Any],
) -> dict[str, Any]:
    """Write the student file and its card, with its errors on the frames kept from training."""
    frames = read_labelled([Path(entry["directory"]) / "labelled.xyz" for entry in labelled])
    training, kept_out = split(within(frames, 12.0), validation_fraction)
    model = load_checkpoint(Path(checkpoint), Architecture.model_validate(architecture))
    path = Path(directory) / "student.safetensors"
    from vitrion.potentials.lean_mace import LeanMACECalculator

    for frame in kept_out:
        frame.info.setdefault("regime", str(frame.info.get("config_type", "all")))
    errors = [e.model_dump() for e in regime_errors(kept_out, LeanMACECalculator(model))]
    sha256 = release(model, training, kept_out, path, {**card, "validation": errors})
    return {"path": str(path), "sha256": sha256, "errors": errors}


Sampler = TypeVar("Sampler", SeedMaker, SupplementMaker)


@dataclass
class DistillMaker(Maker):
    """From nothing to a student file: seeds, labels, active rounds, supplement, phases, release.

    Parameters
    ----------
    name : str
        Name of the flow.
    rounds : int
        Active rounds after the seeds.
    seed : int
        Seed of the frames of every round.
    label_maker, train_maker, collect_maker : Maker
        The stages; the chemistry and crystals of ``collect_maker`` are those of all stages that
        name none of their own.
    supplement_maker : SupplementMaker or None
        Samples defects and other packings after the active rounds; None leaves them out.
    phases : tuple of TrainingSettings
        Phases on all frames at the end, in which the step size falls and the energy gains weight.
    card : dict
        Further entries of the data card: version, license, citation.
    seed_maker : SeedMaker
        Makes the first frames.

    Examples
    --------
    >>> from vitrion.potentials.distill.labelling import Teacher
    >>> maker = DistillMaker(rounds=2, label_maker=LabelMaker(teacher=Teacher(name="chgnet")))
    >>> [job.name for job in maker.make("distilled").jobs][:4]
    ['seed frames', 'label', 'train', 'train']
    """

    name: str = "distill"
    rounds: int = 6
    seed: int = 1
    label_maker: LabelMaker = field(default_factory=LabelMaker)
    train_maker: TrainMaker = field(default_factory=TrainMaker)
    collect_maker: CollectMaker = field(default_factory=CollectMaker)
    supplement_maker: SupplementMaker | None = field(default_factory=SupplementMaker)
    phases: tuple[TrainingSettings, ...] = PHASES
    card: dict[str, Any] = field(default_factory=dict)
    seed_maker: SeedMaker = field(default_factory=SeedMaker)

    def __post_init__(self) -> None:
        """Accept settings as dictionaries, as a serialized Maker has them."""
        self.phases = tuple(TrainingSettings.model_validate(phase) for phase in self.phases)

    def make(self, directory: str) -> Flow:
        """Return the flow; everything is kept in ``directory``, which can be used again."""
        if self.rounds < 0:
            raise InputError("The number of active rounds cannot be negative.")
        base = Path(directory).absolute()
        seeds = self._informed(self.seed_maker).make(str(base / "round-000"), self.seed)
        labels = [self.label_maker.make(seeds.output["directory"])]
        first = self._train(base, labels, "student-000.pt")
        rival = self._train(base, labels, "student-rival.pt", seed_shift=1)
        jobs: list[Job] = [seeds, *labels, first, rival]
        older, newest = rival, first
        for number in range(1, self.rounds + 1):
            members = [newest.output["checkpoint"], older.output["checkpoint"]]
            folder = str(base / f"round-{number:03d}")
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
        """Return a stage with the chemistry and crystals of the active rounds if it names none."""
        rounds = self.collect_maker
        return replace(
            maker,
            chemistry=maker.chemistry or rounds.chemistry,
            crystals=rounds.crystals if maker.crystals is None else maker.crystals,
        )

    def _never_trained_on(self) -> float:
        """Return the smallest fraction that a phase keeps out: those frames all phases keep out."""
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
        return {"teacher": teacher, "seed": self.seed, "rounds": self.rounds, **self.card}
