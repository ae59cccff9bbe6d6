"""What the MD driver costs on top of its calculator, and what a second worker gains.

    python benchmarks/md_overhead.py [--steps 400] [--atoms 72]

Prints two ratios, each measured within this run: the time of a run over the time that its
calculator took in it (at most 1.05), and the rate of two runs on two workers over that of one
(at least 1.8 on two idle cores). The model is a randomly initialized 16-channel MACE.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import ClassVar

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.workers import MDTask, run_many

ELEMENTS = (3, 8, 9, 15)
VOLUME_PER_ATOM = 13.5
PARTS = 5


def small_mace() -> Calculator:
    """Return a small MACE with random weights; forces are meaningless but cost what they cost."""
    import torch
    from mace import modules  # isort: skip  (before e3nn, whose loading it makes possible)
    from e3nn import o3

    from vitrion.potentials.lean_mace import LeanMACECalculator

    torch.set_num_threads(1)
    torch.manual_seed(0)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = modules.ScaleShiftMACE(
        r_max=5.0,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=len(ELEMENTS),
        hidden_irreps=o3.Irreps("16x0e"),
        MLP_irreps=o3.Irreps("16x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(len(ELEMENTS)),
        avg_num_neighbors=39.0,
        atomic_numbers=list(ELEMENTS),
        correlation=2,
        radial_type="bessel",
        atomic_inter_scale=0.01,
        atomic_inter_shift=0.0,
    )
    return LeanMACECalculator(model)


def loose_solid(n_atoms: int) -> Atoms:
    """Return atoms on a jittered grid in a cubic cell at the density of the glass."""
    rng = np.random.default_rng(0)
    length = (VOLUME_PER_ATOM * n_atoms) ** (1 / 3)
    side = int(np.ceil(n_atoms ** (1 / 3)))
    grid = np.argwhere(np.ones((side, side, side)))[:n_atoms] * (length / side)
    numbers = np.resize(ELEMENTS, n_atoms)
    return Atoms(numbers, grid + rng.normal(0, 0.1, grid.shape), cell=np.eye(3) * length, pbc=True)


def settings(n_steps: int, temperature_K: float = 300.0) -> MDSettings:
    """Return settings as a production run has them: a frame every 50 steps, 500 to a save."""
    return MDSettings(
        temperature_K=temperature_K,
        timestep_fs=2.0,
        duration_ps=n_steps * 0.002,
        save_interval_fs=100.0,
        checkpoint_interval_ps=1.0,
        min_distance_A=0.0,
    )


class Stopwatch(Calculator):
    """Passes calls on to a calculator and adds up their wall time."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, inner: Calculator) -> None:
        super().__init__()
        self.inner, self.seconds, self.calls = inner, 0.0, 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        """Let the inner calculator work."""
        begin = time.perf_counter()
        self.inner.calculate(atoms, properties, system_changes)
        self.seconds += time.perf_counter() - begin
        self.calls += 1
        self.results = self.inner.results

    def reset(self) -> None:
        """Let the inner calculator forget."""
        self.inner.reset()


def overhead(atoms: Atoms, n_steps: int, folder: Path) -> float:
    """Return the time of a step over that of the calculator's calls in it, the median of runs."""
    calculator = small_mace()
    for _ in range(5):  # torch's first calls are slow
        calculator.calculate(atoms, ["energy", "forces"])
    ratios = []
    for part in range(PARTS):
        watch = Stopwatch(calculator)
        result = run_md(atoms, watch, settings(n_steps), folder / f"part{part}")
        step, call = result.elapsed_s / n_steps, watch.seconds / watch.calls
        ratios.append(step / call)
        print(f"  step {1e3 * step:.2f} ms, call {1e3 * call:.2f} ms: {ratios[-1]:.3f}")
    return statistics.median(ratios)


def rate(atoms: Atoms, n_steps: int, workers: int, folder: Path) -> float:
    """Return steps a second of ``workers`` runs at once, start-up of the processes left out."""
    tasks = [
        MDTask(f"run{index}", atoms, settings(n_steps, 300.0 + index), folder / f"run{index}")
        for index in range(workers)
    ]
    outcomes = run_many(tasks, small_mace, workers=workers)
    return sum(one.result.n_steps / one.result.elapsed_s for one in outcomes if one.result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--atoms", type=int, default=72)
    chosen = parser.parse_args()
    atoms = loose_solid(chosen.atoms)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ratio = overhead(atoms, chosen.steps, folder)
        print(f"driver over bare calculator, {len(atoms)} atoms: {ratio:.3f} (at most 1.05)")
        gains = []
        for part in range(3):
            measure = partial(rate, atoms, chosen.steps)
            one = measure(1, folder / f"one{part}")
            two = measure(2, folder / f"two{part}")
            gains.append(two / one)
            print(f"  one worker {one:.1f}, two workers {two:.1f} steps/s: {two / one:.2f}")
        print(f"two workers over one: {statistics.median(gains):.2f} (at least 1.8)")


if __name__ == "__main__":
    main()
