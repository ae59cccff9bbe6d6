"""Compare a potential with its teacher: errors by regime, densities, energy drift, endurance."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.label.dispersion import (
    D3_ENERGY,
    add_dispersion,
    damping_of,
    with_dispersion,
    without_dispersion,
)
from vitrion.distill.label.label_program import label_frame
from vitrion.distill.label.labelling import Teacher, label
from vitrion.distill.sample.packed_cells import enlarged
from vitrion.distill.student.student_files import student_crystals
from vitrion.distill.validate.endurance import EnergyDrift, HotRun, energy_drift, hot_run
from vitrion.distill.validate.heldout import RegimeStart, heldout_frames
from vitrion.distill.validate.properties import (
    CRYSTALS,
    CellDifference,
    cell_differences,
    crystal_frames,
)
from vitrion.distill.validate.regime_errors import RegimeError, regime_errors, with_regimes
from vitrion.errors import InputError
from vitrion.potentials import check_elements, get_potential, load_calculator
from vitrion.potentials.student import is_student, student_card
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from vitrion.potentials import PotentialSpec

FEWEST_ATOMS = 48
"""Minimum number of atoms of cells for dynamics."""


HOTTEST_K = 1500.0
"""Temperature of the runs that test a potential of unknown temperatures."""


class ComparisonSettings(SettingsModel):
    """How long the runs of a comparison are."""

    temperatures_K: tuple[float, float] = Field(
        (300.0, 800.0), description="Temperatures of the dynamics that frames are taken from, K."
    )
    frames: int = Field(3, ge=1, le=100, description="Frames of each crystal and temperature.")
    drift_ps: float = Field(2.0, ge=0.2, le=1000, description="Run at constant energy, ps.")
    drift_temperature_K: float = Field(600.0, gt=0, le=3000, description="Its temperature, K.")
    hot_runs: int = Field(2, ge=0, le=100, description="Runs that test the stability.")
    hot_ps: float = Field(5.0, ge=0.1, le=1000, description="Length of each, ps.")
    hot_temperature_K: float | None = Field(
        None,
        gt=0,
        le=5000,
        description="Their temperature in K; None for the highest of the student's distillation, "
        "or 1500 K.",
    )
    seed: int = Field(0, ge=0, description="Everything random follows from it.")


class TeacherComparison(BaseModel):
    """How far a potential is from its teacher, and how stable its dynamics is."""

    potential: str = Field(description="Name of the potential.")
    teacher: str | None = Field(None, description="Teacher; None if frames were labelled before.")
    errors: list[RegimeError] = Field(description="Errors by regime on held-out frames.")
    cells: list[CellDifference] = Field(description="Relaxed crystals against the teacher.")
    drift: EnergyDrift | None = Field(
        None, description="Drift of the energy at constant energy; None if a student failed."
    )
    hot_runs: list[HotRun] = Field(description="Runs at a high temperature.")
    failure: str | None = Field(
        None,
        description="Why a new student failed in its validation, such as atoms that fused in its "
        "dynamics; None if it did not.",
    )


def compare_with_teacher(
    potential: str,
    teacher: Teacher | None,
    *,
    frames: Sequence[Atoms] = (),
    crystals: Mapping[str, Atoms] | None = None,
    settings: ComparisonSettings | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> TeacherComparison:
    """Compare a potential with its teacher.

    Parameters
    ----------
    potential
        Name of the potential.
    teacher
        Labels crystals and frames; None compares with labelled frames only.
    frames
        Labelled held-out frames; without them, frames of dynamics of the crystals by the
        potential are labelled by the teacher.
    crystals
        Crystals by name; None takes those that a student of the user was validated on, or else the
        known ones of elements that the potential knows.
    settings
        Lengths and temperatures of the runs.
    on_stage
        Called with a description of each stage as it starts.

    Raises
    ------
    InputError
        If there is neither a teacher nor a frame, no crystal is known, the potential or the
        teacher does not know an element, or D3 does not know the functional.
    SimulationError
        If the teacher fails.
    """
    settings = settings or ComparisonSettings()
    spec = get_potential(potential)
    if teacher is None and not frames:
        raise InputError("Name a teacher, or give labelled frames.")
    crystals = crystals_of(spec) if crystals is None else dict(crystals)
    if not crystals and not frames:
        raise InputError(
            f"No crystal of the elements of {spec.name} is known: give structure files."
        )
    cells = [*crystals.values(), *frames]
    symbols = {symbol for atoms in cells for symbol in atoms.get_chemical_symbols()}
    if teacher is not None and teacher.is_registered:
        check_elements(get_potential(teacher.name), symbols)
    if teacher is not None:
        for functional in (teacher.dispersion, lacking_dispersion(teacher, spec)):
            if functional is not None:
                damping_of(functional)
    calculator = load_calculator(spec, symbols=symbols)

    if frames:
        labelled = matching_labels(frames, spec)
    else:
        on_stage("held-out frames")
        drawn = _draw_frames(crystals, calculator, settings)
        on_stage(f"labels of {len(drawn)} held-out frames")
        labelled = teacher_labels(drawn, teacher, spec)
    errors = regime_errors(labelled, calculator)
    relaxed: list[CellDifference] = []
    if teacher is not None and crystals:
        on_stage("relaxed crystals")
        minima = teacher_labels(crystal_frames(crystals, calculator), teacher, spec)
        relaxed = cell_differences(minima, calculator, report=on_stage)
    starts = _starts(crystals, labelled)
    on_stage("energy drift")
    drift = energy_drift(
        starts[0],
        calculator,
        settings.drift_ps,
        seed=settings.seed,
        temperature_K=settings.drift_temperature_K,
    )
    hot = []
    temperature = settings.hot_temperature_K or hottest_K(spec)
    for number in range(settings.hot_runs):
        on_stage(f"hot run {number + 1} of {settings.hot_runs}")
        start = starts[number % len(starts)]
        seed = settings.seed + number
        hot.append(
            hot_run(start, calculator, settings.hot_ps, seed=seed, temperature_K=temperature)
        )
    return TeacherComparison(
        potential=spec.name,
        teacher=None if teacher is None else teacher.name,
        errors=errors,
        cells=relaxed,
        drift=drift,
        hot_runs=hot,
    )


def crystals_of(spec: PotentialSpec) -> dict[str, Atoms]:
    """Return the crystals beside a student of the user, or else the known ones of its elements."""
    own = student_crystals(spec.name)
    if own:
        return own
    crystals = known_crystals()
    return {
        name: crystals[name]
        for name in CRYSTALS
        if spec.elements is None or set(crystals[name].symbols) <= set(spec.elements)
    }


def hottest_K(spec: PotentialSpec) -> float:
    """Return the highest temperature that a student was made for; 1500 K if it is unknown."""
    sampling = _settings_of(spec).get("sampling", {})
    return float(sampling.get("hottest_K", HOTTEST_K))


def teacher_labels(
    frames: Sequence[Atoms], teacher: Teacher | None, student: PotentialSpec
) -> list[Atoms]:
    """Return frames with labels of a teacher, with D3 dispersion if only the student includes it.

    A registered potential labels in this process, any other teacher in a separate program.
    """
    if teacher is None:
        raise InputError("Name a teacher to label frames.")
    if teacher.is_registered:
        calculator = load_calculator(teacher.name, device=teacher.device)
        labelled = [label_frame(atoms, calculator) for atoms in frames]
    else:
        with tempfile.TemporaryDirectory() as folder:
            labelled = label(frames, teacher, Path(folder))
    functional = lacking_dispersion(teacher, student)
    if functional is None:
        return labelled
    return with_dispersion([add_dispersion(atoms, functional) for atoms in labelled])


def lacking_dispersion(teacher: Teacher, student: PotentialSpec) -> str | None:
    """Return the functional of the D3 correction that only the student includes, else None."""
    included = teacher.dispersion is not None or (
        teacher.is_registered and "D3" in get_potential(teacher.name).functional
    )
    if included or "D3" not in student.functional:
        return None
    return _settings_of(student).get("dispersion") or "pbe"


def _settings_of(student: PotentialSpec) -> dict[str, Any]:
    """Return the settings of a distillation on the card of a student; empty if unknown."""
    return student_card(student.name).get("settings", {}) if is_student(student.name) else {}


def matching_labels(frames: Sequence[Atoms], student: PotentialSpec) -> list[Atoms]:
    """Return labelled frames as the student was trained on them, each with a regime.

    Frames that carry the D3 correction beside their labels get it added if the student includes
    dispersion.
    """
    found = []
    for atoms in frames:
        carries = D3_ENERGY in atoms.info and "D3" in student.functional
        found += (with_dispersion if carries else without_dispersion)([atoms])
    return with_regimes(found)


def _draw_frames(
    crystals: Mapping[str, Atoms], calculator: Calculator, settings: ComparisonSettings
) -> list[Atoms]:
    """Return frames of dynamics of the crystals, each with its regime."""
    low, high = sorted(settings.temperatures_K)
    frames = []
    for number, (name, atoms) in enumerate(crystals.items()):
        start = RegimeStart(
            f"{name}, {low:g}-{high:g} K", enlarged(atoms, FEWEST_ATOMS), (low, high)
        )
        frames += heldout_frames(start, calculator, settings.seed + number, frames=settings.frames)
    return frames


def _starts(crystals: Mapping[str, Atoms], frames: Sequence[Atoms]) -> list[Atoms]:
    """Return cells that dynamics starts from: compounds, else all crystals, else the frames."""
    cells = list(crystals.values()) or [frames[0]]
    compounds = [atoms for atoms in cells if len(set(atoms.symbols)) > 1]
    return [enlarged(atoms, FEWEST_ATOMS) for atoms in compounds or cells]
