"""Short dynamics over a range of temperatures, from which the temperatures of production follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.conductivity.mean_cell import constant_pressure
from vitrion.conductivity.scan_settings import SKIPPED
from vitrion.conductivity.temperature_choice import (
    ScanPoint,
    TemperatureChoice,
    choose_temperatures,
)
from vitrion.dynamics.makers import without_velocities
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.run_result import TRAJECTORY_NAME
from vitrion.dynamics.workers import MDTask
from vitrion.errors import SimulationError
from vitrion.runtime.atomic import write_durably
from vitrion.runtime.progress import Progress, write_progress
from vitrion.transport.analysis import analyze_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pymatgen.core import Structure

    from vitrion.conductivity.conductivity_settings import ConductivitySettings
    from vitrion.documents.base import Phase

SCAN_FOLDER = "scan"
"""Folder of the runs of a scan."""

CHOICE_FILE = "temperatures.json"


def scan_tasks(
    structure: Structure, settings: ConductivitySettings, phase: Phase | None, root: Path
) -> list[MDTask]:
    """Prepare one run at each scanned temperature, and write their total duration.

    Runs are at constant pressure, or in the given cell if ``settings.density_ps`` is 0.
    """
    folder, md = root / SCAN_FOLDER, settings.md
    duration = settings.whole_frames(settings.scan.scan_ps)
    start, tasks = without_velocities(structure), []
    for number, temperature in enumerate(settings.scan.scanned_K):
        name = f"{SCAN_FOLDER}/{temperature:.0f}K"
        seed = int(np.random.SeedSequence([md.seed, number, 0, 2]).generate_state(1)[0])
        if settings.density_ps:
            own = constant_pressure(settings, phase, temperature, duration, seed)
        else:
            values = {"temperature_K": temperature, "duration_ps": duration, "seed": seed}
            own = MDSettings(**{**md.model_dump(), **values})
        tasks.append(MDTask(name, start, own, root / name))
    write_progress(folder, Progress(0.0, duration * len(tasks), "ps"), plan=True)
    return tasks


def choose_from_scan(
    structure: Structure,
    settings: ConductivitySettings,
    tasks: list[MDTask],
    failures: Mapping[str, str],
    root: Path,
) -> TemperatureChoice:
    """Analyze a finished scan, choose the temperatures, and write the choice.

    Raises
    ------
    SimulationError
        If the framework diffuses at all temperatures, or the coldest run failed.
    """
    if tasks[0].name in failures:
        raise SimulationError(
            f"The run at the lowest scanned temperature failed: {failures[tasks[0].name]}"
        )
    mobile = settings.charges_in(structure.composition)
    symbols = [site.specie.symbol for site in structure]
    framework = [symbol for symbol in symbols if symbol not in mobile]
    choice = choose_temperatures(
        [_point(task, mobile, failures) for task in tasks],
        settings.scan.n_temperatures,
        settings.first_ps * (1.0 + settings.extension),
        n_mobile=len(symbols) - len(framework),
        n_framework=min((framework.count(symbol) for symbol in framework), default=0),
    )
    write_durably(root / CHOICE_FILE, choice.model_dump_json())
    return choice


def read_choice(root: Path) -> TemperatureChoice | None:
    """Return the choice of an earlier call, or None."""
    path = root / CHOICE_FILE
    return TemperatureChoice.model_validate_json(path.read_text()) if path.is_file() else None


def _point(task: MDTask, mobile: Mapping[str, float], failures: Mapping[str, str]) -> ScanPoint:
    temperature = float(np.max(task.settings.temperature_K))
    length_ps = task.settings.duration_ps * (1.0 - SKIPPED)
    if task.name in failures:
        return ScanPoint(
            temperature_K=temperature,
            duration_ps=length_ps,
            moved_fraction=1.0,
            diffusivity=None,
            failure=failures[task.name],
        )
    result = analyze_file(
        str(task.directory / TRAJECTORY_NAME),
        list(mobile),
        temperature,
        skip_ps=task.settings.duration_ps * SKIPPED,
        spatial=False,
    )
    return ScanPoint(
        temperature_K=temperature,
        duration_ps=length_ps,
        moved_fraction=result.framework.moved_fraction if result.framework else 0.0,
        diffusivity=result.self_diffusivity,
    )
