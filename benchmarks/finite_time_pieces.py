"""Pieces of long runs of glasses, corrected for finite time, against the whole runs.

    python benchmarks/finite_time_pieces.py RUN [RUN ...] [--pieces 1,2,4]

RUN is the folder of a run of one glass, such as those that ``workflows/long_runs.py`` keeps in its
folder ``runs``. Its trajectories are cut into equal pieces, which are combined and corrected as
independent runs are. For each temperature and number of pieces: their length, the hops of an ion,
the mean D* in cm2/s that is not corrected, and the corrected one with its 95 % interval.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitrion.conductivity.segments import analyzed_segments
from vitrion.dynamics.run_result import TRAJECTORY_NAME
from vitrion.transport import analyze
from vitrion.transport.io import open_frames
from vitrion.transport.replicas import combine_temperatures

if TYPE_CHECKING:
    from vitrion.transport import TransportResult


def main() -> None:
    """Print a table for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--pieces", default="1,2,4", help="numbers of pieces")
    options = parser.parse_args()
    numbers = [int(number) for number in options.pieces.split(",")]
    for run in options.runs:
        print(f"{run.name}\n   T (K)  pieces  ps each  hops an ion   as they are   corrected")
        folders = sorted(run.glob("jobs/conductivity*/md-*/s0-*K-r0"))
        for number in numbers:
            groups = [cut(folder, number) for folder in folders]
            for single, result in zip(
                combine_temperatures(groups),
                combine_temperatures(groups, disordered=True),
                strict=True,
            ):
                print(row(single, result), flush=True)


def cut(folder: Path, number: int) -> list[TransportResult]:
    """Return the results of equal pieces of one run."""
    files = [str(segment / TRAJECTORY_NAME) for segment in analyzed_segments(folder)]
    stream = open_frames(files)
    chunks = list(stream.chunks)
    positions = np.concatenate([chunk for chunk, _ in chunks])
    temperature = float(folder.name.split("-")[1].removesuffix("K"))
    return [
        analyze(
            piece,
            chunks[0][1].reshape(-1, 3, 3)[0],
            stream.symbols,
            stream.frame_interval_fs,
            temperature,
            wrapped=stream.wrapped,
        )
        for piece in np.array_split(positions, number)
    ]


def row(single: TransportResult, corrected: TransportResult) -> str:
    """Return the row of a temperature and a number of pieces."""
    n, value = single.n_replicas, corrected.self_diffusivity
    return (
        f"{single.temperature_K:8.0f}{n:8d}{single.duration_ps / n:9.0f}"
        f"{single.hops.hops_per_ion:13.1f}{single.apparent_diffusivity_cm2_s:14.2g}"
        f"   {value.text if value else 'no value'}"
    )


if __name__ == "__main__":
    main()
