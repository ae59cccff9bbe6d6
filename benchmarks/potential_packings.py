"""Energies of other packings of LiF, Li2O, Li2CO3 and Li3PO4 above the known crystal.

    python benchmarks/potential_packings.py out --python ENV/bin/python [--count 12] [--seed 5]

Random crystals and known structure types are relaxed with the student, its minima labelled by the
teacher. A packing that the student puts below the known crystal, and the teacher does not, is a
hole that a crystal search falls into. Run again to continue.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from ase.io import read

from vitrion.potentials import load_calculator
from vitrion.potentials.distill.dataset import write_frames
from vitrion.potentials.distill.labelling import Teacher, label
from vitrion.potentials.distill.packings import packing_errors, packing_frames


def main() -> None:
    """Print one line a formula."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--teacher", default="sevennet:7net-l3i5")
    parser.add_argument("--python", type=Path, help="interpreter of the teacher's environment")
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--count", type=int, default=12, help="candidates of each formula")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    calculator = load_calculator(options.potential)
    options.directory.mkdir(parents=True, exist_ok=True)
    minima = options.directory / "minima.xyz"
    if not minima.exists():
        write_frames(minima, packing_frames(calculator, options.seed, options.count))
    frames = read(minima, index=":", format="extxyz")
    teacher = Teacher(name=options.teacher, python=options.python)
    labelled = label(frames, teacher, options.directory / "labels")
    for entry in packing_errors(labelled, calculator):
        print(
            f"{entry['formula']:8s} {entry['n']:3d} packings, the lowest lies "
            f"{entry['lowest_student']:+7.1f} meV/atom above the known crystal "
            f"(teacher {entry['lowest_teacher']:+7.1f}); difference rms "
            f"{entry['rms_difference']:5.1f}, deepest hole {entry['deepest_hole']:+6.1f}"
        )


if __name__ == "__main__":
    main()
