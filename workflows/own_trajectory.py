"""Conductivity from trajectories of other programs, added to the store.

    python workflows/own_trajectory.py 600=XDATCAR_600 750=XDATCAR_750 --mobile Li --interval 50
    python workflows/own_trajectory.py --toy

Each argument is a temperature in K and a file; several files at one temperature are independent
runs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write
from jobflow import job, run_locally
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.conductivity.document import ConductivityDoc
from vitrion.database.client import VitrionClient
from vitrion.store.job_store import open_job_store
from vitrion.transport import analyze_file, table


@job(output_schema=ConductivityDoc)
def measure(
    runs: dict[str, list[str]], mobile: str, interval_fs: float, phase: str
) -> ConductivityDoc:
    """Analyze all runs; ``vitrion query`` finds the document of the job."""
    results = {
        float(temperature): [
            analyze_file(file, mobile, float(temperature), interval_fs) for file in files
        ]
        for temperature, files in runs.items()
    }
    first_frame = read(next(iter(runs.values()))[0], index=0)
    return ConductivityDoc.from_results(
        AseAtomsAdaptor.get_structure(first_frame),
        results,
        hierarchical=False,  # True if the runs are of different glasses
        phase=phase,
    )


def walkers(folder: Path, temperature_K: float, seed: int) -> Path:
    """Write a toy trajectory: lithium hopping over a barrier of 0.3 eV in a cage of oxygen."""
    rng = np.random.default_rng(seed)
    n_ions = 24
    shape = (1000, n_ions, 3)
    rate = 5.0 * np.exp(-0.3 / (8.617e-5 * temperature_K))  # hops per frame along each axis
    hops = 3.0 * rng.choice([-1, 1], shape) * (rng.random(shape) < rate)
    lithium = np.cumsum(hops, axis=0) + rng.normal(scale=0.2, size=shape)
    oxygen = 24 * rng.random((n_ions, 3)) + rng.normal(scale=0.1, size=shape)
    positions = np.concatenate([lithium, oxygen], axis=1)
    symbols = ["Li"] * n_ions + ["O"] * n_ions
    path = folder / f"{temperature_K:g}K-{seed}.extxyz"
    write(path, [Atoms(symbols, p, cell=[24, 24, 24], pbc=True) for p in positions])
    return path


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", help="TEMPERATURE=FILE")
    parser.add_argument("--mobile", default="Li")
    parser.add_argument("--interval", type=float, default=50.0, help="time between frames in fs")
    parser.add_argument("--phase", default="crystalline")
    parser.add_argument("--store", default="vitrion_data")
    parser.add_argument("--toy", action="store_true", help="walkers of which the truth is known")
    options = parser.parse_args()
    runs: dict[str, list[str]] = defaultdict(list)
    if options.toy:
        folder = Path(tempfile.mkdtemp())
        for temperature in (500.0, 600.0, 750.0):
            runs[f"{temperature:g}"] = [str(walkers(folder, temperature, seed)) for seed in (0, 1)]
    for argument in options.runs:
        temperature, _, file = argument.partition("=")
        runs[temperature].append(str(Path(file).absolute()))

    store = open_job_store(options.store)
    store.connect()
    analysis = measure(dict(runs), options.mobile, options.interval, options.phase)
    run_locally(analysis, store=store, raise_immediately=True, log=False)
    store.close()
    with VitrionClient(options.store) as client:
        document = client.conductivity.get(analysis.uuid)
    for row in table(document.results[0]):
        print(*row, sep="  ")
    print("Activation energy (eV):", document.arrhenius.activation_energy_interval())
    print(*document.arrhenius.refusals, sep="\n")


if __name__ == "__main__":
    main()
