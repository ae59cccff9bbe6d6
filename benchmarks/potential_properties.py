"""Lattice parameters, glass density and Li energies of the shipped student against its teacher.

    python benchmarks/potential_properties.py out --python ENV/bin/python

The student finds its minima, the teacher labels them in its own environment, and the differences
are printed (see vitrion.potentials.distill.properties for how). Run again to continue.
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
from vitrion.potentials.distill.properties import property_errors, property_frames


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--teacher", default="sevennet:7net-l3i5")
    parser.add_argument("--python", type=Path, help="interpreter of the teacher's environment")
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    calculator = load_calculator(options.potential)
    options.directory.mkdir(parents=True, exist_ok=True)
    minima = options.directory / "minima.xyz"
    if not minima.exists():
        write_frames(minima, property_frames(calculator, options.seed))
    frames = read(minima, index=":", format="extxyz")
    teacher = Teacher(name=options.teacher, python=options.python)
    labelled = label(frames, teacher, options.directory / "labels")
    errors = property_errors(labelled, calculator)
    for entry in errors["lattices"]:
        print(
            f"{entry['name']:8s} lattice {100 * entry['lattice_difference']:5.2f} %  "
            f"density {100 * entry['density_difference']:+6.2f} %"
        )
    for entry in errors["defects"]:
        print(f"{entry['name']:12s} student minus teacher {entry['error_eV']:+.3f} eV")


if __name__ == "__main__":
    main()
