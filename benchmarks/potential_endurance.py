"""Does the student survive? Hot runs without a blow-up, and energy drift without a thermostat.

    python benchmarks/potential_endurance.py [--runs 10] [--picoseconds 50] [--workers 2]

Part one: LiPO2F2 cells, each packed anew, at 1500 K (constant volume). A run fails when two atoms
come closer than 0.75 A, the temperature leaves all bounds, or a position is no longer a number.
Part two: a run at constant energy, 2 fs step, from 600 K; the drift of the total energy by a
straight line, in meV per atom and nanosecond, next to its standard error. Results are appended to
a JSON lines file after each run, and runs that are in it are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.md.verlet import VelocityVerlet
from ase.optimize import FIRE

from vitrion.distill.packing import pack
from vitrion.distill.sampling import collapsed
from vitrion.potentials import load_calculator

VOLUME_A3 = 14.5
STEP_FS = 2.0


def start(potential: str, seed: int, temperature_K: float, count: int) -> Atoms:
    """Return a packed, relaxed cell with velocities."""
    atoms = pack({"Li": count, "PO2F2": count}, VOLUME_A3, seed=seed)
    atoms.calc = load_calculator(potential)
    FIRE(atoms, logfile=None).run(fmax=0.3, steps=100)
    rng = np.random.default_rng(seed)
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature_K, rng=rng)
    Stationary(atoms)
    return atoms


def hot_run(potential: str, seed: int, picoseconds: float, count: int) -> dict[str, object]:
    """Run at 1500 K and say how far it came."""
    atoms = start(potential, seed, 1500, count)
    rng = np.random.default_rng(seed + 1)
    friction = 0.01 / units.fs
    dynamics = Langevin(atoms, STEP_FS * units.fs, temperature_K=1500, friction=friction, rng=rng)
    started, steps, failure = time.time(), 0, ""
    while steps * STEP_FS < 1000 * picoseconds and not failure:
        dynamics.run(50)
        steps += 50
        if not np.isfinite(atoms.positions).all():
            failure = "not a number"
        elif atoms.get_temperature() > 4500:
            failure = f"{atoms.get_temperature():.0f} K"
        elif collapsed(atoms):
            failure = "atoms on top of each other"
    return {
        "kind": "hot",
        "seed": seed,
        "picoseconds": steps * STEP_FS / 1000,
        "failure": failure,
        "seconds": round(time.time() - started, 1),
    }


def drift_run(potential: str, seed: int, picoseconds: float, count: int) -> dict[str, object]:
    """Run at constant energy from 600 K and fit the drift."""
    atoms = start(potential, seed, 600, count)
    rng = np.random.default_rng(seed + 1)
    Langevin(atoms, STEP_FS * units.fs, temperature_K=600, friction=0.02, rng=rng).run(500)
    dynamics = VelocityVerlet(atoms, STEP_FS * units.fs)
    times, energies = [], []
    for block in range(round(1000 * picoseconds / STEP_FS / 10)):
        dynamics.run(10)
        times.append((block + 1) * 10 * STEP_FS / 1e6)
        energies.append(1000 * atoms.get_total_energy() / len(atoms))
    slope, covariance = np.polyfit(times, energies, 1, cov=True)
    return {
        "kind": "drift",
        "seed": seed,
        "picoseconds": picoseconds,
        "drift_meV_per_atom_ns": float(slope[0]),
        "standard_error": float(np.sqrt(covariance[0, 0])),
        "fluctuation_meV_per_atom": float(np.std(energies - np.polyval(slope, times))),
    }


def main() -> None:
    """Run what is missing and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--picoseconds", type=float, default=50.0)
    parser.add_argument("--drift-picoseconds", type=float, default=50.0)
    parser.add_argument("--units", type=int, default=6, help="formula units of LiPO2F2 in a cell")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("endurance.jsonl"))
    options = parser.parse_args()
    done = []
    if options.results.exists():
        done = [json.loads(line) for line in options.results.read_text().splitlines()]
    had = {(entry["kind"], entry["seed"]) for entry in done}
    jobs = [(hot_run, "hot", seed, options.picoseconds) for seed in range(options.runs)]
    jobs.append((drift_run, "drift", 100, options.drift_picoseconds))
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        pending = [
            pool.submit(function, options.potential, seed, length, options.units)
            for function, kind, seed, length in jobs
            if (kind, seed) not in had
        ]
        for future in pending:
            entry = future.result()
            done.append(entry)
            with options.results.open("a") as handle:
                handle.write(json.dumps(entry) + "\n")
            print(entry, flush=True)
    hot = [entry for entry in done if entry["kind"] == "hot"]
    print(f"{sum(not entry['failure'] for entry in hot)} of {len(hot)} hot runs without a blow-up")


if __name__ == "__main__":
    main()
