"""Open trajectories of any format as a stream of frames, read in chunks."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import cellpar_to_cell

from vitrion.errors import InputError
from vitrion.runtime.plain_numbers import read_number
from vitrion.transport.readers.ase import from_ase, read_with_ase
from vitrion.transport.readers.gro import looks_like_gro, read_gro
from vitrion.transport.readers.join import join
from vitrion.transport.readers.lammps import read_lammps_dump
from vitrion.transport.readers.mdanalysis import from_mdanalysis
from vitrion.transport.readers.native import from_own, read_own_file
from vitrion.transport.readers.pymatgen import from_structures, from_trajectory, read_json
from vitrion.transport.readers.stream import FrameStream
from vitrion.transport.readers.text import as_input_error, beginning, unpacked_name
from vitrion.transport.readers.vaspout import is_vaspout, read_vaspout
from vitrion.transport.readers.vasprun import read_vasprun
from vitrion.transport.readers.xdatcar import looks_like_xdatcar, read_xdatcar
from vitrion.transport.readers.xyz import looks_like_xyz, read_xyz

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vitrion.transport.readers.lammps_types import Types
    from vitrion.transport.readers.stream import Chunk

__all__ = ["FrameStream", "open_frames"]

HDF5, ULM = b"\x89HDF", b"- of Ulm"
"""First bytes of HDF5 files and of ASE's trajectories."""

OTHER_PACKED = (b"\x28\xb5\x2f\xfd", b"\x1f\x9d", b"PK\x03\x04", b"7z\xbc\xaf")
"""First bytes of files compressed by zstd, compress, zip and 7-Zip."""


@dataclass(frozen=True)
class _Options:
    timestep_fs: float | None
    type_map: Types
    cell: np.ndarray | None


def open_frames(
    source: Any,
    *,
    timestep_fs: float | None = None,
    type_map: Types = None,
    cell: Any = None,
) -> FrameStream:
    """Open a trajectory.

    Unevenly spaced frames are reduced to an even time grid, repeated frames are dropped, and the
    frames of a restart replace earlier frames of the same steps; `FrameStream.notes` states it.

    Parameters
    ----------
    source
        A path, or an object: a vitrion ``Trajectory``, a pymatgen ``Trajectory`` or sequence of
        ``Structure``, an MDAnalysis ``Universe`` or ``AtomGroup``, or a sequence of ASE ``Atoms``.
        Formats are recognized by content: vitrion ``.h5``, XDATCAR, vasprun.xml, vaspout.h5, LAMMPS
        text dump, XYZ (extended, CP2K, i-PI, LAMMPS), GROMACS ``.gro``, a pymatgen ``Trajectory``
        in JSON, or anything that ASE reads; all but ``.h5`` also compressed (``.gz``, ``.bz2``,
        ``.xz``). A list of paths is one run in consecutive segments.
    timestep_fs : float or None
        MD time step, to turn the step numbers of a file into times.
    type_map : Types
        Element of each LAMMPS type: ``{1: "Li", 2: "O"}``, ``["Li", "O"]`` or ``"Li,O"``.
    cell : (3, 3) array, Lattice, three lengths, or lengths and angles; or None
        Lattice vectors in A, if the file has none.

    Returns
    -------
    FrameStream

    Raises
    ------
    InputError
        If the file does not exist or its format is unknown.
    """
    if timestep_fs is not None:
        timestep_fs = read_number(timestep_fs, "timestep_fs", "fs")
    options = _Options(timestep_fs, type_map, None if cell is None else lattice_vectors(cell))
    if hasattr(source, "tolist") and not isinstance(source, str):  # an array or column of paths
        source = list(source)
    if isinstance(source, (str, Path)):
        parts = [_open_path(Path(source), options)]
    elif isinstance(source, (list, tuple)) and source and isinstance(source[0], (str, Path)):
        _check_distinct([Path(path).expanduser() for path in source])
        parts = [_open_path(Path(path), options) for path in source]
    else:
        parts = [_open_object(source, options)]
    if cell is not None and any(part.own_cell for part in parts):
        raise InputError("The trajectory states its own cell: leave out the cell that is given.")
    return join(parts)


def _check_distinct(paths: list[Path]) -> None:
    """Refuse segments that are one file."""
    for path, count in Counter(map(os.path.realpath, paths)).items():
        if count > 1:
            raise InputError(f"{path} is named {count} times: name each segment of the run once.")


def lattice_vectors(cell: Any) -> np.ndarray:
    """Return the lattice vectors in A as rows.

    Parameters
    ----------
    cell
        pymatgen Lattice, ASE Cell, (3, 3) array, three lengths in A, or three lengths and three
        angles in degrees; numbers may be a text, such as ``"12,12,12"``.

    Raises
    ------
    InputError
        If the cell has another form.
    """
    if isinstance(cell, str):
        cell = cell.replace(",", " ").split()
    try:
        values = np.asarray(getattr(cell, "matrix", cell), dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    values = np.atleast_1d(values)
    if values.shape == (9,):
        values = values.reshape(3, 3)
    lengths = {(1,): np.repeat(values, 3), (3,): values, (6,): values[:3]}.get(values.shape)
    if lengths is not None and np.isfinite(values).all() and (lengths > 0).all():
        values = cellpar_to_cell([*lengths, *(values[3:] if len(values) == 6 else (90, 90, 90))])
    if values.shape != (3, 3) or not np.isfinite(values).all() or not np.linalg.det(values):
        raise InputError(
            f"A cell is three lengths in A, these and three angles in degrees, or three lattice "
            f"vectors in A, not {cell}."
        )
    return values


@dataclass(frozen=True)
class _Sequence:
    """Items of an object that has a length and indices only; they are read one by one."""

    items: Any

    def __iter__(self) -> Iterator[Any]:
        return (self.items[k] for k in range(len(self.items)))


def _open_object(source: Any, options: _Options) -> FrameStream:
    """Choose the reader of an object."""
    if hasattr(source, "atoms") and (hasattr(source, "trajectory") or hasattr(source, "universe")):
        return from_mdanalysis(source, options.cell, options.timestep_fs, options.type_map)
    if hasattr(source, "coords") and hasattr(source, "constant_lattice"):
        return from_trajectory(source, options.cell)
    if hasattr(source, "frame_interval_fs") and hasattr(source, "positions"):
        return from_own(source)
    if hasattr(source, "frac_coords") or hasattr(source, "get_chemical_symbols"):
        raise InputError(
            f"A single {type(source).__name__} is not a trajectory: give a sequence of frames."
        )
    if isinstance(source, list) and source and isinstance(source[0], np.ndarray):
        raise InputError(
            "Arrays do not name their atoms: give positions, cells and symbols to "
            "vitrion.analyze()."
        )
    if hasattr(source, "__len__") and not hasattr(source, "__iter__"):  # a slice of ASE's reader
        source = _Sequence(source)
    if not hasattr(source, "__iter__") or isinstance(source, (dict, bytes)):
        raise InputError(f"A {type(source).__name__} is not a trajectory that can be read.")
    frames: Iterator[Any] = iter(source)
    first = next(frames, None)
    if hasattr(first, "ts") or hasattr(first, "triclinic_dimensions"):
        raise InputError(
            "A slice of an MDAnalysis trajectory does not name its atoms: give the Universe or an "
            "AtomGroup."
        )
    if first is None:
        raise InputError("The trajectory holds no frames.")
    if hasattr(first, "frac_coords") or hasattr(first, "is_ordered"):
        return from_structures(chain([first], frames))
    images = chain([first], frames) if frames is source else source
    return from_ase(images, options.cell, options.timestep_fs)


def _open_path(path: Path, options: _Options) -> FrameStream:
    path = path.expanduser()
    if path.is_dir():
        raise InputError(f"{path} is a folder: name the trajectory file in it, such as XDATCAR.")
    if not path.is_file():
        hint = "; write several temperatures as 500,600" if path.name.rstrip("Kk").isdigit() else ""
        raise InputError(f"There is no trajectory file {path}{hint}.")
    with as_input_error(path):
        stream = _open_kind(path, options)

    def chunks() -> Iterator[Chunk]:
        with as_input_error(path):
            yield from stream.chunks

    return replace(stream, chunks=chunks())


def _open_kind(path: Path, options: _Options) -> FrameStream:
    """Choose the reader by the content of a file, or by its name if the content is ambiguous."""
    name, start = unpacked_name(path), beginning(path)
    text = start.decode("utf-8", errors="replace").lstrip("\ufeff")
    if start.startswith(HDF5) or name.endswith((".h5", ".hdf5")):
        if path.name.lower() != name:
            raise InputError(f"Decompress {path}: compressed HDF5 files cannot be read.")
        return read_vaspout(path) if is_vaspout(path) else read_own_file(path)
    if name.endswith((".npz", ".npy", ".pkl", ".pt")):
        raise InputError(
            f"{path} holds arrays: load it, and give positions, cells and symbols to "
            "vitrion.analyze()."
        )
    if start.startswith(OTHER_PACKED):
        raise InputError(f"Decompress {path}, or compress it with gzip, bzip2 or xz.")
    if start.startswith(ULM):
        return read_with_ase(path, options.cell, options.timestep_fs)
    if looks_like_xyz(text):
        return read_xyz(path, options.cell, options.timestep_fs, options.type_map)
    if text.lstrip().startswith("ITEM:"):
        return read_lammps_dump(path, options.type_map, options.timestep_fs)
    if text.lstrip().startswith("<") and "<modeling" in text:
        return read_vasprun(path)
    if looks_like_gro(text):
        return read_gro(path, options.cell)
    if looks_like_xdatcar(text):
        return read_xdatcar(path)
    return _open_by_name(path, name, options)


def _open_by_name(path: Path, name: str, options: _Options) -> FrameStream:
    if "xdatcar" in name:
        return read_xdatcar(path)
    if name.endswith(".xml"):
        return read_vasprun(path)
    if name.endswith((".lammpstrj", ".dump", ".lammpsdump")):
        return read_lammps_dump(path, options.type_map, options.timestep_fs)
    if name.endswith(".json"):
        return read_json(path, options.cell, options.timestep_fs)
    if name.endswith((".xyz", ".extxyz", ".exyz")):
        return read_xyz(path, options.cell, options.timestep_fs, options.type_map)
    return read_with_ase(path, options.cell, options.timestep_fs)
