"""The trajectory file: frames in chunked, compressed, appendable HDF5.

Layout: root attributes ``format``, ``version``, ``timestep_fs``, ``frame_interval_fs``, ``pbc``,
``metadata`` (JSON); ``atomic_numbers`` (n_atoms,), ``masses`` (n_atoms,) in u; and in the group
``frames``, first axis the frame: ``step``, ``positions`` (unwrapped, A), ``cell`` (rows are lattice
vectors, A), ``energy`` (eV, potential), ``temperature`` (K), ``pressure`` (GPa, NaN where not
computed), ``conserved`` (eV, the conserved energy) and optionally ``forces`` (eV/A, float32).
Positions are rounded to 2^-20 A (1e-6 A), which halves the file size.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np

from vitrion.dynamics.journal import JournaledFile, journal_path
from vitrion.dynamics.trajectory_layout import check_layout
from vitrion.errors import InputError
from vitrion.runtime.notebook_display import NotebookFigure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms
    from pymatgen.core import Structure

FORMAT = "vitrion-trajectory"
VERSION = 1
SUFFIX = ".vtraj.h5"
CHUNK_BYTES = 256 * 1024
POSITION_STEP = 2.0**-20
ALL = slice(None)

_SCALARS = ("energy", "temperature", "pressure", "conserved")


@dataclass(frozen=True)
class Frame:
    """One frame; units as in the file."""

    step: int
    positions: np.ndarray
    cell: np.ndarray
    energy: float
    temperature: float
    pressure: float
    conserved: float
    forces: np.ndarray | None = None


class TrajectoryWriter:
    """Appends frames to a trajectory file; a kill leaves it readable.

    :meth:`append` collects frames and :meth:`flush` writes them to disk together.

    Parameters
    ----------
    path : Path
        An existing trajectory file; see :meth:`create`.

    Raises
    ------
    InputError
        If the file does not exist or is not a trajectory.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._pending: list[Frame] = []
        self.n_frames = 0
        if not self._path.is_file():
            raise InputError(f"The trajectory file {self._path} does not exist.")
        try:
            with JournaledFile(self._path, writable=True) as raw, h5py.File(raw, "r") as file:
                self.n_frames = len(file["frames/step"])
        except (OSError, KeyError) as exc:
            raise InputError(f"{self._path} is not a readable trajectory file.") from exc

    @classmethod
    def create(
        cls,
        path: Path,
        atomic_numbers: np.ndarray,
        masses: np.ndarray,
        *,
        timestep_fs: float,
        frame_interval_fs: float,
        pbc: Sequence[bool] | np.ndarray = (True, True, True),
        with_forces: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> Self:
        """Create a file without frames, replacing an existing file.

        Parameters
        ----------
        path : Path
            The file.
        atomic_numbers, masses : (n_atoms,) arrays
            Atomic number and mass (u) of each atom.
        timestep_fs, frame_interval_fs : float
            Time step, and time between frames.
        pbc : three booleans
            Which lattice vectors are periodic.
        with_forces : bool
            Whether frames contain forces.
        metadata : dict, optional
            Anything that JSON can hold.
        """
        path = Path(path)
        path.unlink(missing_ok=True)
        journal_path(path).unlink(missing_ok=True)
        with JournaledFile(path, writable=True) as raw:
            # Without fs_persist, closing would leak the space of rewritten chunks.
            with h5py.File(raw, "w", fs_strategy="fsm", fs_persist=True) as file:
                file.attrs.update(
                    format=FORMAT,
                    version=VERSION,
                    timestep_fs=timestep_fs,
                    frame_interval_fs=frame_interval_fs,
                    metadata=json.dumps(metadata or {}),
                    pbc=np.asarray(pbc, dtype=bool),
                )
                file["atomic_numbers"] = np.asarray(atomic_numbers, dtype=np.int32)
                file["masses"] = np.asarray(masses, dtype=np.float64)
                _make_frames(file, len(atomic_numbers), with_forces)
            raw.commit()
        return cls(path)

    def append(self, frame: Frame) -> None:
        """Collect a frame for the next :meth:`flush`."""
        self._pending.append(frame)
        self.n_frames += 1

    def flush(self) -> None:
        """Write the frames collected since the last call atomically."""
        if not self._pending:
            return
        first = self.n_frames - len(self._pending)
        with JournaledFile(self._path, writable=True) as raw:
            with h5py.File(raw, "r+") as file:
                for name, values in _columns(self._pending).items():
                    dataset = file["frames"][name]
                    dataset.resize(self.n_frames, axis=0)
                    dataset[first:] = values
            raw.commit()
        self._pending.clear()

    def truncate(self, n_frames: int) -> None:
        """Drop all frames after the first ``n_frames``.

        Raises
        ------
        InputError
            If the file holds fewer frames.
        """
        with JournaledFile(self._path, writable=True) as raw:
            with h5py.File(raw, "r+") as file:
                if len(file["frames/step"]) < n_frames:
                    raise InputError(
                        f"{self._path} holds fewer than the {n_frames} frames that its "
                        "checkpoint states: restart in an empty directory."
                    )
                for dataset in file["frames"].values():
                    dataset.resize(n_frames, axis=0)
            raw.commit()
        self._pending.clear()
        self.n_frames = n_frames


class Trajectory(NotebookFigure):
    """Reads a trajectory file; a context manager.

    Arrays are read on demand, by slice, or of one frame by its index. After a kill, the file opens
    in the state of its last complete flush.

    Parameters
    ----------
    path : str or Path
        The file.

    Attributes
    ----------
    n_frames, n_atoms : int
        Sizes.
    atomic_numbers : (n_atoms,) int array
    masses : (n_atoms,) array, in u
    symbols : tuple of str
        Element of each atom.
    pbc : (3,) bool array
        Which lattice vectors are periodic.
    timestep_fs, frame_interval_fs : float
        Time step, and time between frames.
    metadata : dict
        Metadata of the run: settings, potential, origin.

    Raises
    ------
    InputError
        If the file does not exist or is not a trajectory.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"The trajectory file {self.path} does not exist.")
        self._raw = JournaledFile(self.path) if journal_path(self.path).exists() else None
        try:
            # Without HDF5's file lock, readers do not disturb a running simulation.
            options = {"locking": False} if self._raw is None else {}
            self._file = h5py.File(self._raw or self.path, "r", **options)
        except OSError as exc:
            raise InputError(f"{self.path} is not a readable trajectory file.") from exc
        try:
            self._read_header()
        except InputError:
            self.close()
            raise
        except (KeyError, ValueError, TypeError, AttributeError, OSError, MemoryError) as exc:
            self.close()
            raise InputError(f"{self.path} is not a complete trajectory file.") from exc

    def _size(self) -> int:
        """Return the size of the file and of its journal in bytes."""
        paths = (self.path, journal_path(self.path))
        return sum(path.stat().st_size for path in paths if path.exists())

    def _read_header(self) -> None:
        attributes = self._file.attrs
        if attributes.get("format") != FORMAT or attributes["version"] > VERSION:
            raise InputError(f"{self.path} is not a trajectory of a version that can be read.")
        check_layout(self._file, self.path, self._size())
        self._frames = self._file["frames"]
        self.atomic_numbers: np.ndarray = self._file["atomic_numbers"][:]
        self.masses: np.ndarray = self._file["masses"][:]
        self.timestep_fs = float(attributes["timestep_fs"])
        self.frame_interval_fs = float(attributes["frame_interval_fs"])
        self.metadata: dict[str, Any] = json.loads(attributes["metadata"])
        self.pbc: np.ndarray = attributes["pbc"]
        self.n_frames = len(self._frames["step"])
        self.n_atoms = len(self.atomic_numbers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.n_frames

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._raw is not None:
            self._raw.close()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Element of each atom."""
        from ase.data import chemical_symbols

        return tuple(chemical_symbols[number] for number in self.atomic_numbers)

    def steps(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the number of time steps before each frame, (n,)."""
        return self._frames["step"][frames]

    def times_ps(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the times in ps since the start of the run, (n,)."""
        return self.steps(frames) * (self.timestep_fs / 1000)

    def positions(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the unwrapped Cartesian positions in A, (n, n_atoms, 3).

        Under npt they move with the cell: ``positions @ inv(cell)`` is continuous.
        """
        return self._frames["positions"][frames]

    def cells(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the lattice vectors as rows, in A, (n, 3, 3)."""
        return self._frames["cell"][frames]

    def energies(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the potential energies in eV, (n,)."""
        return self._frames["energy"][frames]

    def temperatures(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the kinetic temperatures in K, (n,)."""
        return self._frames["temperature"][frames]

    def pressures(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the pressures in GPa, kinetic part included, (n,); NaN where not computed."""
        return self._frames["pressure"][frames]

    def conserved(self, frames: slice | int = ALL) -> np.ndarray:
        """Return the conserved energies in eV, (n,)."""
        return self._frames["conserved"][frames]

    def forces(self, frames: slice | int = ALL) -> np.ndarray | None:
        """Return the forces in eV/A, (n, n_atoms, 3), or None if not saved."""
        if "forces" not in self._frames:
            return None
        return self._frames["forces"][frames].astype(np.float64)

    def structure(self, frame: int = -1) -> Structure:
        """Return one frame as a pymatgen Structure without velocities.

        Atoms are wrapped into the cell along its periodic vectors.
        """
        from pymatgen.core import Lattice, Structure

        frame = range(self.n_frames)[frame]
        x, y, z = self.pbc.tolist()
        return Structure(
            Lattice(self.cells(frame), pbc=(x, y, z)),
            self.symbols,
            self.positions(frame),
            coords_are_cartesian=True,
            to_unit_cell=True,
        )

    def to_ase(self, frames: slice = ALL) -> Iterator[Atoms]:
        """Yield frames as ASE Atoms, unwrapped, with energy and, if saved, forces."""
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        for index in range(*frames.indices(self.n_frames)):
            atoms = Atoms(self.symbols, self.positions(index), cell=self.cells(index), pbc=self.pbc)
            atoms.calc = SinglePointCalculator(
                atoms, energy=self.energies(index), forces=self.forces(index)
            )
            yield atoms


def _make_frames(file: h5py.File, n_atoms: int, with_forces: bool) -> None:
    group = file.create_group("frames")
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "step": ((), np.int64),
        "cell": ((3, 3), "f8"),
    }
    shapes |= dict.fromkeys(_SCALARS, ((), "f8"))
    shapes["positions"] = ((n_atoms, 3), "f8")
    if with_forces:
        shapes["forces"] = ((n_atoms, 3), "f4")
    for name, (shape, dtype) in shapes.items():
        item_bytes = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=int))
        rows = min(512, max(1, CHUNK_BYTES // item_bytes))
        group.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            dtype=dtype,
            chunks=(rows, *shape),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )


def _columns(frames: Sequence[Frame]) -> dict[str, np.ndarray]:
    """Stack frames into one array per dataset."""
    columns = {
        name: np.array([getattr(frame, name) for frame in frames])
        for name in ("step", "cell", *_SCALARS)
    }
    positions = np.array([frame.positions for frame in frames])
    columns["positions"] = np.round(positions / POSITION_STEP) * POSITION_STEP
    if frames[0].forces is not None:
        columns["forces"] = np.array([frame.forces for frame in frames], dtype=np.float32)
    return columns
