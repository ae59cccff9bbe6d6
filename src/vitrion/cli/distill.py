"""The command ``distill``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitrion.cli.options import (
    DEFAULT_PRESET,
    DryRunOption,
    FolderOption,
    SettingsSource,
    WorkersOption,
    takes_settings,
)
from vitrion.cli.places import results_folder, worker_count
from vitrion.cli.printing import say
from vitrion.distill.distill_settings import PRESETS, DistillSettings, parse_distill_setting

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class DistillOptions:
    """Options of the command: nested values, preset and settings file."""

    changes: dict[str, Any]
    preset: str | None
    file: Path | None

    def settings(self, items: Sequence[str]) -> DistillSettings:
        """Return complete, checked settings for the arguments of the command."""
        from vitrion.distill.distill_request import checked, read_request
        from vitrion.runtime.nested_values import merge
        from vitrion.runtime.preset_files import read_settings_file

        file = self.file
        stated, preset = ({}, None) if file is None else read_settings_file(file, "settings")
        request = read_request(items) if items else {}
        name = self.preset or preset or DEFAULT_PRESET
        values = merge(merge(stated, self.changes, DistillSettings), request, DistillSettings)
        return checked(DistillSettings.from_preset(name, **values))


SOURCE = SettingsSource(
    DistillSettings,
    PRESETS,
    parse_distill_setting,
    DEFAULT_PRESET,
    "sampling.iterations=6",
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example:  vitrion distill Na3PS4 --teacher chgnet")(distill)


@takes_settings(SOURCE, DistillOptions)
def distill(
    items: Annotated[
        list[str] | None,
        typer.Argument(help="Compositions, lists of them (.txt, .csv), or structure files."),
    ] = None,
    *,
    options: DistillOptions,
    store: FolderOption = None,
    workers: WorkersOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Make a fast potential for a chemistry: a small model that imitates a slow teacher.

    The student is found by its name afterwards: vitrion run Na3PS4 --potential NAME. Rerun the
    command to resume an interrupted distillation.
    """
    from vitrion.distill.distill_plan import plan_lines
    from vitrion.distill.distillation import distill as make_student
    from vitrion.potentials.student import student_card

    settings = options.settings(items or [])
    count = worker_count(workers)
    lines = plan_lines(settings, count)
    if dry_run:
        for line in lines:
            print(f"# {line}")
        print(settings.to_yaml(), end="")
        return
    folder = results_folder(store) / "distill" / settings.run_id
    for line in [*lines[:2], f"folder {folder}"]:
        say(line)
    path = make_student(settings, folder, workers=count, report=say)
    print_card(student_card(settings.student_name), path)


def print_card(card: dict[str, Any], path: Path) -> None:
    """Print the errors, densities and endurance on the card of a student."""
    from vitrion.cli.validate import show_comparison
    from vitrion.distill.validate.teacher_comparison import TeacherComparison

    comparison = TeacherComparison.model_validate(
        {
            "potential": card["name"],
            "teacher": card["teacher"],
            "errors": card["validation"],
            **{key: card.get(key) for key in ("cells", "drift", "hot_runs", "failure")},
        }
    )
    show_comparison(comparison)
    say(f"{path} (SHA-256 {card['sha256']})")
    if comparison.failure is None:
        say(f"Use it:  vitrion run {card['settings']['formulas'][0]} --potential {card['name']}")
