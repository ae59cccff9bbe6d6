"""Diffusivities of ions in quenched disorder, as in a glass: verdict, bias and coverage.

    python benchmarks/transport_disorder.py [--runs 40] [--groups 30]

Ions hop on periodic networks with random site energies and barriers; their exact diffusivity is
known (:mod:`vitrion.migration.random_walk`). The first table is of single runs: the fraction that
is called diffusive, the fraction that has a value at least provisionally, the mean ratio of the
values to the truth, and the fraction of 95 % intervals that contain it. The second table is of five
glasses together, each with runs at 400, 440, 480 and 520 K: the fraction of temperatures with a
value, the coverage of its 95 % interval, the number of lines, the coverage of D at 300 K and of Ea,
and for ln D at 300 K the mean of the truth minus the value and the mean standard error. The
correction for finite time was fitted to the first ten kinds of disorder, and not to the last four.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np

from helpers.disordered_glasses import CASES, OTHERS, count
from helpers.walkers import in_crystal, trapped
from vitrion.transport import analyze

CELL = 12.0 * np.eye(3)
N_FRAMES, INTERVAL_FS = 1500, 100.0
SINGLE = {
    # (ions, hops per ion, spread of site energies in kT, mean-square spread of barriers in kT)
    "no disorder": (24, 10, 0.0, 0.0),
    "weak disorder, 10 hops an ion": (24, 10, 1.0, 1.0),
    "disorder, 10 hops an ion": (24, 10, 1.5, 1.5),
    "disorder, 12 ions": (12, 12, 1.5, 1.5),
    "disorder, 40 hops an ion": (24, 40, 1.5, 1.5),
    "strong disorder, 40 hops an ion": (24, 40, 2.5, 2.5),
    "strong disorder, 160 hops an ion": (24, 160, 2.5, 2.5),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40, help="single runs of each case")
    parser.add_argument("--groups", type=int, default=30, help="groups of five glasses")
    options = parser.parse_args()
    print("single runs                       diffusive  valued  ratio  covered")
    for name, case in SINGLE.items():
        print(f"{name:34s}{single_runs(case, options.runs)}", flush=True)
    print(f"\n{'five glasses':34s}  valued   covered lines  at 300 K        Ea    bias   error")
    for name, disorder in (CASES | OTHERS).items():
        print(f"{name:34s}{count(disorder, options.groups)}", flush=True)


def single_runs(case: tuple[int, float, float, float], n_runs: int) -> str:
    """Return the row of a case."""
    draw, diffusive, ratios, covered = trapped(N_FRAMES, *case), 0, [], []
    for seed in range(n_runs):
        rng = np.random.default_rng([17, seed])
        paths, truth = draw(rng)
        positions, symbols = in_crystal(paths, CELL, rng, 12)
        run = analyze(positions, CELL, symbols, INTERVAL_FS, 500.0, wrapped=False)
        diffusive += run.diffusive
        kept = run if run.diffusive else run.provisional
        if kept is not None:
            low, high = kept.self_diffusivity.interval()
            true = truth / INTERVAL_FS * 0.1  # A2 per frame in cm2/s
            ratios.append(np.log(kept.self_diffusivity.value / true))
            covered.append(low <= true <= high)
    return (
        f"{diffusive / n_runs:8.0%}{len(ratios) / n_runs:9.0%}"
        f"{np.exp(np.mean(ratios)):11.2f}{np.mean(covered):9.0%}"
    )


if __name__ == "__main__":
    main()
