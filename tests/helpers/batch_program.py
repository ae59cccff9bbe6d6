"""Several simulations in one batch, in a process to be killed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from helpers.native_models import random_model
from vitrion.dynamics.batched_runs import run_batched
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.workers import MDTask
from vitrion.potentials.torch_mace import TorchMACECalculator

if TYPE_CHECKING:
    from pathlib import Path

    from vitrion.dynamics.workers import MDOutcome

SHORT = {
    "timestep_fs": 1.0,
    "duration_ps": 0.02,
    "save_interval_fs": 2.0,
    "checkpoint_interval_steps": 4,
    "min_distance_A": 0.1,
}
NUMBERS = (3, 8, 3, 15, 3, 8)


def small_mace(on_device: bool, dtype: str = "float32") -> TorchMACECalculator:
    """Return an untrained MACE in torch; ``on_device``: with the neighbor lists of torch-sim."""
    calculator = TorchMACECalculator(random_model(channels=4, max_ell=1), dtype=dtype)
    calculator.graphs.on_device = on_device
    return calculator


def lattice(side: int = 2, a: float = 2.6, seed: int = 0) -> Atoms:
    """Return ``side**3`` atoms of Li, O and P near the sites of a cubic lattice."""
    grid = np.argwhere(np.ones((side, side, side))) * a
    moved = grid + np.random.default_rng(seed).normal(scale=0.05, size=grid.shape)
    numbers = np.resize(NUMBERS, len(grid))
    return Atoms(numbers, moved, cell=np.eye(3) * side * a, pbc=True)


def batch(folder: Path) -> list[MDTask]:
    """Return runs of two sizes, three ensembles and several temperatures."""
    runs = {
        "cold": (lattice(2), {"temperature_K": 100.0}),
        "hot": (lattice(2, seed=1), {"temperature_K": 600.0, "thermostat": "langevin"}),
        "dense": (lattice(2), {"ensemble": "npt", "barostat": "full", "pressure_GPa": 1.0}),
        "large": (lattice(3), {"ensemble": "nve", "temperature_K": 300.0}),
    }
    return [
        MDTask(name, atoms, MDSettings(**{**SHORT, **own}), folder / name)
        for name, (atoms, own) in runs.items()
    ]


def run_batch(folder: Path, on_device: bool, walltime_s: float | None = None) -> list[MDOutcome]:
    """Run the batch in a folder, or resume it."""
    return run_batched(batch(folder), partial(small_mace, on_device), walltime_s=walltime_s)
