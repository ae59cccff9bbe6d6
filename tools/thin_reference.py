"""Thin pymatgen-analysis-diffusion's LGPS run to the file that the tests keep.

    python tools/thin_reference.py SOURCE.json.gz tests/transport/lgps_600K.npz

The source is the run of 50 atoms and 1000 frames at 600 K in the tests of
pymatgen-analysis-diffusion (BSD-3-Clause). Every fourth frame is kept, displacements rounded to
0.001 A.
"""

from __future__ import annotations

import gzip
import json
import sys

import numpy as np

STRIDE = 4


def main(source: str, target: str) -> None:
    """Read the analyzer's JSON and write the thinned run."""
    with gzip.open(source) as file:
        run = json.load(file)
    sites = run["structure"]["sites"]
    displacements = np.array(run["displacements"]).transpose(1, 0, 2)[::STRIDE]
    np.savez_compressed(
        target,
        start_A=np.array([site["xyz"] for site in sites]),
        symbols=np.array([site["species"][0]["element"] for site in sites]),
        cell_A=np.array(run["structure"]["lattice"]["matrix"]),
        displacements_mA=np.round(1000 * displacements).astype(np.int16),
        interval_fs=float(run["time_step"] * run["step_skip"] * STRIDE),
        temperature_K=float(run["temperature"]),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
