"""The recipe: the complete definition of a run as one tree of settings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, model_validator

from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.chemistry.phases import read_phase
from vitrion.chemistry.species import mobile_label, mobile_symbols
from vitrion.chemistry.structures import structure_as_json
from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.defect_route_settings import DefectConductivitySettings
from vitrion.errors import SettingError
from vitrion.flows.recipe_file import PRESETS, read_recipe_file
from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
from vitrion.polymorphs.search_settings import SearchSettings
from vitrion.runtime.nested_values import (
    ABSENT,
    check_names,
    lookup,
    merge,
    nested,
    parse_setting,
    plain_values,
)
from vitrion.runtime.settings_model import Option, SettingsModel, walk_fields

if TYPE_CHECKING:
    from typing import Self, Unpack

    from pydantic.fields import FieldInfo

    from vitrion.flows.recipe_changes import PresetName, RecipeChanges

Phases = Literal["both", "crystalline", "amorphous"]
"""Phases of a run: the crystal, the glass, or both."""
SHARED = {
    "seed": ("glass.seed", "conductivity.md.seed", "defects.seed"),
    "mobile": ("conductivity.mobile", "defects.mobile"),
    "timestep_fs": ("glass.timestep_fs", "conductivity.md.timestep_fs"),
    "pressure_GPa": (
        "glass.pressure_GPa",
        "conductivity.pressure_GPa",
        "search.relax.pressure_GPa",
    ),
    "phase": ("defects.phase",),
    "conductivity.temperatures_K": ("conductivity.md.temperature_K",),
    "conductivity.first_ps": ("conductivity.md.duration_ps",),
    "conductivity.mobile": ("conductivity.md.mobile",),
}
"""Settings (values) derived from another setting of the recipe (keys)."""
HASHED_FILE = re.compile(r'(?<=")[^"]*(?=#[0-9a-f]{64}")')
"""Path of a file with its hash, in JSON."""
WHOLE_RUN = ("seed", "mobile", "timestep_fs", "pressure_GPa")
"""Keys of `SHARED` that apply to the whole run."""


def _crystal_barriers() -> BarrierSettings:
    return BarrierSettings(mechanisms=("vacancy", "interstitial"), attempt_frequencies=True)


def _formula_text(value: Any) -> Any:
    """Return the formula of a Composition or of amounts of elements; other values unchanged."""
    amounts = isinstance(value, Mapping) or hasattr(value, "to_dict")  # or a pandas Series
    return usual_formula(parse_composition(value)) if amounts else value


class Recipe(SettingsModel):
    """Complete definition of a run; with the same version of vitrion it determines the result.

    The sections ``search``, ``glass``, ``conductivity`` and ``defects`` are the settings of the
    Makers. Seed, mobile species, time step and pressure are stated once and apply to all sections.

    Examples
    --------
    >>> recipe = Recipe.from_preset("quick", formula="LiPO2F2", glass={"n_atoms": 48}, seed=7)
    >>> recipe.glass.n_atoms, recipe.glass.seed, recipe.conductivity.temperatures_K
    (48, 7, (500.0, 550.0, 600.0))
    """

    formula: Annotated[str | None, BeforeValidator(_formula_text)] = Field(
        None, description="Composition, such as LiPO2F2."
    )
    phase: Annotated[Phases, Option("--phase"), BeforeValidator(read_phase)] = Field(
        "both", description="What to compute: both, crystalline or amorphous."
    )
    crystal: Annotated[
        str | dict[str, Any] | None, Option("--structure"), BeforeValidator(structure_as_json)
    ] = Field(
        None,
        description="Structure file of the crystal, instead of a search; 'known' for the crystal "
        "of the package, unless a file has that name.",
    )
    potential: Annotated[str | None, Option("--potential")] = Field(
        None, description="Name of the potential (vitrion potential list)."
    )
    potential_sha256: str | None = Field(
        None, description="Required SHA-256 of the potential file."
    )
    reference_potential: str | None = Field(
        "chgnet",
        description="Second potential for a comparison of forces on a few frames of every run; "
        "None for no comparison.",
    )
    mobile: Annotated[str | None, Option("--mobile")] = Field(
        None,
        description="Mobile species, such as Li or Li,O; None for the usual mobile cation. Defects "
        "are computed for the first.",
    )
    seed: Annotated[int, Option("--seed")] = Field(
        0, ge=0, description="Seed of all random numbers."
    )
    timestep_fs: Annotated[float | None, Option("--timestep")] = Field(
        None,
        ge=0.01,
        le=20,
        description="Time step of all dynamics in fs; None for 2, or 0.5 with hydrogen.",
    )
    pressure_GPa: float = Field(
        0.0,
        ge=-10,
        le=1000,
        description="Pressure in GPa of crystal and glass; a search needs 0.",
    )
    landscape: Annotated[bool, Option("--landscape/--no-landscape")] = Field(
        True, description="Compute defects and the site-energy landscape."
    )
    allow_unbalanced: Annotated[bool, Option("--allow-unbalanced")] = Field(
        False, description="Accept a formula that is not charge-neutral."
    )
    n_replicas: Annotated[int, Option("--replicas")] = Field(
        3, ge=1, le=100, description="Number of independent glasses."
    )
    supercell_side_A: float = Field(
        11.0,
        gt=0,
        le=200,
        description="Minimum width of the crystal's supercell for dynamics in A.",
    )
    search_jobs: int = Field(
        2, ge=1, le=1000, description="Parallel jobs of each iteration of the search."
    )
    search: SearchSettings = Field(
        default_factory=SearchSettings, description="Search for the crystal."
    )
    glass: MeltQuenchSettings = Field(
        default_factory=MeltQuenchSettings, description="Melt and quench of each glass."
    )
    conductivity: ConductivitySettings = Field(
        default_factory=ConductivitySettings, description="Dynamics and precision."
    )
    defects: DefectSettings = Field(
        default_factory=DefectSettings, description="Defects, barriers and landscape."
    )
    crystal_first_ps: float | None = Field(
        None,
        gt=0,
        le=1e7,
        description="Analyzed duration of every run of the crystal in ps, if shorter than for the "
        "glass; None for the same duration.",
    )
    crystal_barriers: BarrierSettings | None = Field(
        default_factory=_crystal_barriers,
        description="Barriers of the crystal's defects, for its conductivity if no diffusion is "
        "observed in its dynamics; None to skip.",
    )
    defect_route: DefectConductivitySettings = Field(
        default_factory=DefectConductivitySettings,
        description="Conductivity of the crystal from its defects.",
    )

    @model_validator(mode="before")
    @classmethod
    def _share(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Copy the shared settings to the sections; refuse sections that set them."""
        given = plain_values(values)
        if given.get("mobile") is not None:
            given = {**given, "mobile": mobile_label(given["mobile"])}
        for source, targets in SHARED.items():
            for target in targets:
                if lookup(given, target) is not ABSENT:
                    raise SettingError(target, f"is derived from {source}: set {source} only.")
                value = given.get(source)
                if value is not None and source in WHOLE_RUN:
                    if target == "defects.mobile":  # defects are computed for one species
                        value = mobile_symbols(value)[0]
                    given = merge(given, nested(target, value), cls)
        return given

    @classmethod
    def from_preset(
        cls, preset: PresetName | str = "standard", **changes: Unpack[RecipeChanges]
    ) -> Self:
        """Return the recipe of a preset, with changes.

        Parameters
        ----------
        preset : str
            ``quick``, ``standard`` or ``paper``.
        **changes
            Changed fields; a dictionary changes a part of a section, such as
            ``glass={"n_atoms": 48}``.

        Raises
        ------
        InputError
            If the preset or a field is unknown, or a value is not allowed.
        """
        return cls.from_values(changes, preset=preset)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], preset: str | None = None) -> Self:
        """Return the recipe of nested values, on top of a preset; see :meth:`from_preset`."""
        check_names(values, cls, settable())
        base = {} if preset is None else PRESETS.values(preset)
        return cls(**merge(base, plain_values(values), cls))

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a recipe from a YAML file; see :func:`read_recipe_file`."""
        values, preset = read_recipe_file(Path(path))
        return cls.from_values(values, preset=preset)

    def replace(self, **changes: Unpack[RecipeChanges]) -> Self:
        """Return the recipe with changes; see :meth:`from_preset`."""
        check_names(changes, type(self), settable())
        return type(self)(**merge(self.values(), plain_values(changes), type(self)))

    def values(self) -> dict[str, Any]:
        """Return the recipe as JSON, without derived fields."""
        found = self.model_dump(mode="json")
        for targets in SHARED.values():
            for target in targets:
                *sections, name = target.split(".")
                section = found
                for part in sections:
                    section = section[part]
                del section[name]
        if self.conductivity.has_default_frames:
            del found["conductivity"]["md"]["save_interval_fs"]  # derived from the time step
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON with monty's tags."""
        tags = {"@module": type(self).__module__, "@class": type(self).__name__}
        return {**tags, **self.values()}

    def to_yaml(self, *names: str) -> str:
        """Return the recipe, or the named sections and fields, as YAML that commands read."""
        values = self.values()
        shown = {name: values[name] for name in names or values}
        return yaml.safe_dump(shown, sort_keys=False, default_flow_style=None, width=100)

    @property
    def run_id(self) -> str:
        """Name of the run: formula, phase and a hash of the whole recipe."""
        return name_run(f"{self.formula}-{self.phase}", self.values())


def settable() -> dict[str, FieldInfo]:
    """Return the settings of a recipe by dotted name, sections and their settings included."""
    derived = {target for targets in SHARED.values() for target in targets}
    named = {".".join(path): field for path, field in walk_fields(Recipe)}
    return {name: field for name, field in named.items() if name not in derived}


def parse_recipe_setting(text: str) -> dict[str, Any]:
    """Return the nested values of ``name=value``, such as ``glass.n_atoms=48``.

    Raises
    ------
    InputError
        If the text is malformed, or the name is unknown.
    """
    return parse_setting(text, Recipe, settable(), "glass.n_atoms=48")


def name_run(subject: str, content: Any) -> str:
    """Name a run by its subject and a hash of everything that determines its result.

    Parameters
    ----------
    subject : str
    content
        Everything that determines the result, such as a Maker with its composition. Of a file with
        its hash, ``<path>#<sha256>``, the hash counts.
    """
    from monty.json import MontyEncoder

    text = HASHED_FILE.sub("", json.dumps(content, sort_keys=True, cls=MontyEncoder))
    return f"{subject}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
