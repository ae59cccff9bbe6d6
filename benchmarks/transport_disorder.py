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
The third table is of the forecast that further runs are planned with: the mean standard error of
ln D at 300 K of five glasses, its forecast after three times longer runs and the error found there,
and the same for three times as many glasses.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np

from helpers.disordered_glasses import CASES, OTHERS, Disorder, count, glass
from helpers.walkers import in_crystal, trapped
from vitrion.conductivity.forecast import Forecast
from vitrion.transport import TransportResult, analyze, arrhenius
from vitrion.transport.replicas import combine_temperatures

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


FORECAST = ("1.5 kT, 5 hops an ion", "2.5 kT, 5 hops an ion")


def main() -> None:
    """Print the tables."""
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
    print("\nforecast, five glasses              error  longer   found    more   found")
    for name in FORECAST:
        print(f"{name:34s}{forecasts(CASES[name], options.groups)}", flush=True)


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


def forecasts(case: Disorder, n_groups: int) -> str:
    """Return the row of a case; its hops of an ion become three times as many."""
    longer = case._replace(hops_per_ion=3 * case.hops_per_ion)
    glasses, later = ([glass(each, k)[0] for k in range(5 * n_groups)] for each in (case, longer))
    rows = []
    for first in range(0, len(glasses) - 14, 15):
        more = forecast(glasses[first : first + 15])
        for k in range(first, first + 15, 5):
            now, then = forecast(glasses[k : k + 5]), forecast(later[k : k + 5])
            if now and then and more:
                predicted = math.sqrt(now.variance(3.0)), math.sqrt(now.variance(systems=3.0))
                rows.append((now.error, predicted[0], then.error, predicted[1], more.error))
    return "".join(f"{mean:8.2f}" for mean in np.mean(rows, axis=0))


def forecast(glasses: list[list[TransportResult]]) -> Forecast | None:
    """Return the forecast for glasses, each with its runs by temperature; None without a line."""
    groups = list(zip(*glasses, strict=True))
    results = combine_temperatures(groups, hierarchical=True, disordered=True)
    fit = arrhenius(results, quantity="self")
    if fit.diffusivity_300K is None:
        return None
    used = [
        (result, point)
        for result, point in zip(results, fit.points, strict=True)
        if point.diffusivity and not point.excluded
    ]
    return Forecast(*zip(*used, strict=True), error=fit.diffusivity_300K.relative_error)


if __name__ == "__main__":
    main()
