"""Lattices, density, Li energies and other packings by the shipped student against its teacher.

    python benchmarks/potential_properties.py out --python ENV/bin/python [--packings 12] [--seed 1]

The student finds its minima, the teacher labels them in its own environment, and the differences
are printed (methods in vitrion.distill.validate.properties and
vitrion.distill.sample.packings). A packing that is below the known
crystal by the student but not by the teacher is a spurious minimum. Rerun to resume.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

from ase.io import read

from vitrion.distill.data.frames import write_frames
from vitrion.distill.label.labelling import Teacher, label
from vitrion.distill.sample.packings import packing_errors, packing_frames
from vitrion.distill.validate.properties import property_errors, property_frames
from vitrion.potentials import get_potential, load_calculator

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms


def labelled(folder: Path, make: Callable[[], list[Atoms]], teacher: Teacher) -> list[Atoms]:
    """Return the labelled minima of ``make``, from the folder if they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    minima = folder / "minima.xyz"
    if not minima.exists():
        write_frames(minima, make())
    return label(read(minima, index=":", format="extxyz"), teacher, folder / "labels")


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--teacher", default="sevennet:7net-l3i5")
    parser.add_argument("--python", type=Path, help="interpreter of the teacher's environment")
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--packings", type=int, default=12, help="candidates of each formula")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    calculator = load_calculator(options.potential)
    has_dispersion = "D3" in get_potential(options.potential).functional
    dispersion = "pbe" if has_dispersion else None
    teacher = Teacher(name=options.teacher, python=options.python, dispersion=dispersion)
    frames = labelled(
        options.directory / "properties",
        lambda: property_frames(calculator, options.seed),
        teacher,
    )
    cells, defects = property_errors(frames, calculator, print)
    for cell in cells:
        print(
            f"{cell.name:8s} lattice {100 * cell.lattice_difference:5.2f} %  "
            f"density {100 * cell.density_difference:+6.2f} %  "
            f"bulk modulus {cell.bulk_modulus_GPa:5.1f} GPa, "
            f"teacher {cell.teacher_bulk_modulus_GPa:5.1f} GPa"
        )
    for entry in defects:
        print(f"{entry['name']:12s} student minus teacher {entry['error_eV']:+.3f} eV")
    frames = labelled(
        options.directory / "packings",
        lambda: packing_frames(calculator, options.seed, options.packings),
        teacher,
    )
    for entry in packing_errors(frames, calculator):
        print(
            f"{entry['formula']:8s} {entry['n']:3d} packings, the lowest lies "
            f"{entry['lowest_student']:+7.1f} meV/atom above the known crystal "
            f"(teacher {entry['lowest_teacher']:+7.1f}); difference rms "
            f"{entry['rms_difference']:5.1f}, lowest {entry['lowest_difference']:+6.1f}"
        )


if __name__ == "__main__":
    main()
