"""Functions that worker processes of a distillation run: each returns frames."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from vitrion.distill.data.frames import plain_cell
from vitrion.distill.data.relaxed_cells import relaxed_cell
from vitrion.distill.label.label_program import label_frame
from vitrion.distill.label.labelling import Teacher, label
from vitrion.distill.sample.packed_cells import draw_cell, enlarged, packed_cell, pressed
from vitrion.distill.sample.sampling import (
    DynamicsSettings,
    collapsed,
    explore,
    strained_and_rattled,
)
from vitrion.distill.validate.endurance import hot_run, timestep_fs
from vitrion.distill.validate.heldout import RegimeStart, heldout_frames

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from vitrion.distill.distill_settings import ValidationSettings
    from vitrion.distill.sample.packed_cells import Subject
    from vitrion.distill.sample.sampling_settings import SamplingSettings

RATTLES_A = (0.03, 0.08, 0.15)
PRESSED_PER_CELL = 3
SYMMETRY_BREAKING_A = 0.03


@lru_cache(maxsize=2)
def loaded(potential: str) -> Calculator:
    """Return a potential of the registry, loaded once in each process."""
    from vitrion.potentials import load_calculator

    return load_calculator(potential, device="cpu")


@lru_cache(maxsize=2)
def student(path: Path) -> Calculator:
    """Return the student of a file, loaded once in each process."""
    from vitrion.potentials.student import file_calculator

    return file_calculator(path)


def labelled(frames: list[Atoms], teacher: Teacher, folder: Path) -> list[Atoms]:
    """Label frames with a teacher of the registry here, with any other in its environment."""
    if not frames:
        return []
    if teacher.is_registered:
        calculator = loaded(teacher.name)
        return [label_frame(atoms, calculator) for atoms in frames]
    return label(frames, teacher, folder)


def relaxed_candidate(atoms: Atoms, scout: str, seed: tuple[int, ...]) -> list[Atoms]:
    """Relax a crystal with its cell; return the minimum, with its energy, or nothing.

    Small random displacements break its symmetry first, which a relaxation keeps otherwise. A
    candidate that collapses or flies apart is left out.
    """
    broken = strained_and_rattled(atoms, np.random.default_rng(seed), 0.0, SYMMETRY_BREAKING_A)
    minimum = relaxed_cell(broken, loaded(scout), fmax_eV_per_A=0.1, steps=60)
    energy = minimum.info["energy"] / len(minimum)
    volume = minimum.get_volume() / len(minimum)
    shortest = 0.6 if "H" in minimum.symbols else 1.0
    if collapsed(minimum, shortest) or not 3.0 < volume < 80.0 or not np.isfinite(energy):
        return []
    out = plain_cell(minimum)
    out.info = {"config_type": "crystal:minimum", "energy_eV_per_atom": energy}
    return [out]


def shaken(atoms: Atoms, seed: int, count: int = 4) -> list[Atoms]:
    """Return strained and rattled copies of a crystal."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        rattle = RATTLES_A[number % len(RATTLES_A)]
        frame = strained_and_rattled(atoms, rng, float(rng.choice([0.01, 0.03])), rattle)
        frame.info = {"config_type": "crystal:shaken"}
        frames.append(frame)
    return frames


def first_dynamics(
    subject: Subject, settings: SamplingSettings, scout: str | None, seed: int, number: int
) -> list[Atoms]:
    """Return frames of short dynamics of a packed cell with a general potential.

    Without one, the packed cell with random displacements.
    """
    rng = np.random.default_rng((seed, number))
    atoms = packed_cell(subject.formulas, settings.n_atoms, rng)
    atoms = strained_and_rattled(atoms, rng, 0.02, 0.0)
    if scout is None:
        found = [strained_and_rattled(atoms, rng, 0.02, float(r)) for r in (0.0, 0.05, 0.1, 0.15)]
    else:
        span = np.geomspace(settings.coldest_K, 1.2 * settings.hottest_K, settings.seed_cells)
        dynamics = dynamics_settings(atoms, settings.seed_ps, 5, relax_steps=10)
        found = explore(atoms, loaded(scout), float(span[number]), dynamics, rng)
    found += [
        pressed(found[-1], rng, PRESSED_PER_CELL * number + k) for k in range(PRESSED_PER_CELL)
    ]
    for frame in found:
        frame.info = {"config_type": "first dynamics"}
    return found


def student_dynamics(
    subject: Subject,
    settings: SamplingSettings,
    path: Path,
    seed: tuple[int, ...],
    *,
    temperature_K: float | None = None,
    picoseconds: float | None = None,
) -> list[Atoms]:
    """Return frames of one run of dynamics with a student.

    Temperature and length are taken from the settings unless given.
    """
    rng = np.random.default_rng(seed)
    atoms, drawn_K = draw_cell(subject, settings, rng)
    temperature_K = temperature_K or drawn_K
    atoms.info["temperature_K"] = round(temperature_K)
    dynamics = dynamics_settings(atoms, picoseconds or settings.run_ps, settings.frames_per_run)
    return explore(atoms, student(path), temperature_K, dynamics, rng)


def quenched(
    formula: str, path: Path, settings: ValidationSettings, hottest_K: float, seed: tuple[int, ...]
) -> list[Atoms]:
    """Return frames of a cell that was packed, melted and cooled with a student, by regime."""
    rng = np.random.default_rng(seed)
    calculator = student(path)
    cell = packed_cell((formula,), settings.n_atoms, rng, volume=1.2)
    melt = explore(cell, calculator, hottest_K, dynamics_settings(cell, 2.0, 2), rng)[-1]
    cold = relaxed_cell(melt, calculator, fmax_eV_per_A=0.1, steps=150)
    regime = f"{formula} glass, {_span(settings.temperatures_K)}"
    temperatures = (hottest_K, *sorted(settings.temperatures_K, reverse=True))
    start = RegimeStart(regime, plain_cell(cold), temperatures)
    return heldout_frames(start, calculator, int(rng.integers(2**31)), frames=settings.frames)


def crystal_dynamics(
    name: str, atoms: Atoms, path: Path, settings: ValidationSettings, seed: int
) -> list[Atoms]:
    """Return frames of dynamics of a crystal with a student, by regime."""
    calculator = student(path)
    cell = enlarged(
        relaxed_cell(atoms, calculator, fmax_eV_per_A=0.05, steps=200), settings.n_atoms
    )
    regime = f"{name}, {_span(settings.temperatures_K)}"
    start = RegimeStart(regime, plain_cell(cell), tuple(sorted(settings.temperatures_K)))
    return heldout_frames(start, calculator, seed, frames=settings.frames)


def hot_dynamics(
    atoms: Atoms, path: Path, picoseconds: float, temperature_K: float, seed: int
) -> list[Atoms]:
    """Return the start of a hot run with the outcome in ``info``."""
    outcome = hot_run(atoms, student(path), picoseconds, seed=seed, temperature_K=temperature_K)
    frame = plain_cell(atoms)
    frame.info = {name: v for name, v in outcome.model_dump().items() if v is not None}
    return [frame]


def dynamics_settings(
    atoms: Atoms, picoseconds: float, frames: int, relax_steps: int = 25
) -> DynamicsSettings:
    """Return the settings of a run with that many frames; a short time step with hydrogen."""
    return DynamicsSettings(
        duration_ps=picoseconds,
        interval_fs=1000 * picoseconds / frames,
        timestep_fs=timestep_fs(atoms),
        relax_steps=relax_steps,
    )


def _span(temperatures: tuple[float, ...]) -> str:
    return f"{min(temperatures):g}-{max(temperatures):g} K"
