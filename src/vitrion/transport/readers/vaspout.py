"""Trajectories in VASP's vaspout.h5."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import h5py
import numpy as np

from vitrion.chemistry.species import element_symbols
from vitrion.errors import InputError
from vitrion.transport.readers.incar import TAGS, run_settings
from vitrion.transport.readers.stream import FrameStream, frames_at_once
from vitrion.transport.readers.text import check_atoms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from vitrion.transport.readers.stream import Chunk

POSITIONS = "intermediate/ion_dynamics/position_ions"
CELLS = "intermediate/ion_dynamics/lattice_vectors"
SCALE, NAMES, COUNTS = (
    f"results/positions/{name}" for name in ("scale", "ion_types", "number_ion_types")
)


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    """Open a file without HDF5's lock, which fails if the file is open elsewhere."""
    with path.open("rb") as raw, h5py.File(raw, "r") as file:
        yield file


def is_vaspout(path: Path) -> bool:
    """Whether an HDF5 file holds the ionic steps of VASP."""
    with _open(path) as file:
        return POSITIONS in file


def read_vaspout(path: Path) -> FrameStream:
    """Open a vaspout.h5; the paths of its data are as in py4vasp.

    Positions are stored as often as in the XDATCAR, every NBLOCK or ML_OUTBLOCK steps.

    Raises
    ------
    InputError
        If data are missing, or the file is not of molecular dynamics.
    """
    with _open(path) as file:
        missing = [name for name in (CELLS, NAMES, COUNTS) if name not in file]
        if missing:
            raise InputError(f"{path} lacks {missing[0]}: give the XDATCAR of the run.")
        names = [name.decode().strip() for name in file[NAMES][()]]
        counts = file[COUNTS][()].tolist()
        tags = {tag: _text(file[f"input/incar/{tag}"][()]) for tag in TAGS if _has(file, tag)}
        shape = file[POSITIONS].shape
        scale = np.asarray(file[SCALE][()], dtype=float) if SCALE in file else 1.0
    check_atoms(sum(counts))
    if len(shape) != 3 or shape[1:] != (sum(counts), 3):
        raise InputError(f"{path} holds positions of the shape {shape} of {sum(counts)} atoms.")
    symbols = np.repeat(element_symbols(names), counts).tolist()
    settings = run_settings(tags, str(path))

    def chunks() -> Iterator[Chunk]:
        with _open(path) as file:
            at_once = frames_at_once(shape[1])
            for start in range(0, shape[0], at_once):
                part = slice(start, start + at_once)
                cells = np.asarray(file[CELLS][part], dtype=float) * scale
                yield np.asarray(file[POSITIONS][part], dtype=float) @ cells, cells

    return FrameStream(
        tuple(symbols),
        chunks(),
        frame_interval_fs=settings.frame_interval_fs,
        temperature_K=settings.temperature_K,
        no_temperature=settings.no_temperature,
    )


def _has(file: h5py.File, tag: str) -> bool:
    return f"input/incar/{tag}" in file


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
