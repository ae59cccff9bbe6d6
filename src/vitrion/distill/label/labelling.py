"""Label frames with a teacher: a calculator of this environment, or a program in another one.

A DFT code as the teacher runs in separate jobs: see
:class:`vitrion.distill.makers.LabelMaker`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from vitrion.distill.data.frames import read_labelled, write_frames
from vitrion.distill.data.origin import claim, digest_of_files
from vitrion.distill.label import label_program
from vitrion.distill.label.dispersion import add_dispersion, with_dispersion
from vitrion.errors import InputError
from vitrion.runtime.processes import run_checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


LABELS = "labels.json"
"""Name of the record of the teacher and the frames of a directory."""


class Teacher(BaseModel):
    """Teacher that labels frames, and its environment."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(
        description="sevennet:<model>, chgnet, mace:<file> or <module>:<factory of a calculator>."
    )
    python: Path | None = Field(
        None,
        description="Python interpreter of the teacher's environment; None: this one.",
    )
    device: str = Field("cpu", description="Torch device of the teacher.")
    dispersion: str | None = Field(
        None,
        description="Functional of the teacher, such as pbe, whose D3(BJ) correction is added to "
        "the labels; None for no correction.",
    )

    @property
    def is_registered(self) -> bool:
        """Whether the teacher is a potential of the registry; others are ``<package>:<model>``."""
        family, colon, _ = self.name.partition(":")
        return self.python is None and self.dispersion is None and (not colon or family == "mace")

    def command(self, frames: Path, labelled: Path) -> list[str]:
        """Return the command that labels ``frames`` into ``labelled``, a child of this process."""
        return [
            str(self.python or sys.executable),
            str(Path(label_program.__file__)),
            str(frames),
            str(labelled),
            "--teacher",
            self.name,
            "--device",
            self.device,
            "--parent",
            str(os.getpid()),
        ]


def label(frames: Sequence[Atoms], teacher: Teacher, directory: Path) -> list[Atoms]:
    """Label frames; repeat the call to resume after an interruption.

    Parameters
    ----------
    frames
        Frames to label; a repeated call needs the same frames in the same order.
    teacher
        The teacher.
    directory
        Directory of ``frames.xyz``, ``labelled.xyz``, ``label.log`` and the record
        ``labels.json``.

    Returns
    -------
    list of Atoms
        The frames with REF_energy, REF_forces and REF_stress, including dispersion if set in the
        teacher.

    Raises
    ------
    InputError
        If there are no frames, the directory holds labels of other frames or of another teacher, or
        the interpreter does not exist.
    SimulationError
        If the teacher fails; the message contains its last output.
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
