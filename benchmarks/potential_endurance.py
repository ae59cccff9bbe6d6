"""Stability of the student in hot runs, and energy drift without a thermostat.

    python benchmarks/potential_endurance.py [--runs 10] [--picoseconds 50] [--workers 2]

Part one: LiPO2F2 cells, each packed separately, at 1500 K (constant volume). A run fails when two
atoms come closer than 0.75 A, the temperature exceeds 4500 K, or a position is not finite. Part
two: a run at constant energy, 2 fs step, from 600 K; the drift of the total energy by a straight
line, in meV per atom and nanosecond, with its standard error. Results are appended to a JSON lines
file after each run, and runs in the file are not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.validate import endurance
from vitrion.potentials import load_calculator

if TYPE_CHECKING:
    from ase import Atoms

VOLUME_A3 = 14.5


def packed(seed: int, count: int) -> Atoms:
    """Return a packed cell of ``count`` formula units."""
    return pack_fragments({"Li": count, "PO2F2": count}, VOLUME_A3, seed=seed)


def hot_run(potential: str, seed: int, picoseconds: float, count: int) -> dict[str, object]:
    """Run at 1500 K and return the duration until a failure."""
    started = time.time()
    run = endurance.hot_run(packed(seed, count), load_calculator(potential), picoseconds, seed=seed)
    seconds = round(time.time() - started, 1)
    return {"kind": "hot", "seed": seed, **run.model_dump(), "seconds": seconds}


def drift_run(potential: str, seed: int, picoseconds: float, count: int) -> dict[str, object]:
    """Run at constant energy from 600 K and fit the drift."""
    atoms, calculator = packed(seed, count), load_calculator(potential)
    run = endurance.energy_drift(atoms, calculator, picoseconds, seed=seed)
    return {"kind": "drift", "seed": seed, **run.model_dump()}


def main() -> None:
    """Make the missing runs and print the summary."""
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
    print(f"{sum(not entry['failure'] for entry in hot)} of {len(hot)} hot runs without a failure")


if __name__ == "__main__":
    main()
