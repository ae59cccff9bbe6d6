"""Diffusivities of ions in quenched disorder, as in a glass: verdict, bias and coverage.

    python benchmarks/transport_disorder.py [--replicas 40]

Ions hop on periodic networks with random site energies and barriers; their exact diffusivity is
known (:mod:`vitrion.migration.random_walk`). For each case the table gives the fraction of single
runs that are called diffusive, the fraction that give a value at least provisionally, the same
verdict for five runs together, the mean ratio of the values to the truth, and the fraction of 95 %
intervals that contain it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np

from helpers.walkers import in_crystal, trapped
from vitrion.transport import analyze, combine

CELL = 12.0 * np.eye(3)
N_FRAMES, INTERVAL_FS = 1500, 100.0
TOGETHER = 5
CASES = {
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
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=40, help="runs of each case")
    replicas = parser.parse_args().replicas
    print("case                              diffusive  valued  five together  ratio  covered")
    for name, case in CASES.items():
        draw, runs, ratios, covered = trapped(N_FRAMES, *case), [], [], []
        for seed in range(replicas):
            rng = np.random.default_rng([17, seed])
            paths, truth = draw(rng)
            positions, symbols = in_crystal(paths, CELL, rng, 12)
            run = analyze(positions, CELL, symbols, INTERVAL_FS, 500.0, wrapped=False)
            runs.append(run)
            kept = run if run.diffusive else run.provisional
            if kept is not None:
                low, high = kept.self_diffusivity.interval()
                true = truth / INTERVAL_FS * 0.1  # A2 per frame in cm2/s
                ratios.append(np.log(kept.self_diffusivity.value / true))
                covered.append(low <= true <= high)
        fives = [
            combine(runs[k : k + TOGETHER], hierarchical=True).diffusive
            for k in range(0, replicas - TOGETHER + 1, TOGETHER)
        ]
        print(
            f"{name:34s}{np.mean([r.diffusive for r in runs]):8.0%}{len(ratios) / replicas:9.0%}"
            f"{np.mean(fives):13.0%}{np.exp(np.mean(ratios)):11.2f}{np.mean(covered):9.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
