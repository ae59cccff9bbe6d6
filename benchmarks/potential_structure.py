"""Pair distributions of a LiPO2F2 glass by dynamics of the student and of its teacher.

    python benchmarks/potential_structure.py out --python ENV/bin/python [--units 5]

Both start from the same quenched cell, at 600 K, and run for a fraction of a picosecond, so that
the network stays the same and only the shape of the peaks is compared. Two runs of the student with
different seeds show the overlap of two runs of one potential; 1 means equal distributions.
"""

from __future__ import annotations

import argparse
import os
from itertools import combinations_with_replacement
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import TYPE_CHECKING

import numpy as np
from ase.io import read

from vitrion.distill.data.frames import write_frames
from vitrion.distill.label.labelling import Teacher
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.sampling import DynamicsSettings, explore
from vitrion.distill.validate.heldout import GLASS_A3
from vitrion.distill.validate.pair_distribution import overlap, pair_distribution
from vitrion.potentials import load_calculator
from vitrion.runtime.processes import run_checked

if TYPE_CHECKING:
    from ase import Atoms

PROGRAM = Path(__file__).parents[1] / "tools" / "teacher_dynamics.py"
STUDENT = "vitrion.potentials.student:student_calculator"


def quenched(units: int, seed: int) -> Atoms:
    """Return a cell melted at 1500 K and cooled at 600 K by the student, 1 ps each."""
    cell = pack_fragments({"Li": units, "PO2F2": units}, GLASS_A3, seed=seed)
    del cell.arrays["fragment"]
    rng = np.random.default_rng(seed)
    settings = DynamicsSettings(interval_fs=200.0)
    for temperature in (1500.0, 600.0):
        cell = explore(cell, load_calculator("vitrion-lipof"), temperature, settings, rng)[-1]
    return cell


def trajectory(
    teacher: Teacher, start: Path, target: Path, seed: int, length_ps: float
) -> list[Atoms]:
    """Return the frames of a run by a potential in its own environment."""
    if not target.exists():
        command = teacher.command(start, target)
        command[1] = str(PROGRAM)
        more = {"--seed": seed, "--wait": length_ps / 3, "--length": length_ps}
        command += [str(part) for option in more.items() for part in option]
        run_checked(command, target.with_suffix(".log"))
    return read(target, index=":", format="extxyz")


def by_pair(frames: list[Atoms]) -> dict[str, np.ndarray]:
    """Return the pair distribution of all atoms and of each pair of elements."""
    found = {"all": pair_distribution(frames)[1]}
    for pair in combinations_with_replacement(sorted(set(frames[0].symbols)), 2):
        found["-".join(pair)] = pair_distribution(frames, pair=pair)[1]
    return found


def main() -> None:
    """Print the overlaps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--teacher", default="sevennet:7net-l3i5")
    parser.add_argument("--python", type=Path, help="interpreter of the teacher's environment")
    parser.add_argument("--units", type=int, default=5, help="formula units of LiPO2F2")
    parser.add_argument(
        "--length", type=float, default=0.6, help="ps of a run, after a third of it"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    start = options.directory / "start.xyz"
    if not start.exists():
        write_frames(start, [quenched(options.units, options.seed)])
    student = Teacher(name=STUDENT)
    teacher = Teacher(name=options.teacher, python=options.python)
    runs = {}
    for name, potential, seed in (
        ("student-1", student, options.seed),
        ("student-2", student, options.seed + 1),
        ("teacher", teacher, options.seed),
    ):
        target = options.directory / f"{name}.xyz"
        runs[name] = by_pair(trajectory(potential, start, target, seed, options.length))
    first, again, other = runs.values()
    print("pair     student and teacher   student and student")
    for name, own in first.items():
        print(f"{name:8s} {overlap(own, other[name]):19.3f} {overlap(own, again[name]):21.3f}")


if __name__ == "__main__":
    main()
