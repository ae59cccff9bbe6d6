"""Time of one force call for 72 atoms of LiPO2F2 glass on one thread: student against its peers.

    python benchmarks/potential_speed.py [--calls 15]

Peers, in the same run: CHGNet, and an untrained MACE of the size of the foundation model ``small``
(128 channels, L = 0, cutoff 6 A). Calls are interleaved, so that other load on the machine
affects all models equally, and process time is measured, not wall time.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import TYPE_CHECKING

import numpy as np

from vitrion.distill.sample.packing import pack_fragments
from vitrion.potentials import load_calculator
from vitrion.potentials.student import build_model, describe_model, load_student, student_path

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


def peers() -> dict[str, Calculator]:
    """Return the calculators by name; forces only, as in dynamics at constant volume."""
    import torch
    from mace.calculators import MACECalculator

    student = load_student(student_path())
    torch.manual_seed(0)
    small = build_model(
        describe_model(student)
        | {
            "hidden_irreps": "128x0e",
            "r_max": 6.0,
            "correlation": 3,
            "max_ell": 3,
            "radial_MLP": [64, 64, 64],
        }
    )
    return {
        "vitrion-lipof": load_calculator("vitrion-lipof"),
        "vitrion-lipof by mace's calculator": MACECalculator(
            models=[student], device="cpu", default_dtype="float32"
        ),
        "chgnet": load_calculator("chgnet"),
        "untrained MACE, 128 channels, r 6 A": MACECalculator(
            models=[small], device="cpu", default_dtype="float32"
        ),
    }


def interleaved(atoms: Atoms, calculators: dict[str, Calculator], calls: int) -> dict[str, float]:
    """Return the median process time of a force call in ms, the atoms moving between calls."""
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in calculators}
    for call in range(calls + 2):
        atoms.positions += rng.normal(0, 0.01, atoms.positions.shape)
        for name, calculator in calculators.items():
            started = time.process_time()
            calculator.get_forces(atoms)
            if call >= 2:
                times[name].append(1000 * (time.process_time() - started))
    return {name: float(np.median(values)) for name, values in times.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=15)
    options = parser.parse_args()
    atoms = pack_fragments({"Li": 12, "PO2F2": 12}, 13.8, seed=1)
    times = interleaved(atoms, peers(), options.calls)
    student = times["vitrion-lipof"]
    for name, value in times.items():
        print(f"{name:40s} {value:8.1f} ms   {value / student:5.1f} x the student")


if __name__ == "__main__":
    main()
