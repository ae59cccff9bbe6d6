"""Speed and memory of the transport analysis against its peers, measured in one run.

Run as ``python benchmarks/transport_speed.py [--peers DIRECTORY]``. It generates a trajectory of
10,000 frames x 400 atoms (100 Li), installs pymatgen-analysis-diffusion and kinisi into a separate
virtual environment (temporary, or kept in DIRECTORY), runs every analysis in a separate process on
one thread with the trajectory in memory, and prints times and ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np

PEERS = ("pymatgen-analysis-diffusion", "kinisi", "MDAnalysis")
N_FRAMES, N_ATOMS, N_LI, EDGE_A, FRAME_FS, TEMPERATURE_K = 10_000, 400, 100, 20.0, 50.0, 600.0
REPEATS = 3

COMMON = f"""
import json, resource, sys, time
import numpy as np
positions = np.load(sys.argv[1])
cell = np.eye(3) * {EDGE_A}
symbols = ["Li"] * {N_LI} + ["O"] * {N_ATOMS - N_LI}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def report(work, repeats={REPEATS}):
    before, times, value = peak(), [], None
    for _ in range(repeats):
        start = time.process_time()
        value = work()
        times.append(time.process_time() - start)
    print(json.dumps([min(times), peak() - before, float(value)]))
"""

VITRION = """
from vitrion.transport import analyze
def work():
    result = analyze(positions, cell, symbols, {frame}, {kelvin}, wrapped={wrapped})
    return result.self_diffusivity.value
analyze(positions[:100], cell, symbols, {frame}, {kelvin})
report(work)
"""

PERCOLATION = """
from vitrion.transport.density import density_map, percolation_barriers
def work():
    barriers = percolation_barriers(density_map(positions[:, :100], cell), {kelvin})
    return barriers.unseen_eV
report(work)
"""

PYMATGEN = """
from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer
from pymatgen.core import Lattice, Structure
structure = Structure(Lattice(cell), symbols, positions[0], coords_are_cartesian=True)
displacements = (positions - positions[0]).transpose(1, 0, 2)
def work():
    found = DiffusionAnalyzer(structure, displacements, "Li", {kelvin}, {frame}, 1, smoothed="max")
    return found.diffusivity
report(work)
"""

KINISI = """
import MDAnalysis as mda
import scipp as sc
from kinisi.analyze import DiffusionAnalyzer
universe = mda.Universe.empty(len(symbols), trajectory=True)
universe.add_TopologyAttr("type", symbols)
box = np.array([{edge}] * 3 + [90.0] * 3, dtype=np.float32)
universe.load_new(positions % {edge}, dt={frame} / 1000, dimensions=box)
dt = sc.linspace("time interval", {frame}, {frame} * {n_frames} / 2, 200, unit="fs")
dt = sc.round(dt / sc.scalar({frame}, unit="fs")) * sc.scalar({frame}, unit="fs")
def work():
    found = DiffusionAnalyzer.from_universe(
        universe, "Li", sc.scalar({frame}, unit="fs"), sc.scalar(1), dt=dt, progress=False
    )
    found.diffusion(sc.scalar({frame} * 100, unit="fs"), progress=False)
    return np.median(found.D.values)
report(work, 1)
"""


def make_positions() -> np.ndarray:
    """Lithium on random walks with vibration, in a vibrating framework; unwrapped, in A."""
    rng = np.random.default_rng(0)
    positions = np.empty((N_FRAMES, N_ATOMS, 3))
    positions[:] = rng.uniform(0.0, EDGE_A, (1, N_ATOMS, 3))
    positions[:, N_LI:] += 0.1 * rng.normal(size=(N_FRAMES, N_ATOMS - N_LI, 3))
    positions[:, :N_LI] += np.cumsum(0.03 * rng.normal(size=(N_FRAMES, N_LI, 3)), axis=0)
    positions[:, :N_LI] += 0.15 * rng.normal(size=(N_FRAMES, N_LI, 3))
    return positions


def measure(python: str | Path, code: str, data: Path) -> tuple[float, float, float]:
    """Return CPU seconds, MB over the input and D in cm2/s of a snippet."""
    values = {"frame": FRAME_FS, "kelvin": TEMPERATURE_K, "edge": EDGE_A, "n_frames": N_FRAMES}
    text = COMMON + code.format(**{"wrapped": False, **values})
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [str(python), "-c", text, str(data)],
        capture_output=True,
        text=True,
        env={**os.environ, **one_thread},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"A contender failed:\n{done.stderr[-2000:]}")
    seconds, megabytes, value = json.loads(done.stdout.strip().splitlines()[-1])
    return seconds, megabytes, value


def peers_python(directory: Path) -> Path:
    """Install the peers into a virtual environment, unless they are there."""
    python = directory / "bin" / "python"
    if not python.exists():
        venv.create(directory, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS], check=True)
    return python


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="where the peers' environment is kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "positions.npy"
        np.save(data, make_positions())
        peers = peers_python(asked.peers or Path(folder) / "peers")
        rows = {
            "vitrion, unwrapped": measure(sys.executable, VITRION, data),
            "vitrion, must find out": measure(
                sys.executable, VITRION.replace("{wrapped}", "None"), data
            ),
            "vitrion, percolation on 3 axes": measure(sys.executable, PERCOLATION, data),
            "pymatgen DiffusionAnalyzer, arrays": measure(peers, PYMATGEN, data),
            "kinisi, 200 lags": measure(peers, KINISI, data),
        }
    ours = rows["vitrion, unwrapped"][0]
    print(
        f"{N_FRAMES} frames x {N_ATOMS} atoms, {N_LI} Li, one thread, CPU time, best of {REPEATS}"
    )
    for name, (seconds, megabytes, _) in rows.items():
        print(f"{name:36s} {seconds:7.3f} s  {megabytes:6.0f} MB over the input", end="")
        print(f"  {seconds / ours:6.1f} x vitrion" if "vitrion" not in name else "")


if __name__ == "__main__":
    main()
