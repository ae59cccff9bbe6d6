"""Make frames to label: glasses and melts between LiF, Li3PO4, LiPO3, P2O5 and LiPO2F2.

    python tools/phosphate_glasses.py frames.xyz --atoms 48

Each run packs ions, melts the cell, and cools it at a fixed volume near the density with D3. It
gives one frame of the melt, one of the supercooled liquid and one of the glass.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase.io import write

from vitrion.distill.data.frames import plain_cell
from vitrion.distill.sample.langevin_run import LangevinRun
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.sampling import collapsed, strained_and_rattled, thermalized
from vitrion.errors import InputError
from vitrion.potentials import load_calculator
from vitrion.relaxation.relax import RelaxSettings

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class Unit(NamedTuple):
    """Ions of a formula unit, and the volume per atom of its glass in A3 (with dispersion)."""

    ions: dict[str, int]
    n_atoms: int
    volume_per_atom_A3: float


START = RelaxSettings(fmax_eV_per_A=0.5, max_steps=60, relax_cell=False)
"""Relaxation before the dynamics."""

UNITS = {
    "LiF": Unit({"Li": 1, "F": 1}, 2, 9.0),
    "Li3PO4": Unit({"Li": 3, "PO4": 1}, 8, 10.3),
    "LiPO3": Unit({"Li": 1, "PO3": 1}, 5, 12.6),
    "P2O5": Unit({"P": 1, "O": 2, "PO3": 1}, 7, 14.2),
    "LiPO2F2": Unit({"Li": 1, "PO2F2": 1}, 6, 13.8),
    "Li2PO3F": Unit({"Li": 2, "PO3F": 1}, 7, 11.8),
    "Li2CO3": Unit({"Li": 2, "CO3": 1}, 6, 9.8),
    "Li2O": Unit({"Li": 2, "O": 1}, 3, 8.2),
}
# Ions that react in part before packing, so that a composition has several starts.
_REACTIONS = (("F", "PO3", "PO3F"), ("PO4", "PO3", "P2O7"))
_MELT_K, _LIQUID_K, _GLASS_K = (1800.0, 2200.0, 2500.0), (1000.0, 1200.0, 1500.0), (300.0, 900.0)


def ternary_grid(steps: int = 4) -> list[dict[str, int]]:
    """Return the mixtures of LiF, Li3PO4 and LiPO3 in steps of ``1 / steps`` formula units."""
    return [
        {"LiF": a, "Li3PO4": b, "LiPO3": steps - a - b}
        for a in range(steps + 1)
        for b in range(steps + 1 - a)
    ]


def glass_ions(
    mixture: dict[str, int], n_atoms: int, rng: np.random.Generator
) -> tuple[dict[str, int], float]:
    """Return the ions of about ``n_atoms`` atoms of a mixture, and its volume per atom in A3.

    Raises
    ------
    InputError
        If a formula unit is unknown.
    """
    if unknown := sorted(mixture.keys() - UNITS.keys()):
        known = ", ".join(UNITS)
        raise InputError(f"The formula unit {unknown[0]} is unknown: name one of {known}.")
    sizes = {name: count * UNITS[name].n_atoms for name, count in mixture.items()}
    volume = sum(size * UNITS[name].volume_per_atom_A3 for name, size in sizes.items())
    times = max(1, round(n_atoms / sum(sizes.values())))
    ions: dict[str, int] = {}
    for name, count in mixture.items():
        for ion, number in UNITS[name].ions.items():
            ions[ion] = ions.get(ion, 0) + times * count * number
    for first, second, product in _REACTIONS:
        reacted = int(rng.binomial(min(ions.get(first, 0), ions.get(second, 0)), rng.random()))
        for ion, change in ((first, -reacted), (second, -reacted), (product, reacted)):
            ions[ion] = ions.get(ion, 0) + change
    return {ion: count for ion, count in ions.items() if count}, volume / sum(sizes.values())


def melt_and_cool(
    calculator: Calculator, mixture: dict[str, int], n_atoms: int, rng: np.random.Generator
) -> list[Atoms]:
    """Return a melt, a liquid and a glass of a mixture; ends early if the potential fails.

    Parameters
    ----------
    calculator
        Potential of the dynamics.
    mixture
        Number of each formula unit of ``UNITS``.
    n_atoms
        Approximate number of atoms of the cell.
    rng
        Generator of ions, packing, volume, temperatures and velocities.
    """
    ions, volume = glass_ions(mixture, n_atoms, rng)
    work = pack_fragments(ions, volume * rng.uniform(0.93, 1.15), seed=int(rng.integers(2**31)))
    work = strained_and_rattled(work, rng, 0.015, 0.0)
    hot, liquid = float(rng.choice(_MELT_K)), float(rng.choice(_LIQUID_K))
    work = thermalized(work, calculator, hot, START, rng)
    frames = []
    for temperature, time_ps in ((hot, 1.0), (liquid, 0.6), (float(rng.uniform(*_GLASS_K)), 0.6)):
        dynamics = LangevinRun(work, temperature, timestep_fs=2.0, friction_per_fs=0.02, rng=rng)
        dynamics.run(round(500 * time_ps))
        if not np.isfinite(work.positions).all():
            break
        frame = plain_cell(work)
        frame.wrap()
        state = "melt" if temperature >= min(_LIQUID_K) else "glass"
        frame.info = {"config_type": f"map:{state}", "temperature_K": temperature}
        frames.append(frame)
        if collapsed(frame):
            break
    return frames


def main() -> None:
    """Write the frames of one run of each mixture of the grid."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", type=Path)
    parser.add_argument("--potential", help="potential of the dynamics")
    parser.add_argument("--atoms", type=int, default=48, help="approximate number per cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    calculator, rng = load_calculator(options.potential), np.random.default_rng(options.seed)
    for mixture in ternary_grid():
        frames = melt_and_cool(calculator, mixture, options.atoms, rng)
        write(options.frames, frames, format="extxyz", append=True)


if __name__ == "__main__":
    main()
