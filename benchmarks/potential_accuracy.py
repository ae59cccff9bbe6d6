"""Errors of the shipped student on labelled frames that it never saw, as a Markdown table.

    python benchmarks/potential_accuracy.py [--potential vitrion-lipof] [--frames data/student/...]

The labels are those of the teacher (SevenNet 7net-l3i5). ``--potential chgnet`` puts another
potential through the same frames: its energies have another zero and another functional mix, so
only its forces compare.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from vitrion.potentials import load_calculator
from vitrion.potentials.distill.dataset import read_labelled
from vitrion.potentials.distill.validation import regime_errors, table

HELDOUT = Path(__file__).parents[1] / "data" / "student" / "heldout.xyz.gz"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--potential", default="vitrion-lipof")
    parser.add_argument("--frames", type=Path, default=HELDOUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "heldout.xyz"
        packed = options.frames.suffix == ".gz"
        data = options.frames.read_bytes()
        plain.write_bytes(gzip.decompress(data) if packed else data)
        frames = read_labelled([plain])
    print(table(regime_errors(frames, load_calculator(options.potential))))


if __name__ == "__main__":
    main()
