"""Options shared by several commands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from vitrion.cli.completion import (
    complete_phase,
    complete_potential,
    from_call,
    one_of,
)
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic.fields import FieldInfo

    from vitrion.flows.recipe import Recipe
    from vitrion.runtime.preset_files import Presets
    from vitrion.runtime.settings_model import Option, SettingsModel

DEFAULT_STORE = "default: VITRION_STORE, else vitrion_data"

FolderOption = Annotated[
    Path | None,
    typer.Option("--store", "-s", help=f"Folder for results and trajectories ({DEFAULT_STORE})."),
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", "-s", help=f"Folder of the results, or a jobflow.yaml ({DEFAULT_STORE})."
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(help="Single-threaded processes; default: one per core.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        help="auto, cpu, cuda or cuda:1; auto uses a GPU for potentials without native evaluation.",
        autocompletion=one_of("auto", "cpu", "cuda"),
    ),
]
PhaseOption = Annotated[
    str | None,
    typer.Option(
        help="crystalline, amorphous or liquid (or crystal, glass, melt).",
        autocompletion=complete_phase,
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")]
LaunchpadOption = Annotated[
    Path | None,
    typer.Option(
        "--launchpad", "-l", help="my_launchpad.yaml; default: the launchpad of FW_config.yaml."
    ),
]


FIGURE_FORMATS = ("svg", "png", "pdf")
FigureFormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="Format of the figures: svg, png or pdf.",
        autocompletion=one_of(*FIGURE_FORMATS),
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan and the complete recipe without running.")
]
DEFAULT_PRESET = "standard"
RECIPE_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class RecipeOptions:
    """Recipe options of a command.

    Attributes
    ----------
    changes : dict
        Nested values set by options.
    defaults : dict
        Nested values of lowest priority.
    file : Path or None
        Recipe file.
    preset : str or None
        Preset named by the user.
    default_preset : str or None
        Used if neither the user nor the file names one; None for the defaults of the settings.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    preset: str | None = None
    default_preset: str | None = DEFAULT_PRESET

    def with_changes(self, changes: dict[str, Any]) -> RecipeOptions:
        """Return the options with further nested values."""
        from vitrion.flows.recipe import Recipe
        from vitrion.runtime.nested_values import merge

        return replace(self, changes=merge(self.changes, changes, Recipe))

    def recipe(self, target: str | None = None) -> Recipe:
        """Return the recipe of a formula or of a recipe file; it may be incomplete.

        Raises
        ------
        InputError
            If a value is invalid, or two recipe files or presets are named.
        """
        from vitrion.flows.recipe import Recipe
        from vitrion.flows.recipe_file import read_recipe_file
        from vitrion.runtime.nested_values import merge

        file, formula = self.file, target
        if target is not None and target.endswith(RECIPE_SUFFIXES):
            if file is not None:
                raise InputError(f"{target} and {file} are both recipes: name one of them.")
            file, formula = Path(target), None
        stated, preset = ({}, None) if file is None else read_recipe_file(file)
        if file is not None and self.preset is not None:
            raise InputError(f"Set 'preset: {self.preset}' in {file}, or remove --preset.")
        values = merge(merge(self.defaults, stated, Recipe), self.changes, Recipe)
        if formula is not None:
            values["formula"] = formula
        return Recipe.from_values(values, preset=preset or self.preset or self.default_preset)

    def recipes(self, targets: Sequence[str]) -> list[Recipe]:
        """Return a complete recipe for each formula or recipe file.

        Raises
        ------
        InputError
            If a setting is not supported, or one structure file is given for several compositions.
        """
        from vitrion.flows.given_crystal import names_file
        from vitrion.flows.run_recipe import complete_recipe

        source = self.changes.get("crystal")
        if source is not None and names_file(source) and len(targets) > 1:
            raise InputError(
                f"{source} cannot be the crystal of {len(targets)} compositions: name only one."
            )
        return [complete_recipe(self.recipe(target)) for target in targets]


def check_figure_format(name: str) -> None:
    """Refuse an unknown format of figures.

    Raises
    ------
    InputError
        If it is unknown.
    """
    if name not in FIGURE_FORMATS:
        raise InputError(f"The format must be one of {', '.join(FIGURE_FORMATS)}, not '{name}'.")


def takes_recipe(
    default_preset: str | None = DEFAULT_PRESET, sections: Sequence[str] = (), **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the parameter ``options`` of a command by the options of a recipe.

    Parameters
    ----------
    default_preset : str or None
        Preset of the command; None for the defaults of the settings.
    sections : sequence of str
        Sections and fields of the recipe that the command uses; empty for all.
    **defaults
        Defaults of the command for fields of the recipe.
    """
    from vitrion.flows.recipe import Recipe, parse_recipe_setting
    from vitrion.flows.recipe_file import PRESETS

    def made(changes: dict[str, Any], preset: str | None, file: Path | None) -> RecipeOptions:
        return RecipeOptions(changes, defaults, file, preset, default_preset)

    source = SettingsSource(
        Recipe,
        PRESETS,
        parse_recipe_setting,
        default_preset,
        f"{sections[0]}.max_{'sites' if sections[0] == 'defects' else 'iterations'}=4"
        if sections
        else "glass.melt_ps=10",
        tuple(sections),
    )
    return takes_settings(source, made, defaults)


@dataclass(frozen=True)
class SettingsSource:
    """Settings whose fields with an ``Option`` become options of a command.

    Attributes
    ----------
    model : type
    presets : Presets
    parse : callable
        Returns the nested values of ``name=value``.
    default_preset : str or None
    example : str
        Example of a setting in the help.
    sections : tuple of str
        Sections and fields that the command uses; empty for all.
    """

    model: type[SettingsModel]
    presets: Presets
    parse: Callable[[str], dict[str, Any]]
    default_preset: str | None
    example: str
    sections: tuple[str, ...] = ()

    def uses(self, name: str) -> bool:
        """Return whether the command uses a section or field of the top level."""
        return not self.sections or name in self.sections

    def parsed(self, text: str) -> dict[str, Any]:
        """Return the nested values of ``name=value``.

        Raises
        ------
        InputError
            If the setting is unknown, or the command does not use it.
        """
        values = self.parse(text)
        if not all(self.uses(name) for name in values):
            raise InputError(
                f"The setting {text.partition('=')[0].strip()} is not used here: set one of "
                f"{', '.join(self.sections)}."
            )
        return values


def takes_settings(
    source: SettingsSource,
    made: Callable[[dict[str, Any], str | None, Path | None], Any],
    defaults: dict[str, Any] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the parameter ``options`` of a command by the options of settings.

    Parameters
    ----------
    source : SettingsSource
    made : callable
        Makes the argument ``options`` of nested values, preset and settings file.
    defaults : dict
        Defaults of the command for fields.
    """
    from vitrion.runtime.nested_values import merge, nested

    fields_of = _option_fields(source)
    shared = [*_file_options(source), *_field_options(source, fields_of, defaults or {})]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**values: Any) -> None:
            own = {each.name: values.pop(each.name) for each in shared}
            changes: dict[str, Any] = {}
            for name, (path, _, option) in fields_of.items():
                if own[name] is not None:
                    for where, value in ((path, own[name]), *option.also):
                        changes = merge(changes, nested(where, value), source.model)
            for text in own["set_fields"] or ():
                changes = merge(changes, source.parsed(text), source.model)
            command(**values, options=made(changes, own["preset"], own["recipe"]))

        parameters: list[Parameter] = []
        for own in signature(command, eval_str=True).parameters.values():
            replaced = own.name == "options"
            parameters += shared if replaced else [own.replace(kind=Parameter.KEYWORD_ONLY)]
        called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate


def _option_fields(source: SettingsSource) -> dict[str, tuple[str, FieldInfo, Option]]:
    """Return dotted name, field and option of each field with an option, by parameter name."""
    from vitrion.runtime.settings_model import Option, walk_fields

    found = {}
    for path, part in walk_fields(source.model):
        for option in part.metadata:
            if isinstance(option, Option) and source.uses(path[0]):
                parameter = option.name.partition("/")[0].removeprefix("--").replace("-", "_")
                found[parameter] = ".".join(path), part, option
    return found


def _file_options(source: SettingsSource) -> list[Parameter]:
    preset = typer.Option(
        "--preset",
        help=f"{', '.join(source.presets.names())}.",
        show_default=source.default_preset or False,
        autocompletion=from_call(source.presets.names),
    )
    recipe = typer.Option("--recipe", help="Recipe file; options override it.")
    setting = typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help=f"Any setting, such as {source.example}; repeatable.",
    )
    return [
        _option("preset", str | None, preset),
        _option("recipe", Path | None, recipe),
        _option("set_fields", list[str] | None, setting),
    ]


def _field_options(
    source: SettingsSource,
    fields_of: dict[str, tuple[str, FieldInfo, Option]],
    defaults: dict[str, Any],
) -> list[Parameter]:
    preset = source.presets.values(DEFAULT_PRESET)
    shared = []
    for name, (path, part, option) in fields_of.items():
        section, _, own = path.rpartition(".")
        stated = own in (preset.get(section, {}) if section else preset)
        default = defaults.get(path, part.get_default(call_default_factory=False))
        shown: str | bool = "the preset's" if stated else str(default)
        if isinstance(default, bool) or default is None:
            shown = False
        declared = typer.Option(
            option.name,
            help=option.help or _help(part),
            show_default=shown,
            autocompletion=_completion(name, part.annotation),
        )
        shared.append(_option(name, _typer_kind(part.annotation), declared))
    return shared


def _help(field: FieldInfo) -> str:
    """Return the description of a field, whose None is the option left out."""
    return (field.description or "").replace("None for", "default:")


def _completion(name: str, annotation: Any) -> Callable[[str], list[str]] | None:
    """Return the completion of an option with a fixed choice."""
    if name == "potential":
        return complete_potential
    return one_of(*get_args(annotation)) if get_origin(annotation) is Literal else None


def _option(name: str, kind: Any, declared: Any) -> Parameter:
    annotation = Annotated[kind, declared]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _typer_kind(annotation: Any) -> Any:
    """Return the type of an option; lists and choices are strings."""
    kinds = {annotation, *get_args(annotation)}
    for kind in (bool, int, float):
        if kind in kinds and get_origin(annotation) is not tuple:
            return kind | None
    return str | None
