"""Files beside a student of the user: its crystals, labelled frames and held-out frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.distill.data.frames import read_frames
from vitrion.potentials.student import student_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ase import Atoms

CRYSTALS_SUFFIX, FRAMES_SUFFIX, HELDOUT_SUFFIX = ".crystals.xyz", ".frames.xyz", ".heldout.xyz"


def beside(name: str, suffix: str) -> Path:
    """Return the path of a file of a student."""
    return student_path(name).with_name(f"{name}{suffix}")


def student_frames(name: str, suffix: str) -> list[Atoms]:
    """Return the frames of a file beside a student; none if it does not exist."""
    path = beside(name, suffix)
    return read_frames(path) if path.is_file() else []


def student_crystals(name: str) -> dict[str, Atoms]:
    """Return the crystals of a student by name; none for other potentials."""
    return {str(a.info["name"]): a for a in student_frames(name, CRYSTALS_SUFFIX)}


def named_crystals(crystals: Mapping[str, Atoms]) -> list[Atoms]:
    """Return crystals as frames that carry their names."""
    frames = []
    for name, atoms in crystals.items():
        frame = atoms.copy()
        frame.info = {"name": name}
        frames.append(frame)
    return frames
