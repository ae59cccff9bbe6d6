"""Errors of a student relative to its teacher by regime, on held-out frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, Field

from vitrion.distill.frames import ENERGY, FORCES, STRESS
from vitrion.errors import InputError
from vitrion.relaxation.relax import RelaxSettings, relax_atoms

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
        pressure_rmse_GPa=_GPA_PER_EV_A3 * _rms(np.array(pressures)) if pressures else None,
    )


def change_errors(frames: Sequence[Atoms], calculator: Calculator) -> list[dict[str, float | str]]:
    """Errors of the energy of removing or adding mobile atoms, in eV per atom.

    For each family of labelled frames of :mod:`vitrion.distill.off_stoichiometry`, the energy of
    each defective cell minus the energy of its host is compared with the teacher. The reference
    energy of the element is included in both.

    Raises
    ------
    InputError
        If a family has no host.
    """
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        if "change" in atoms.info:
            groups.setdefault(str(atoms.info["family"]), []).append(atoms)
    found: list[dict[str, float | str]] = []
    for name, group in groups.items():
        hosts = [a for a in group if str(a.info["config_type"]).endswith(":host")]
        if len(hosts) != 1:
            raise InputError(f"The family {name} needs one host, it has {len(hosts)}.")
        host = energy_error(hosts[0], calculator)
        for atoms in group:
            if atoms is not hosts[0]:
                change = int(atoms.info["change"])
                error = (energy_error(atoms, calculator) - host) / abs(change)
                kind = str(atoms.info["config_type"])
                found.append({"family": name, "kind": kind, "change": change, "error_eV": error})
    return found


def energy_error(atoms: Atoms, calculator: Calculator) -> float:
    """Return the potential's energy minus the label, eV."""
    return float(calculator.get_potential_energy(atoms) - atoms.info[ENERGY])


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def table(errors: Sequence[RegimeError]) -> str:
    """Return the errors as a Markdown table."""
    lines = [
        "| regime | frames | E meV/atom | E spread | F RMSE meV/A | F MAE | F rms | p GPa |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for e in errors:
        pressure = "" if e.pressure_rmse_GPa is None else f"{e.pressure_rmse_GPa:.2f}"
        lines.append(
            f"| {e.regime} | {e.n_frames} | {e.energy_rmse_meV_per_atom:.1f} "
            f"| {e.energy_spread_meV_per_atom:.1f} | {e.force_rmse_meV_per_A:.0f} "
            f"| {e.force_mae_meV_per_A:.0f} | {e.force_rms_meV_per_A:.0f} | {pressure} |"
        )
    return "\n".join(lines)


def relaxed_cell(
    atoms: Atoms, calculator: Calculator, *, fmax_eV_per_A: float = 0.02, steps: int = 300
) -> Atoms:
    """Return a copy relaxed with its cell at zero pressure; ``info`` says if it converged."""
    settings = RelaxSettings(fmax_eV_per_A=fmax_eV_per_A, max_steps=steps)
    out, relaxation = relax_atoms(atoms, calculator, settings)
    out.info |= {"energy": relaxation.energy_eV, "converged": relaxation.converged}
    return out


def relaxed(
    atoms: Atoms, calculator: Calculator, *, fmax_eV_per_A: float = 0.03, steps: int = 200
) -> Atoms:
    """Return a copy relaxed at fixed cell; ``info`` says if it converged."""
    settings = RelaxSettings(fmax_eV_per_A=fmax_eV_per_A, max_steps=steps, relax_cell=False)
    out, relaxation = relax_atoms(atoms, calculator, settings)
    out.info |= {"energy": relaxation.energy_eV, "converged": relaxation.converged}
    return out


def lattice_difference(first: Atoms, second: Atoms) -> float:
    """Return the largest relative difference of cell lengths and of the cube root of the volume."""
    lengths = np.abs(first.cell.lengths() / second.cell.lengths() - 1).max()
    volume = abs((first.get_volume() / second.get_volume()) ** (1 / 3) - 1)
    return float(max(lengths, volume))


def pair_distribution(
    frames: Sequence[Atoms],
    cutoff_A: float = 5.0,
    bins: int = 100,
    pair: tuple[str, str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (A) and the pair distribution function of frames, over all or one pair."""
    from ase.neighborlist import neighbor_list

    edges = np.linspace(0, cutoff_A, bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    total = np.zeros(bins)
    for atoms in frames:
        first, second, distance = neighbor_list("ijd", atoms, cutoff_A)
        is_first, is_second = (
            np.array(atoms.symbols) == element if pair else np.full(len(atoms), True)
            for element in pair or ("", "")
        )
        counts = np.histogram(distance[is_first[first] & is_second[second]], bins=edges)[0]
        density = is_second.sum() / atoms.get_volume()
        total += counts / (is_first.sum() * shells * density)
    return (edges[1:] + edges[:-1]) / 2, total / len(frames)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the common area of two distribution functions over their mean area; 1 if equal."""
    return float(2 * np.minimum(first, second).sum() / (first.sum() + second.sum()))
