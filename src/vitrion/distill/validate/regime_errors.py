"""Errors of a student relative to its teacher by regime, on held-out frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, Field

from vitrion.distill.data.frames import ENERGY, FORCES, STRESS
from vitrion.errors import InputError
from vitrion.potentials.trust import force_slope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

_GPA_PER_EV_A3 = 160.21766208


class RegimeError(BaseModel):
    """Errors of one regime."""

    regime: str = Field(description="Name of the regime.")
    n_frames: int = Field(description="Number of frames.")
    n_atoms: int = Field(description="Number of atoms in all frames.")
    energy_rmse_meV_per_atom: float = Field(description="Energy per atom, meV.")
    energy_offset_meV_per_atom: float = Field(description="Mean of the energy error, meV/atom.")
    energy_spread_meV_per_atom: float = Field(
        description="Standard deviation of the energy error at each composition, meV/atom."
    )
    force_rmse_meV_per_A: float = Field(description="Force component, meV/A.")
    force_mae_meV_per_A: float = Field(description="Mean absolute force component error, meV/A.")
    force_rms_meV_per_A: float = Field(description="The teacher's root mean square force, meV/A.")
    force_slope: float | None = Field(
        None,
        description="Least-squares slope of the student's force components against the teacher's; "
        "below 1 the student is softer.",
    )
    pressure_rmse_GPa: float | None = Field(None, description="Mean normal stress, GPa.")


def regime_errors(frames: Sequence[Atoms], calculator: Calculator) -> list[RegimeError]:
    """Compare a potential with the labels of frames, grouped by ``info["regime"]``.

    Raises
    ------
    InputError
        If a frame has no labels or no regime.
    """
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        if ENERGY not in atoms.info or "regime" not in atoms.info:
            raise InputError("Validation frames need labels and a regime in their info.")
        groups.setdefault(str(atoms.info["regime"]), []).append(atoms)
    return [_regime(name, group, calculator) for name, group in groups.items()]


def with_regimes(frames: Iterable[Atoms]) -> list[Atoms]:
    """Return copies with ``info["regime"]``: as it is, else the config_type, else the formula."""
    found = [atoms.copy() for atoms in frames]
    for atoms in found:
        other = atoms.info.get("config_type", atoms.get_chemical_formula())
        atoms.info.setdefault("regime", str(other))
    return found


def _regime(name: str, frames: list[Atoms], calculator: Calculator) -> RegimeError:
    energies, forces, pressures = [], [], []
    compositions: dict[str, list[float]] = {}
    for atoms in frames:
        work = atoms.copy()
        work.calc = calculator
        error = (work.get_potential_energy() - atoms.info[ENERGY]) / len(atoms)
        energies.append(error)
        compositions.setdefault(atoms.get_chemical_formula(), []).append(error)
        forces.append((work.get_forces() - atoms.arrays[FORCES]).ravel())
        if STRESS in atoms.info:
            label = np.trace(np.reshape(atoms.info[STRESS], (3, 3)))
            pressures.append((work.get_stress()[:3].sum() - label) / 3)
    within = np.concatenate([np.array(part) - np.mean(part) for part in compositions.values()])
    difference = np.concatenate(forces)
    teacher = np.concatenate([atoms.arrays[FORCES].ravel() for atoms in frames])
    return RegimeError(
        regime=name,
        n_frames=len(frames),
        n_atoms=sum(len(atoms) for atoms in frames),
        energy_rmse_meV_per_atom=1000 * _rms(np.array(energies)),
        energy_offset_meV_per_atom=1000 * float(np.mean(energies)),
        energy_spread_meV_per_atom=1000 * _rms(within),
        force_rmse_meV_per_A=1000 * _rms(difference),
        force_mae_meV_per_A=1000 * float(np.mean(np.abs(difference))),
        force_rms_meV_per_A=1000 * _rms(teacher),
        force_slope=force_slope(teacher + difference, teacher),
        pressure_rmse_GPa=_GPA_PER_EV_A3 * _rms(np.array(pressures)) if pressures else None,
    )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


COLUMNS = ("regime", "frames", "E meV/atom", "E spread", "F meV/A", "of F", "F slope", "p GPa")
"""Heads of a table of root mean square errors; ``of F`` is the teacher's force."""


def row(error: RegimeError) -> list[str]:
    """Return the errors of a regime as texts, in the order of :data:`COLUMNS`."""
    slope, pressure = error.force_slope, error.pressure_rmse_GPa
    return [
        error.regime,
        str(error.n_frames),
        f"{error.energy_rmse_meV_per_atom:.1f}",
        f"{error.energy_spread_meV_per_atom:.1f}",
        f"{error.force_rmse_meV_per_A:.0f}",
        f"{error.force_rms_meV_per_A:.0f}",
        "" if slope is None else f"{slope:.3f}",
        "" if pressure is None else f"{pressure:.2f}",
    ]


def table(errors: Sequence[RegimeError]) -> str:
    """Return the errors as a Markdown table."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *map(row, errors)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
