"""Memory of the transport analysis of a long run, read frame by frame.

    python benchmarks/transport_memory.py [--frames 200000] [--atoms 200]

Analyzes generated frames (a quarter of the atoms are lithium on random walks), as they come from a
file, and prints the largest memory of the process and the time.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from vitrion.transport.analysis import analyze_displacements
from vitrion.transport.displacements import Tracker

FRAMES_AT_ONCE = 200
EDGE_A, FRAME_FS, TEMPERATURE_K = 15.0, 50.0, 600.0


def peak_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--atoms", type=int, default=200)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    n_li = asked.atoms // 4
    symbols = ["Li"] * n_li + ["O"] * (asked.atoms - n_li)
    tracker = Tracker(symbols, ["Li"], FRAME_FS, wrapped=False)
    start = rng.uniform(0, EDGE_A, (asked.atoms, 3))
    before, began = peak_MB(), time.perf_counter()
    for _ in range(0, asked.frames, FRAMES_AT_ONCE):
        frames = start + 0.1 * rng.normal(size=(FRAMES_AT_ONCE, asked.atoms, 3))
        walk = np.cumsum(0.03 * rng.normal(size=(FRAMES_AT_ONCE, n_li, 3)), axis=0)
        frames[:, :n_li] += walk
        start[:n_li] += walk[-1]
        tracker.add(frames, EDGE_A * np.eye(3))
    read = peak_MB()
    result = analyze_displacements(tracker.result(), TEMPERATURE_K, {"Li": 1.0}, spatial=True)
    wall = time.perf_counter() - began
    print(
        f"{asked.frames} frames x {asked.atoms} atoms ({n_li} Li): {wall:.1f} s, "
        f"{before:.0f} MB before, {read:.0f} MB after reading, {peak_MB():.0f} MB at most"
    )
    exact = 0.03**2 / 2 / FRAME_FS * 0.1  # cm2/s
    found = result.self_diffusivity
    print(f"D* over its exact value: {found.value / exact:.3f} +- {found.relative_error:.3f}")


if __name__ == "__main__":
    main()
