"""Time step and temperature of VASP dynamics, from INCAR tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.errors import InputError
from vitrion.transport.readers.text import PACKED, open_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAGS = (
    "POTIM", "TEBEG", "TEEND", "IBRION", "NBLOCK", "MDALGO", "SMASS", "ANDERSEN_PROB",
    "ML_LMLFF", "ML_MODE", "ML_OUTBLOCK",
)  # fmt: skip
"""INCAR tags of the dynamics."""

SAME_K = 1.0
"""Minimum difference of TEBEG and TEEND of a ramp, in K."""


@dataclass(frozen=True)
class RunSettings:
    """Time step and temperature of a VASP run, None if not stated.

    Attributes
    ----------
    step_fs : float or None
        Time between ionic steps.
    steps_per_frame : int or None
        Ionic steps between the frames of XDATCAR and vaspout.h5.
    temperature_K : float or None
        Constant temperature of a thermostat.
    no_temperature : str
        Why the temperature is None although TEBEG is stated.
    """

    step_fs: float | None = None
    steps_per_frame: int | None = 1
    temperature_K: float | None = None
    no_temperature: str = ""

    @property
    def frame_interval_fs(self) -> float | None:
        """Time between the frames of XDATCAR and vaspout.h5."""
        if self.step_fs is None or self.steps_per_frame is None:
            return None
        return self.step_fs * self.steps_per_frame


def run_settings(tags: Mapping[str, str], name: str) -> RunSettings:
    """Read the dynamics of a run from its tags.

    Parameters
    ----------
    tags : mapping of str to str
        The stated tags of `TAGS`.
    name : str
        Name of the file, for messages.

    Raises
    ------
    InputError
        If the run is not molecular dynamics.
    """
    ibrion = _number(tags, "IBRION")
    if ibrion not in {None, 0}:
        raise InputError(
            f"{name} is of a relaxation or of single points (IBRION = {ibrion:g}), not of "
            "molecular dynamics (IBRION = 0): its steps have no time between them."
        )
    temperature, why = _temperature(tags, name)
    return RunSettings(_number(tags, "POTIM"), _steps_per_frame(tags), temperature, why)


def has_learned_forces(tags: Mapping[str, str]) -> bool:
    """Whether a run uses a machine-learned force field."""
    return tags.get("ML_LMLFF", "").strip(" .").upper()[:1] in {"T", "1"}


def _steps_per_frame(tags: Mapping[str, str]) -> int | None:
    """Return NBLOCK, which is at least ML_OUTBLOCK in runs that only predict (VASP wiki, NBLOCK).

    None if neither is a multiple of the other: which steps are written is not documented.
    """
    every = int(_number(tags, "NBLOCK") or 1)
    predicts = tags.get("ML_MODE", "run").strip().upper().startswith("RUN")
    if has_learned_forces(tags) and predicts:
        least, every = sorted((every, int(_number(tags, "ML_OUTBLOCK") or 1)))
        return None if every % least else every
    return every


def _temperature(tags: Mapping[str, str], name: str) -> tuple[float | None, str]:
    start = _number(tags, "TEBEG")
    if start is None:
        return None, ""
    end = _number(tags, "TEEND")
    end = start if end is None else end
    if abs(end - start) > SAME_K:
        return None, (
            f"{name} states a ramp from {start:g} to {end:g} K (TEBEG, TEEND), which is not at one "
            "temperature."
        )
    algorithm, mass = _number(tags, "MDALGO"), _number(tags, "SMASS")
    if algorithm in {None, 0, 2} and mass in {None, -3}:
        return None, (
            f"{name} states constant energy (SMASS = -3{', the default' if mass is None else ''}): "
            f"TEBEG = {start:g} K is only where it started."
        )
    if algorithm == 1 and _number(tags, "ANDERSEN_PROB") == 0:
        return None, (
            f"{name} states constant energy (ANDERSEN_PROB = 0): TEBEG = {start:g} K is only where "
            "it started."
        )
    return start, ""


def _number(tags: Mapping[str, str], name: str) -> float | None:
    try:
        return float(tags[name].split()[0]) if name in tags else None
    except (ValueError, IndexError):
        return None


def settings_beside(path: Path) -> RunSettings:
    """Return the dynamics of the INCAR in the folder of a file, empty without an INCAR."""
    for ending in ("", *PACKED):
        incar = path.with_name(f"INCAR{ending}")
        if incar.is_file():
            with open_text(incar) as file:
                return run_settings(read_incar(file.read()), str(incar))
    return RunSettings()


def read_incar(text: str) -> dict[str, str]:
    """Return the tags of `TAGS` that an INCAR states; of a repeated tag, VASP uses the first."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        for statement in re.split(r"[#!]", line, maxsplit=1)[0].split(";"):
            name, sign, value = statement.partition("=")
            if sign and name.strip().upper() in TAGS and value.strip():
                found.setdefault(name.strip().upper(), value.strip())
    return found
