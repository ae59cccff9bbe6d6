"""Held-out frames of the Li-C-O-F-P student by regime, never used for training."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.data.relaxed_cells import relaxed_cell
from vitrion.distill.sample.langevin_run import LangevinRun
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.sampling import thermalized, with_interstitial, with_vacancy
from vitrion.distill.validate.endurance import timestep_fs
from vitrion.relaxation.relax import RelaxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms
    from ase.calculators.calculator import Calculator

GLASS_A3 = 14.5
"""Volume per atom of the LiPO2F2 glass cells, A3."""


START = RelaxSettings(fmax_eV_per_A=0.3, max_steps=60, relax_cell=False)
"""Relaxation before the dynamics."""


class RegimeStart(NamedTuple):
    """A cell, the regime of its frames, and its successive temperatures (K)."""

    regime: str
    atoms: Atoms
    temperatures_K: tuple[float, ...]


def starts(calculator: Calculator, seed: int) -> Iterator[RegimeStart]:
    """Yield the cells of all regimes; ``calculator`` relaxes the crystal-like ones."""
    rng = np.random.default_rng(seed)

    def packed(ions: dict[str, int], volume: float = GLASS_A3) -> Atoms:
        return pack_fragments(ions, volume, seed=int(rng.integers(2**31)))

    for count in (2, 2, 4):
        cell = relaxed_cell(
            packed({"Li": count, "PO2F2": count}), calculator, fmax_eV_per_A=0.1, steps=120
        )
        cell = cell.repeat((2, 1, 1) if count == 4 else (2, 2, 1))
        yield RegimeStart("LiPO2F2 crystal-like, 300-1000 K", cell, (300, 700, 1000))
    for _ in range(2):
        cell = packed({"Li": 8, "PO2F2": 8})
        yield RegimeStart("LiPO2F2 glass, 300 K", cell, (1200, 300))
        yield RegimeStart("LiPO2F2 glass, 600-1000 K", cell, (1200, 600, 1000))
        yield RegimeStart(
            "LiPO2F2 glass, Li vacancy, 300-600 K", with_vacancy(cell, "Li", rng), (300, 600)
        )
        extra = with_interstitial(cell, "Li", rng)
        yield RegimeStart("LiPO2F2 glass, Li inserted, 300-600 K", extra, (300, 600))
    for volume in (13.0, 15.5):
        cell = packed({"Li": 8, "PO2F2": 8}, volume)
        yield RegimeStart("LiPO2F2 melt, 1500-2500 K", cell, (1500, 2000, 2500))
    for _ in range(2):
        cell = packed({"Li": 10, "PO3F": 5}, 13.0)
        yield RegimeStart("Li2PO3F, 600-1000 K", cell, (600, 1000))
        yield RegimeStart("Li2PO3F, 1500 K", cell, (1500,))
    crystals = known_crystals()
    for name, repeat, temperatures in (
        ("LiF", (2, 2, 2), (300, 800)),
        ("Li2O", (2, 2, 1), (300, 1000)),
        ("Li2CO3", (1, 2, 1), (300, 700)),
        ("Li3PO4", (1, 2, 2), (300, 1000)),
    ):
        low, high = temperatures
        yield RegimeStart(f"{name}, {low}-{high} K", crystals[name].repeat(repeat), temperatures)


def heldout_frames(
    start: RegimeStart,
    calculator: Calculator,
    seed: int,
    *,
    equilibration_ps: float = 0.4,
    frames: int = 3,
    interval_fs: float = 120.0,
) -> list[Atoms]:
    """Run dynamics at each temperature of a start in turn and return frames with their regime.

    Temperatures outside the range in the name of the regime serve as preparation only.
    """
    rng = np.random.default_rng(seed)
    work = thermalized(start.atoms, calculator, start.temperatures_K[0], START, rng)
    step_fs = timestep_fs(work)
    found = []
    for temperature in start.temperatures_K:
        dynamics = LangevinRun(
            work, temperature, timestep_fs=step_fs, friction_per_fs=0.02, rng=rng
        )
        dynamics.run(round(1000 * equilibration_ps / step_fs))
        if not _stated(start.regime, temperature):
            continue
        for _ in range(frames):
            dynamics.run(round(interval_fs / step_fs))
            frame = work.copy()
            frame.arrays.pop("momenta", None)
            frame.arrays.pop("fragment", None)
            frame.info = {"regime": start.regime, "temperature_K": float(temperature)}
            found.append(frame)
    return found


def _stated(regime: str, temperature_K: float) -> bool:
    bounds = [float(value) for value in regime.split(", ")[-1].removesuffix(" K").split("-")]
    return bounds[0] <= temperature_K <= bounds[-1]
