"""One way in for trajectories of every origin: a stream of frames, read in chunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.lammps_frames import read_lammps_dump
from vitrion.transport.readable import as_input_error, unpacked_name
from vitrion.transport.vasp_frames import read_vasprun, read_xdatcar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vitrion.transport.vasp_frames import Frame

Chunk = tuple[np.ndarray, np.ndarray]
"""Positions (n, n_atoms, 3) and cells (3, 3) or (n, 3, 3), in A."""

FRAMES_AT_ONCE = 200

NO_CELL = "The trajectory has no periodic cell: give the lattice vectors in A."


@dataclass(frozen=True)
class FrameStream:
    """Frames of a trajectory, and what it says of itself.

    Attributes
    ----------
    symbols : tuple of str
        Of all atoms.
    chunks : iterable of (positions, cells)
        Read once, in order.
    frame_interval_fs, temperature_K : float or None
        None where the source does not say.
    wrapped : bool or None
        Whether atoms are put back into the cell; None where the source does not say.
    """

    symbols: tuple[str, ...]
    chunks: Iterable[Chunk]
    frame_interval_fs: float | None = None
    temperature_K: float | None = None
    wrapped: bool | None = None


def open_frames(
    source: Any,
    *,
    timestep_fs: float | None = None,
    type_map: Mapping[int, str] | None = None,
) -> FrameStream:
    """Open a trajectory.

    Parameters
    ----------
    source
        A path, or an object: a vitrion ``Trajectory``, a pymatgen ``Trajectory``, an MDAnalysis
        ``Universe``, or a sequence of ASE ``Atoms``. Paths: vitrion ``.h5``, XDATCAR, vasprun.xml,
        LAMMPS text dump (``.lammpstrj``, ``.dump``), a pymatgen ``Trajectory`` in JSON, or anything
        that ASE reads (extxyz, traj); all but ``.h5`` also packed (``.gz``, ``.bz2``, ``.xz``).
        A list of paths is one run in consecutive parts, each starting where the last ended.
    timestep_fs : float or None
        MD time step, to turn the step numbers of a LAMMPS dump into times.
    type_map : mapping of int to str or None
        Symbol of each LAMMPS type.

    Returns
    -------
    FrameStream

    Raises
    ------
    InputError
        If there is no such file, or it is not understood.
    """
    if isinstance(source, (str, Path)):
        return _open_path(Path(source), timestep_fs, type_map)
    if isinstance(source, (list, tuple)) and source and isinstance(source[0], (str, Path)):
        return _chain([_open_path(Path(path), timestep_fs, type_map) for path in source])
    if hasattr(source, "trajectory") and hasattr(source, "atoms"):
        return _from_mdanalysis(source)
    if hasattr(source, "coords") and hasattr(source, "constant_lattice"):
        return _from_pymatgen(source)
    if hasattr(source, "frame_interval_fs") and hasattr(source, "positions"):
        return _from_vitrion(source)
    if hasattr(source, "__iter__"):
        return _from_ase(iter(source))
    raise InputError(f"A {type(source).__name__} is not a trajectory that can be read.")


def _open_path(
    path: Path, timestep_fs: float | None, type_map: Mapping[int, str] | None
) -> FrameStream:
    if not path.is_file():
        raise InputError(f"There is no trajectory file {path}.")
    with as_input_error(path):
        stream = _open_kind(path, timestep_fs, type_map)

    def chunks() -> Iterator[Chunk]:
        with as_input_error(path):
            yield from stream.chunks

    return replace(stream, chunks=chunks())


def _open_kind(
    path: Path, timestep_fs: float | None, type_map: Mapping[int, str] | None
) -> FrameStream:
    """Choose the reader by the name of the file."""
    name = unpacked_name(path)
    if name.endswith((".h5", ".hdf5")):
        if path.name.lower() != name:
            raise InputError(f"Unpack {path}: HDF5 files are read from where they lie.")
        return _from_vitrion_file(path)
    if "xdatcar" in name:
        symbols, frames = read_xdatcar(path)
        return FrameStream(symbols, _stack(frames))
    if name.startswith("vasprun") or name.endswith(".xml"):
        symbols, said, frames = read_vasprun(path)
        # Every ionic step is in it: NBLOCK thins the XDATCAR alone.
        return FrameStream(symbols, _stack(frames), said.get("POTIM"), said.get("TEBEG"))
    if name.endswith((".lammpstrj", ".dump", ".lammpsdump")):
        dump = read_lammps_dump(path, type_map)
        steps = dump.steps_between_frames
        interval = timestep_fs * steps if timestep_fs and steps else None
        wrapped = False if dump.unwrapped else None
        return FrameStream(dump.symbols, _stack(dump.frames), interval, wrapped=wrapped)
    if name.endswith(".json"):
        return _from_json(path)
    return _from_ase(_iterate_ase(path))


def _chain(parts: list[FrameStream]) -> FrameStream:
    """Join the parts of one run; atoms may be in other images of the cell after a restart."""
    first = parts[0]
    for part in parts[1:]:
        if part.symbols != first.symbols or part.frame_interval_fs != first.frame_interval_fs:
            raise InputError("The parts of a run must have the same atoms and frame interval.")

    def chunks() -> Iterator[Chunk]:
        last: np.ndarray | None = None
        for part in parts:
            fresh = True
            for positions, cells in part.chunks:
                skip = int(fresh and last is not None and _same_place(last, positions[0], cells))
                fresh, last = False, positions[-1]
                if len(positions) > skip:
                    yield positions[skip:], cells if cells.ndim == 2 else cells[skip:]

    known = [part.temperature_K for part in parts if part.temperature_K is not None]
    temperature = float(np.mean(known)) if known else None
    return FrameStream(first.symbols, chunks(), first.frame_interval_fs, temperature)


def _same_place(last: np.ndarray, here: np.ndarray, cells: np.ndarray) -> bool:
    """Tell whether a frame repeats the last one of the part before, up to whole cells."""
    apart = (here - last) @ np.linalg.inv(cells.reshape(-1, 3, 3)[0])
    return bool(np.abs(apart - np.rint(apart)).max() < 1e-6)


def _iterate_ase(path: Path) -> Iterator[Any]:
    from ase.io import iread
    from ase.io.formats import UnknownFileTypeError

    # ASE knows extended XYZ by .xyz and .extxyz alone.
    kind = "extxyz" if unpacked_name(path).endswith(".exyz") else None
    try:
        yield from iread(str(path), ":", format=kind)
    except UnknownFileTypeError as exc:
        raise InputError(f"{path} is not a trajectory that can be read: {exc}.") from exc


def _from_ase(images: Iterator[Any]) -> FrameStream:
    first = next(images, None)
    if first is None:
        raise InputError("The trajectory holds no frames.")
    if not all(first.pbc):
        raise InputError(NO_CELL)

    def frames() -> Iterator[Frame]:
        yield first.get_positions(), first.cell.array
        for image in images:
            yield image.get_positions(), image.cell.array

    return FrameStream(tuple(first.get_chemical_symbols()), _stack(frames()))


def _from_vitrion_file(path: Path) -> FrameStream:
    """Read a file that is open only while something is read of it."""
    from vitrion.dynamics.trajectory import Trajectory

    def chunks() -> Iterator[Chunk]:
        with Trajectory(path) as trajectory:
            yield from _from_vitrion(trajectory).chunks

    with Trajectory(path) as trajectory:
        return replace(_from_vitrion(trajectory), chunks=chunks())


def _from_vitrion(trajectory: Any) -> FrameStream:
    if not all(trajectory.pbc):
        raise InputError(NO_CELL)

    def chunks() -> Iterator[Chunk]:
        for start in range(0, trajectory.n_frames, FRAMES_AT_ONCE):
            part = slice(start, start + FRAMES_AT_ONCE)
            yield trajectory.positions(part), trajectory.cells(part)

    temperature = float(np.mean(trajectory.temperatures(slice(None))))
    return FrameStream(
        tuple(trajectory.symbols), chunks(), trajectory.frame_interval_fs, temperature, False
    )


def _from_json(path: Path) -> FrameStream:
    from monty.serialization import loadfn
    from pymatgen.core.trajectory import Trajectory as PymatgenTrajectory

    trajectory = loadfn(path, fmt="json")
    if not isinstance(trajectory, PymatgenTrajectory):
        raise InputError(f"{path} holds no pymatgen Trajectory.")
    return _from_pymatgen(trajectory)


def _from_pymatgen(trajectory: Any) -> FrameStream:
    if trajectory.lattice is None:
        raise InputError(NO_CELL)
    trajectory.to_positions()
    fractional = np.asarray(trajectory.coords)
    cells = np.asarray(trajectory.lattice, dtype=float)
    symbols = tuple(getattr(site, "symbol", str(site)) for site in trajectory.species)

    def chunks() -> Iterator[Chunk]:
        for start in range(0, len(fractional), FRAMES_AT_ONCE):
            part = slice(start, start + FRAMES_AT_ONCE)
            cell = cells if cells.ndim == 2 else cells[part]
            yield fractional[part] @ cell, cell

    return FrameStream(symbols, chunks(), trajectory.time_step)


def _from_mdanalysis(universe: Any) -> FrameStream:
    atoms = universe.atoms
    names = atoms.elements if hasattr(atoms, "elements") else atoms.types
    symbols = tuple(str(name).capitalize() for name in names)

    def frames() -> Iterator[Frame]:
        for step in universe.trajectory:
            if step.triclinic_dimensions is None:
                raise InputError(NO_CELL)
            yield atoms.positions.astype(float), step.triclinic_dimensions.astype(float)

    return FrameStream(symbols, _stack(frames()), 1000.0 * float(universe.trajectory.dt))


def _stack(frames: Iterator[Frame]) -> Iterator[Chunk]:
    """Gather single frames into chunks; a cell that stays the same is given once."""
    while batch := list(islice(frames, FRAMES_AT_ONCE)):
        if len({len(positions) for positions, _ in batch}) > 1:
            raise InputError("The number of atoms changes within the trajectory.")
        cells = np.array([cell for _, cell in batch])
        same = bool((cells == cells[0]).all())
        yield np.array([positions for positions, _ in batch]), cells[0] if same else cells
