"""Settings of a distillation: what to sample, how to fit, how to validate."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import Field, field_validator, model_validator

from vitrion.distill.sample.sampling_settings import SamplingSettings
from vitrion.distill.train.fit_settings import FitSettings
from vitrion.errors import InputError
from vitrion.potentials.registry import BUILT_IN
from vitrion.potentials.spec import MACE_PREFIX, sha256_of
from vitrion.runtime.nested_values import check_names, merge, parse_setting, plain_values
from vitrion.runtime.preset_files import Presets
from vitrion.runtime.settings_model import Option, SettingsModel, walk_fields

if TYPE_CHECKING:
    from typing import Self

    from vitrion.distill.label.labelling import Teacher

LABELLED_SUFFIXES = (".xyz", ".extxyz", ".gz")
PRESETS = Presets("vitrion.distill", "last_fit", "epochs")
"""Presets of distillation."""
STANDARD = "standard"
"""The preset whose students have no preset in their names."""

NAME = re.compile(r"[a-z][a-z0-9._-]{1,60}")


class StabilitySettings(SettingsModel):
    """Hot, long runs after the last fit; the student is trained on what leads to their failures."""

    iterations: int = Field(
        3, ge=0, le=20, description="Iterations of runs, labels and a fit, until no run fails."
    )
    runs: int = Field(10, ge=1, le=1000, description="Runs of dynamics in an iteration.")
    run_ps: float = Field(25.0, gt=0, le=1000, description="Length of a run, ps.")
    overheating: float = Field(
        1.25, ge=1, le=3, description="Temperature of the runs over the highest one of use."
    )
    kept: int = Field(60, ge=1, le=100_000, description="Frames of an iteration that are kept.")


class ValidationSettings(SettingsModel):
    """Runs on which a new student is validated."""

    temperatures_K: tuple[float, ...] = Field(
        (300.0, 550.0, 800.0), min_length=1, description="Temperatures of the held-out dynamics, K."
    )
    frames: int = Field(4, ge=1, le=100, description="Frames of each run and temperature.")
    glasses: int = Field(2, ge=0, le=20, description="Quenched cells of each formula.")
    n_atoms: int = Field(56, ge=8, le=1000, description="Atoms of a quenched cell, at least.")
    drift_ps: float = Field(4.0, ge=0.2, le=1000, description="Run at constant energy, ps.")
    hot_runs: Annotated[int, Option("--hot-runs")] = Field(
        20, ge=0, le=1000, description="Runs at the highest temperature that test the stability."
    )
    hot_ps: Annotated[float, Option("--hot-ps")] = Field(
        50.0, ge=0.1, le=10_000, description="Duration of each of these runs in ps."
    )


class DistillSettings(SettingsModel):
    """Complete definition of a distillation.

    Examples
    --------
    >>> settings = DistillSettings.from_preset("quick", formulas=["Na3PS4"])
    >>> settings.student_name, settings.teacher
    ('na3ps4-chgnet-quick', 'chgnet')
    """

    formulas: tuple[str, ...] = Field((), description="Compositions, such as Na3PS4.")
    structures: tuple[dict[str, Any], ...] = Field(
        (), description="Crystals, as pymatgen's dictionaries."
    )
    teacher: Annotated[str, Option("--teacher")] = Field(
        "chgnet",
        description="A potential (vitrion potential list), sevennet:<model>, <module>:<factory of "
        "a calculator>, or an extxyz file of labelled frames.",
    )
    python: Annotated[Path | None, Option("--python")] = Field(
        None, description="Interpreter of the teacher's own environment."
    )
    dispersion: Annotated[str | None, Option("--dispersion")] = Field(
        None, description="Functional whose D3(BJ) correction is added to the labels, such as pbe."
    )
    name: Annotated[str | None, Option("--name")] = Field(
        None, description="Name of the student; None for formulas and teacher."
    )
    mobile: Annotated[str | None, Option("--mobile")] = Field(
        None, description="Mobile species; None for the usual mobile cation."
    )
    allow_unbalanced: Annotated[bool, Option("--allow-unbalanced")] = Field(
        False, description="Accept formulas that are not charge-neutral."
    )
    begin: Annotated[str, Option("--begin")] = Field(
        "vitrion-lipof", description="Student whose weights are the initial weights."
    )
    seed: Annotated[int, Option("--seed")] = Field(
        0, ge=0, description="Seed of all random numbers."
    )
    sampling: SamplingSettings = Field(
        default_factory=SamplingSettings, description="Frames to learn from."
    )
    first_fit: FitSettings = Field(
        default_factory=FitSettings, description="Fit to the first frames."
    )
    iteration_fit: FitSettings = Field(
        default_factory=FitSettings, description="Fit after each iteration, to all frames."
    )
    last_fit: FitSettings = Field(
        default_factory=FitSettings, description="Last fit, to all frames."
    )
    stability: StabilitySettings = Field(
        default_factory=StabilitySettings, description="Hot runs that look for failures."
    )
    stability_fit: FitSettings = Field(
        default_factory=FitSettings, description="Fit to the frames of failures and all others."
    )
    validation: ValidationSettings = Field(
        default_factory=ValidationSettings, description="Validation of the student."
    )

    @field_validator("name")
    @classmethod
    def _is_name(cls, name: str | None) -> str | None:
        if name is not None and (not NAME.fullmatch(name) or name in BUILT_IN):
            raise InputError(
                f"name is '{name}', but must be lower-case letters, digits, dots and hyphens, and "
                "not the name of another potential."
            )
        return name

    @model_validator(mode="after")
    def _temperatures(self) -> Self:
        if self.sampling.coldest_K >= self.sampling.hottest_K:
            raise InputError(
                f"The lowest temperature {self.sampling.coldest_K:g} K must be below the highest "
                f"{self.sampling.hottest_K:g} K."
            )
        return self

    @classmethod
    def from_preset(cls, preset: str = STANDARD, **changes: Any) -> Self:
        """Return the settings of a preset (``quick`` or ``standard``), with changes.

        A student of another preset than ``standard`` has the preset in its name.

        Raises
        ------
        InputError
            If the preset or a field is unknown, or a value is not allowed.
        """
        known = [".".join(path) for path, _ in walk_fields(cls)]
        check_names(changes, cls, known)
        made = cls(**merge(PRESETS.values(preset), plain_values(changes), cls))
        if preset == STANDARD or made.name is not None or not made.formulas:
            return made
        return made.model_copy(update={"name": f"{made.student_name[:50]}-{preset}"})

    @property
    def labeller(self) -> Teacher | None:
        """The teacher that labels frames; None if the frames are labelled already."""
        from vitrion.distill.label.labelling import Teacher

        if Path(self.teacher).suffix in LABELLED_SUFFIXES:
            return None
        through_program = self.is_registered and self.dispersion is not None
        name = f"vitrion:{self.teacher}" if through_program else self.teacher
        return Teacher(name=name, python=self.python, dispersion=self.dispersion)

    @property
    def is_registered(self) -> bool:
        """Whether the teacher is a potential of the registry."""
        family, colon, _ = self.teacher.partition(":")
        return self.python is None and (not colon or family == "mace")

    @property
    def searched_formulas(self) -> list[str]:
        """Compositions without a given crystal: theirs are searched for."""
        from pymatgen.core import Composition

        from vitrion.chemistry.decoding import structure_from_dict

        given = {structure_from_dict(each).composition.reduced_formula for each in self.structures}
        return [f for f in self.formulas if Composition(f).reduced_formula not in given]

    @property
    def student_name(self) -> str:
        """Name of the student: as set, or formulas and teacher."""
        if self.name is not None:
            return self.name
        teacher = re.sub(r"[^a-z0-9]+", "-", Path(self.teacher).stem.lower()).strip("-")
        return f"{'-'.join(self.formulas).lower()}-{teacher}"[:60]

    @property
    def run_id(self) -> str:
        """Name of the folder: the student and a hash of all settings and of a teacher's file."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        file = Path(self.teacher.removeprefix(MACE_PREFIX)).expanduser()
        if file.suffix and file.is_file():  # labelled frames or a model
            text += sha256_of(file)
        return f"{self.student_name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def to_yaml(self) -> str:
        """Return the settings as YAML, from which the distillation can be repeated."""
        values = self.model_dump(mode="json", exclude=None if self.structures else {"structures"})
        return yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=100)


def parse_distill_setting(text: str) -> dict[str, Any]:
    """Return the nested values of ``name=value``, such as ``sampling.iterations=6``.

    Raises
    ------
    InputError
        If the text is malformed, or the name is unknown.
    """
    known = {".".join(path): field for path, field in walk_fields(DistillSettings)}
    return parse_setting(text, DistillSettings, known, "sampling.iterations=6")
