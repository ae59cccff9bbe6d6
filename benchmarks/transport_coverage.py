"""Coverage of stated 68 and 95 % intervals over many synthetic runs, per quantity and case.

Run as ``python benchmarks/transport_coverage.py [runs]``; 2000 runs per case by default, a few
minutes on one core. Prints the table that the test suite checks with fewer runs, and exits with 1
if a coverage is outside 63 to 73 or 92 to 98 %.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.coverage_table import (
    ACCEPTED,
    Tally,
    count_ladders,
    count_runs,
    ladders,
    run_scenarios,
)


def outside(tally: Tally) -> bool:
    """Whether a coverage leaves the accepted range."""
    return any(
        not low <= seen <= high for seen, (low, high) in zip(tally.coverage, ACCEPTED, strict=True)
    )


def main() -> int:
    """Print the table; return the exit code."""
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    wanted = sys.argv[2:]
    bad = 0
    for name, scenario in run_scenarios().items():
        if not wanted or any(word in name for word in wanted):
            bad += show(count_runs(name, scenario, n_runs, seed=11))
    for name, ladder in ladders().items():
        if not wanted or any(word in name for word in wanted):
            bad += show(count_ladders(name, ladder, n_runs, seed=12))
    print(f"{bad} rows outside 63-73 / 92-98 %")
    return int(bad > 0)


def show(tallies: list[Tally]) -> int:
    """Print rows; return how many are outside."""
    for tally in tallies:
        print(f"{tally}{'  <-- outside' if outside(tally) else ''}", flush=True)
    return sum(map(outside, tallies))


if __name__ == "__main__":
    sys.exit(main())
