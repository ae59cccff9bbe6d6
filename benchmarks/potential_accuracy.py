"""Errors of the shipped student on held-out labeled frames, as a Markdown table.

    python benchmarks/potential_accuracy.py [--potential vitrion-lipof] [--frames data/student/...]

The teacher (SevenNet 7net-l3i5) made the labels; D3(BJ) is added unless the potential was trained
without dispersion. ``--potential chgnet`` tests another potential on the same frames; its energies
have another zero and functional, so only its forces are comparable.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from vitrion.distill.data.frames import read_labelled
from vitrion.distill.validate.change_errors import change_errors
from vitrion.distill.validate.regime_errors import regime_errors, table
from vitrion.distill.validate.teacher_comparison import matching_labels
from vitrion.potentials import get_potential, load_calculator

HELDOUT = Path(__file__).parents[1] / "data" / "student" / "heldout.xyz.gz"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--frames", type=Path, default=HELDOUT)
    options = parser.parse_args()
    frames = matching_labels(read_labelled([options.frames]), get_potential(options.potential))
    calculator = load_calculator(options.potential)
    print(table(regime_errors(frames, calculator)))
    errors: dict[str, list[float]] = {}
    for entry in change_errors(frames, calculator):
        origin, *rest = str(entry["kind"]).split(":")
        change = "removed" if "vacancy" in rest else "added"
        errors.setdefault(f"{origin}, Li {change}", []).append(float(entry["error_eV"]))
    print("\n| energy of a change | cells | mean error eV per Li | rms |\n|---|---|---|---|")
    for name, values in errors.items():
        rms = np.sqrt(np.mean(np.square(values)))
        print(f"| {name} | {len(values)} | {np.mean(values):+.2f} | {rms:.2f} |")


if __name__ == "__main__":
    main()
