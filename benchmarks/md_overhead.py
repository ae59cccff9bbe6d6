"""Measure the cost of molecular dynamics in addition to forces, and the gain of a second worker.

    python benchmarks/md_overhead.py [--steps 2500] [--only loop]

Prints, each measured within this run:

- the milliseconds per step of the loop itself, for each ensemble at 72, 216 and 1008 atoms: frames,
  checks and a checkpoint included, forces measured and subtracted;
- the time of one checkpoint, and its fraction at the default interval and 2 ms per step (<= 1 %);
- the time of a step over the time of a force call of the default potential, for 64 atoms;
- the rate of two runs on two workers over the rate of one (at least 1.8 on two idle cores).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from ase import Atoms
from ase.build import bulk

from vitrion.dynamics.engine import run_md
from vitrion.dynamics.forces import force_provider
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.workers import MDTask, run_many
from vitrion.potentials import load_calculator

if TYPE_CHECKING:
    from vitrion.dynamics.forces import ForceProvider
    from vitrion.dynamics.integrator import Evaluated

SIZES = (72, 216, 1008)
ENSEMBLES: dict[str, dict[str, Any]] = {
    "NVE": {"ensemble": "nve"},
    "NVT": {"thermostat": "bussi"},
    "Nose-Hoover": {"thermostat": "nose-hoover"},
    "Langevin": {"thermostat": "langevin"},
    "NPT": {"ensemble": "npt"},
    "NPT, full cell": {"ensemble": "npt", "barostat": "full"},
}
LIMITS_MS = {("NVT", 72): 0.06, ("NPT", 72): 0.12}
REPEATS = 5
STEP_MS = 2.0
STABLE = {"temperature_K": 300.0, "timestep_fs": 2.0, "save_interval_fs": 100.0}


class Tethered:
    """Springs to the sites of a lattice: forces at almost no cost."""

    def __init__(self, sites: np.ndarray) -> None:
        self._sites = sites.copy()
        self._stress = np.zeros((3, 3))

    def force_provider(self, numbers: np.ndarray, pbc: np.ndarray) -> ForceProvider:
        """Return itself: the forces do not depend on the elements."""
        return self

    def evaluate(self, positions: np.ndarray, cell: np.ndarray, stress: bool) -> Evaluated:
        """Pull every atom to its site with 1 eV/A2."""
        return 0.0, self._sites - positions, self._stress if stress else None

    def reset(self) -> None:
        """Do nothing: forces depend on the positions alone."""


class Stopwatch:
    """Calls another calculator and sums the wall time of the calls."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.seconds, self.calls = inner, 0.0, 0

    def force_provider(self, numbers: np.ndarray, pbc: np.ndarray) -> ForceProvider:
        """Return a copy that wraps the provider of the inner calculator."""
        self._provider = force_provider(self._inner, numbers, pbc)
        return self

    def evaluate(self, positions: np.ndarray, cell: np.ndarray, stress: bool) -> Evaluated:
        """Evaluate with the inner calculator and record the time."""
        begin = time.perf_counter()
        evaluated = self._provider.evaluate(positions, cell, stress)
        self.seconds += time.perf_counter() - begin
        self.calls += 1
        return evaluated

    def reset(self) -> None:
        """Reset the inner calculator."""
        self._provider.reset()


def lattice(n_atoms: int) -> Atoms:
    """Return atoms on a cubic grid at the density of a glass, away from the faces of the cell."""
    length = (13.5 * n_atoms) ** (1 / 3)
    side = int(np.ceil(n_atoms ** (1 / 3)))
    grid = (np.argwhere(np.ones((side, side, side)))[:n_atoms] + 0.5) * (length / side)
    return Atoms(np.resize((3, 8, 9, 15), n_atoms), grid, cell=np.eye(3) * length, pbc=True)


def lithium_fluoride() -> Atoms:
    """Return 64 atoms of LiF, which every potential for salts supports."""
    return bulk("LiF", "rocksalt", a=4.03, cubic=True) * (2, 2, 2)


def own_ms(n_atoms: int, n_steps: int, **changes: Any) -> float:
    """Return the loop's milliseconds a step besides forces, the minimum of a few runs."""
    atoms = lattice(n_atoms)
    settings = MDSettings(**{**STABLE, "duration_ps": n_steps * 0.002, **changes})
    found = []
    for _ in range(REPEATS):
        watch = Stopwatch(Tethered(atoms.positions))
        with tempfile.TemporaryDirectory() as folder:
            result = run_md(atoms, watch, settings, folder)  # type: ignore[arg-type]
        found.append(1e3 * (result.elapsed_s - watch.seconds) / result.n_steps)
    return min(found)


def report_loop(n_steps: int) -> None:
    """Print the cost of the loop for each ensemble and size, and of a checkpoint."""
    print("the loop besides forces, ms a step: " + ", ".join(f"{n} atoms" for n in SIZES))
    for name, changes in ENSEMBLES.items():
        values = {n: own_ms(n, n_steps, **changes) for n in SIZES}
        limit = LIMITS_MS.get((name, SIZES[0]))
        note = "" if limit is None else f"   (at most {limit} at {SIZES[0]} atoms)"
        print(f"  {name:15s}" + "".join(f"{value:8.3f}" for value in values.values()) + note)
    often, interval = 50, MDSettings().checkpoint_interval_steps
    cost = own_ms(SIZES[0], 1000, checkpoint_interval_steps=often) - own_ms(SIZES[0], 1000)
    checkpoint = cost * often
    share = 100 * checkpoint / (interval * STEP_MS)
    print(f"one checkpoint: {checkpoint:.1f} ms, {share:.2f} % of {interval} steps of 2 ms")


def overhead(n_steps: int) -> float:
    """Return the time of a step over the time of a force call in it, the median of runs."""
    calculator, atoms = load_calculator(), lithium_fluoride()
    settings = MDSettings(**STABLE, duration_ps=n_steps * 0.002)
    ratios = []
    for _ in range(REPEATS):
        watch = Stopwatch(calculator)
        with tempfile.TemporaryDirectory() as folder:
            result = run_md(atoms, watch, settings, folder)  # type: ignore[arg-type]
        step, call = result.elapsed_s / n_steps, watch.seconds / watch.calls
        ratios.append(step / call)
        print(f"  step {1e3 * step:.2f} ms, call {1e3 * call:.2f} ms: {ratios[-1]:.3f}")
    return statistics.median(ratios)


def rate(n_steps: int, workers: int) -> float:
    """Return steps a second of ``workers`` runs at once, start-up of the processes left out."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = [
            MDTask(
                f"run{index}",
                lithium_fluoride(),
                MDSettings(**STABLE, duration_ps=n_steps * 0.002, seed=index),
                Path(folder) / f"run{index}",
            )
            for index in range(workers)
        ]
        outcomes = run_many(tasks, load_calculator, workers=workers)
    return sum(one.result.n_steps / one.result.elapsed_s for one in outcomes if one.result)


def report_potential(n_steps: int) -> None:
    """Print what the driver adds to the default potential, and what a second worker gains."""
    print(f"driver over calculator alone, 64 atoms: {overhead(n_steps):.3f} (at most 1.05)")
    gains = []
    for _ in range(3):
        one, two = rate(n_steps, 1), rate(n_steps, 2)
        gains.append(two / one)
        print(f"  one worker {one:.1f}, two workers {two:.1f} steps/s: {two / one:.2f}")
    print(f"two workers over one: {statistics.median(gains):.2f} (at least 1.8)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--potential-steps", type=int, default=300)
    parser.add_argument("--only", choices=("loop", "potential"))
    chosen = parser.parse_args()
    if chosen.only != "potential":
        report_loop(chosen.steps)
    if chosen.only != "loop":
        report_potential(chosen.potential_steps)


if __name__ == "__main__":
    main()
