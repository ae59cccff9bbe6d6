"""Cells with removed or added mobile atoms, each with its host cell.

A neutral cell that loses a Li contains an electron hole, whose energy cannot be learned at fixed
composition. Host and defect are sampled together, so that their energy difference is learned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.distill.data.frames import plain_cell
from vitrion.distill.data.relaxed_cells import relaxed
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.sampling import (
    DynamicsSettings,
    explore,
    strained_and_rattled,
    with_interstitial,
    with_vacancy,
)

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from ase.calculators.calculator import Calculator

CHANGES = (-3, -2, -1, -1, -1, 1, 1, 2)
"""Number of mobile atoms added to a cell; negative if removed."""

_MELT = DynamicsSettings(duration_ps=0.3, interval_fs=300.0)
_SHORT = DynamicsSettings(duration_ps=0.1, interval_fs=100.0, relax_steps=0)


def changed(atoms: Atoms, element: str, count: int, rng: np.random.Generator) -> Atoms:
    """Return a copy with ``count`` atoms of an element added, or removed if negative."""
    change = with_interstitial if count > 0 else with_vacancy
    for _ in range(abs(count)):
        atoms = change(atoms, element, rng)
    return atoms


def glass_family(
    calculator: Calculator,
    ions: dict[str, int],
    volume_per_atom_A3: float,
    temperature_K: float,
    rng: np.random.Generator,
    mobile: str = "Li",
) -> list[Atoms]:
    """Pack ions, melt them briefly, and return the cell and its defective copies."""
    cell = pack_fragments(ions, volume_per_atom_A3, seed=int(rng.integers(2**31)))
    del cell.arrays["fragment"]
    host = explore(cell, calculator, temperature_K, _MELT, rng)[-1]
    possible = [change for change in CHANGES if -change < host.symbols.count(mobile)]
    return family(calculator, host, int(rng.choice(possible)), temperature_K, rng, mobile)


def crystal_family(
    calculator: Calculator,
    crystal: Atoms,
    temperature_K: float,
    rng: np.random.Generator,
    mobile: str = "Li",
) -> list[Atoms]:
    """Strain and rattle a crystal, and return the cell and its defective copies."""
    host = strained_and_rattled(crystal, rng, 0.015, float(rng.choice([0.03, 0.08])))
    return family(calculator, host, int(rng.choice((-1, 1))), temperature_K, rng, mobile)


def family(
    calculator: Calculator,
    host: Atoms,
    change: int,
    temperature_K: float,
    rng: np.random.Generator,
    mobile: str = "Li",
) -> list[Atoms]:
    """Return a host and its defective cells: as generated, relaxed, and after short dynamics.

    The neighbors of an added atom are partly relaxed first to reduce its repulsion. The dynamics
    end early if the potential fails.
    """
    name = "vacancy" if change < 0 else "inserted"
    defect = changed(host, mobile, change, rng)
    if change > 0:
        defect = relaxed(defect, calculator, fmax_eV_per_A=1.0, steps=10)
    rest = relaxed(defect, calculator, fmax_eV_per_A=0.05, steps=50)
    warm = explore(rest, calculator, temperature_K, _SHORT, rng)[-1]
    frames = [plain_cell(atoms) for atoms in (host, defect, rest, warm)]
    for frame, stage in zip(frames, ("host", name, f"{name}:relaxed", f"{name}:md"), strict=True):
        frame.info = {"config_type": stage, "change": change, "temperature_K": temperature_K}
    return frames
