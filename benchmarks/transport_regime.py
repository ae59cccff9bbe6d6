"""Rates of refused diffusive runs, and of accepted non-diffusive runs, by case.

Run as ``python benchmarks/transport_regime.py [runs]``; 100 runs per case by default, about a
minute on one core. Exits with 1 if more than 2 % of all diffusive runs are refused, the stated
level of the verdict, or more than 2 % of the others are accepted.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.regime_table import called_diffusive, diffusive, not_diffusive

ACCEPTED = 0.02


def main() -> int:
    """Print the table; return the exit code."""
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    bad = 0
    for cases, wanted in ((diffusive(), True), (not_diffusive(), False)):
        wrong = 0
        for name, scenario in cases.items():
            passed = called_diffusive(scenario, n_runs, seed=11)
            wrong += n_runs - passed if wanted else passed
            print(f"{name:26s} called diffusive: {passed:4d} of {n_runs}", flush=True)
        rate = wrong / (n_runs * len(cases))
        print(f"{'refused' if wanted else 'let through'} wrongly: {rate:.2%}")
        bad += rate > ACCEPTED
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
