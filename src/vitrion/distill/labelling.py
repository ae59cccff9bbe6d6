"""Labels from a teacher: a calculator of this environment, or a program in another one.

A DFT code is a third kind of teacher; it runs as jobs of its own, see
:class:`vitrion.distill.makers.LabelMaker`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from vitrion.distill import label_program
from vitrion.distill.dispersion import add_dispersion, with_dispersion
from vitrion.distill.frames import read_labelled, write_frames
from vitrion.distill.origin import claim, digest_of_files
from vitrion.errors import InputError
from vitrion.runtime.processes import run_checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


LABELS = "labels.json"
"""Name of the record of who labelled which frames of a directory."""


class Teacher(BaseModel):
    """Who labels, and where it runs."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(
        description="sevennet:<model>, chgnet, mace:<file> or <module>:<factory of a calculator>."
    )
    python: Path | None = Field(
        None,
        description="Interpreter of the environment that holds the teacher; None: this one.",
    )
    device: str = Field("cpu", description="Torch device of the teacher.")
    dispersion: str | None = Field(
        None,
        description="Functional of the teacher, such as pbe, whose D3(BJ) correction is added to "
        "the labels; None adds none.",
    )

    def command(self, frames: Path, labelled: Path) -> list[str]:
        """Return the command that labels ``frames`` into ``labelled``."""
        return [
            str(self.python or sys.executable),
            str(Path(label_program.__file__)),
            str(frames),
            str(labelled),
            "--teacher",
            self.name,
            "--device",
            self.device,
        ]


def label(frames: Sequence[Atoms], teacher: Teacher, directory: Path) -> list[Atoms]:
    """Label frames; a call that was killed goes on where it stopped when it is repeated.

    Parameters
    ----------
    frames
        Frames to label; they must be the same, in the same order, when the call is repeated.
    teacher
        Who labels.
    directory
        Keeps ``frames.xyz``, ``labelled.xyz``, ``label.log`` and, in ``labels.json``, who labelled
        which frames.

    Returns
    -------
    list of Atoms
        The frames with REF_energy, REF_forces and REF_stress, dispersion included if the teacher
        asks for it.

    Raises
    ------
    InputError
        If there are no frames, the directory holds labels of other ones or by another teacher, or
        the interpreter does not exist.
    SimulationError
        If the teacher fails; its last words are in the message.
    """
    if not frames:
        raise InputError("There are no frames to label.")
    if teacher.python is not None and not teacher.python.is_file():
        raise InputError(f"The teacher's interpreter {teacher.python} does not exist.")
    directory.mkdir(parents=True, exist_ok=True)
    source, target = directory / "frames.xyz", directory / "labelled.xyz"
    partial = write_frames(directory / "frames.new.xyz", frames)
    origin = {"frames": digest_of_files(partial), "teacher": teacher.model_dump(mode="json")}
    try:
        claim(directory / LABELS, origin, [target])
    except InputError:
        partial.unlink()
        raise
    partial.replace(source)
    if teacher.dispersion is None:
        run_checked(teacher.command(source, target), directory / "label.log")
    else:
        plain = directory / "labelled-without-dispersion.xyz"
        run_checked(teacher.command(source, plain), directory / "label.log")
        labelled = [add_dispersion(a, teacher.dispersion) for a in read_labelled([plain])]
        write_frames(target, with_dispersion(labelled))
    return read_labelled([target])
