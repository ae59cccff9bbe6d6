"""Compare batched dynamics with one run after the other by ASE, on the same device.

    python benchmarks/gpu.py --device cuda                     # 15 runs of 216 atoms
    python benchmarks/gpu.py --device cpu                      # 3 runs of 64 atoms: a check
    python benchmarks/gpu.py --device cuda --model mace:medium-mpa-0

Prints, for molecular dynamics of LiF at constant volume:

- ASE one by one: its Langevin dynamics with the ASE calculator of the model, each run for the given
  steps (two runs are timed; the others cost the same);
- vitrion one by one: the same calculator in vitrion's engine;
- vitrion batched: all runs in common model calls, with the neighbor lists that this installation
  uses on the device (torch-sim on a GPU);
- the ratio of the first and the last.

The default model is a MACE of the size of the small foundation models with random weights, so that
nothing is downloaded: its cost does not depend on the weights. Forces hold no atom at its site with
such weights; therefore the time step is 0.01 fs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from ase import units
from ase.build import bulk
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from vitrion.dynamics.batched_runs import run_batched
from vitrion.dynamics.engine import run_md
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.workers import MDTask
from vitrion.potentials import load_calculator
from vitrion.potentials.devices import torch_device
from vitrion.potentials.mace_import import import_mace

if TYPE_CHECKING:
    from ase import Atoms

STEP_FS = 0.01
TIMED_ALONE = 2
SIZES = {"cuda": (15, 3, 200), "cpu": (3, 2, 5)}
"""Runs, repetitions of the cubic cell of 8 atoms along each axis, and steps, by device."""


def random_mace(channels: int) -> Any:
    """Return an untrained MACE module of Li and F with the layout of the foundation models."""
    import_mace()
    import torch
    from e3nn import o3
    from mace import modules

    torch.manual_seed(0)
    blocks = modules.interaction_classes
    return modules.ScaleShiftMACE(
        r_max=6.0,
        num_bessel=10,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=blocks["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=blocks["RealAgnosticResidualInteractionBlock"],
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps(f"{channels}x0e + {channels}x1o"),
        MLP_irreps=o3.Irreps("16x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.zeros(2),
        avg_num_neighbors=60.0,
        atomic_numbers=[3, 9],
        correlation=3,
        radial_type="bessel",
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )


def load(model: str | None, channels: int, device: str) -> Any:
    """Return the ASE calculator of the model, in float32."""
    if model is not None:
        return load_calculator(model, device=device)
    import_mace()
    from mace.calculators import MACECalculator

    return MACECalculator(
        models=[random_mace(channels).float().to(device)], device=device, default_dtype="float32"
    )


def synchronized(device: str) -> float:
    """Return the time in s after all work of the device is done."""
    if device != "cpu":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def by_ase(cell: Atoms, calculator: Any, steps: int, device: str) -> float:
    """Return the time in s of Langevin dynamics by ASE."""
    atoms = cell.copy()
    atoms.calc = calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(0))
    dynamics = Langevin(atoms, STEP_FS * units.fs, temperature_K=300, friction=0.01 / units.fs)
    dynamics.run(1)
    began = synchronized(device)
    dynamics.run(steps)
    return synchronized(device) - began


def tasks_of(cell: Atoms, n_runs: int, steps: int, folder: Path) -> list[MDTask]:
    """Return runs that differ in temperature and seed."""
    values = {
        "timestep_fs": STEP_FS,
        "duration_ps": steps * STEP_FS / 1000,
        "save_interval_fs": steps * STEP_FS,
    }
    return [
        MDTask(
            f"{n}", cell, MDSettings(temperature_K=300 + 50 * n, seed=n, **values), folder / f"{n}"
        )
        for n in range(n_runs)
    ]


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--model", help="potential of vitrion; default: MACE with random weights")
    parser.add_argument("--channels", type=int, default=128, help="of the random MACE")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--repeat", type=int, help="3: 216 atoms, 2: 64 atoms")
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    device = torch_device(given.device)
    n_runs, repeat, steps = (
        asked or usual
        for asked, usual in zip(
            (given.runs, given.repeat, given.steps), SIZES[device.partition(":")[0]], strict=True
        )
    )
    cell = bulk("LiF", "rocksalt", a=4.03, cubic=True) * ((repeat,) * 3)
    cell.rattle(0.05, seed=1)
    loader = partial(load, given.model, given.channels, device)
    print(f"{n_runs} runs of {len(cell)} atoms, {steps} steps, on {device}")
    calculator = loader()
    timed = [by_ase(cell, calculator, steps, device) for _ in range(TIMED_ALONE)]
    ase_ms = 1e3 * n_runs * float(np.mean(timed)) / steps
    print(f"ASE one by one:     {ase_ms:9.2f} ms for a step of all runs")
    with tempfile.TemporaryDirectory() as folder:
        run_batched(tasks_of(cell, n_runs, 1, Path(folder) / "warm"), lambda: calculator)
        alone = [
            run_md(cell, calculator, task.settings, task.directory).elapsed_s
            for task in tasks_of(cell, TIMED_ALONE, steps, Path(folder) / "alone")
        ]
        own_ms = 1e3 * n_runs * float(np.mean(alone)) / steps
        print(f"vitrion one by one: {own_ms:9.2f} ms")
        outcomes = run_batched(
            tasks_of(cell, n_runs, steps, Path(folder) / "batch"), lambda: calculator
        )
    for outcome in outcomes:
        if outcome.error:
            raise SystemExit(outcome.error)
    result = outcomes[0].result
    batched_ms = 1e3 * max(outcome.result.elapsed_s for outcome in outcomes) / steps
    print(f"vitrion batched:    {batched_ms:9.2f} ms   ({result.evaluated_by[-1][1]})")
    print(f"ratio ASE / batched: {ase_ms / batched_ms:.2f}")


if __name__ == "__main__":
    main()
