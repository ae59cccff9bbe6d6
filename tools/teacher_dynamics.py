"""Run dynamics with a teacher in its own environment, for structure to compare with the student's.

Like ``distill/label/label_program.py`` it needs only ASE and the teacher's package. It starts from
the beginning if it is killed: runs are short.

    python tools/teacher_dynamics.py start.xyz frames.xyz --teacher sevennet:7net-l3i5
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import units
from ase.io import iread, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

PROGRAMS = Path(__file__).parents[1] / "src" / "vitrion" / "distill" / "label"
STEP_FS = 2.0
EVERY = 5


def main() -> int:
    """Heat, wait, then write a frame every 10 fs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("start", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--temperature", type=float, default=600.0, help="K")
    parser.add_argument("--wait", type=float, default=0.2, help="ps before the first frame")
    parser.add_argument("--length", type=float, default=0.6, help="ps of frames")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import torch

    sys.path.append(str(PROGRAMS))
    from label_program import load_teacher

    if options.device == "cpu":
        torch.set_num_threads(1)
    atoms = next(iread(options.start, format="extxyz"))
    atoms.calc = load_teacher(options.teacher, options.device)
    rng = np.random.default_rng(options.seed)
    MaxwellBoltzmannDistribution(atoms, temperature_K=options.temperature, rng=rng)
    dynamics = Langevin(
        atoms,
        STEP_FS * units.fs,
        temperature_K=options.temperature,
        friction=0.02 / units.fs,
        rng=rng,
    )
    dynamics.run(round(1000 * options.wait / STEP_FS))
    found = []
    for _ in range(round(1000 * options.length / STEP_FS / EVERY)):
        dynamics.run(EVERY)
        frame = atoms.copy()
        frame.arrays.pop("momenta", None)
        found.append(frame)
    write(options.frames, found, format="extxyz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
