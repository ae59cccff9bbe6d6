"""Unwrapped displacements relative to the framework, with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import face_distances
from vitrion.chemistry.species import element_symbols, masses
from vitrion.errors import InputError
from vitrion.runtime.plain_numbers import read_number
from vitrion.transport.array_checks import (
    check_lengths,
    checked_cells,
    checked_positions,
    close_atoms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRAMEWORK_FRAMES = 256
"""Number of stored frames of the framework, which is analyzed at long lags only."""

MAX_FRAMES = 400_000
"""Maximum number of stored frames of the mobile ions: the analysis of one path takes 400 bytes per
frame, so that few ions in a long run need no more memory than many."""

FEW_FRAMES = 500
"""Number of stored frames below which a warning states that the limit on memory removed frames."""

CHUNK_VALUES = 300_000
"""Number of coordinates per block, small enough for the processor cache."""

MIN_FRAMES = 20
"""Minimum number of frames for a slope."""

MAX_CELL_CHANGE = 0.25
"""Maximum change of a lattice vector between two frames, relative to the vectors."""

FARTHEST_A = 1e8
"""Largest coordinate; beyond it the digits of a position do not resolve a step."""

AMBIGUOUS_STEP = 0.45
"""Fractional step from which a wrapped trajectory can no longer be unwrapped."""


@dataclass(frozen=True)
class Displacements:
    """Motion of the mobile ions relative to the framework.

    Attributes
    ----------
    mobile : ndarray, shape (n_frames, n_mobile, 3)
        Unwrapped positions of the mobile ions in A, without the drift of the framework since
        the first frame.
    symbols : tuple of str
        Species of each mobile ion.
    framework : ndarray, shape (n_coarse, n_framework, 3)
        Unwrapped positions of the other atoms, on a coarser time grid.
    framework_symbols : tuple of str
        Species of each of them.
    frame_interval_fs, framework_interval_fs : float
        Times between kept frames.
    volume_A3 : float
        Mean volume of the cell.
    cell : ndarray, shape (3, 3)
        Mean cell in A; rows are lattice vectors.
    n_frames_read : int
        Number of frames read; more than stored if memory was limited.
    warnings : tuple of str
        Sentences about the first frame, and about the limit on memory.
    """

    mobile: np.ndarray
    symbols: tuple[str, ...]
    framework: np.ndarray
    framework_symbols: tuple[str, ...]
    frame_interval_fs: float
    framework_interval_fs: float
    volume_A3: float
    cell: np.ndarray
    n_frames_read: int
    warnings: tuple[str, ...] = ()

    @property
    def duration_fs(self) -> float:
        """Time from the first to the last kept frame in fs."""
        return (len(self.mobile) - 1) * self.frame_interval_fs

    @property
    def n_framework(self) -> int:
        """Number of atoms that are not mobile."""
        return self.framework.shape[1]


class _Reservoir:
    """Stores at most `capacity` equally spaced frames of a stream of unknown length."""

    def __init__(self, capacity: int, n_atoms: int) -> None:
        self.capacity = max(capacity, 4)
        self.stride = 1
        self._seen = 0
        self._expected = 0
        self._held = 0
        self._frames = np.empty((0, n_atoms, 3))

    def expect(self, count: int) -> None:
        """Announce the next `count` frames, so that memory for all is allocated at once."""
        self._expected = self._seen + count

    def add(self, count: int, write: Callable[[slice, np.ndarray], None]) -> None:
        """Store the required frames of the next `count`; `write` puts a slice of them in place."""
        while self._held + _length(wanted := self._wanted(), count) > self.capacity:
            self._held = (self._held + 1) // 2
            self._frames[: self._held] = self._frames[: 2 * self._held : 2].copy()
            self.stride *= 2
        needed = self._held + _length(wanted, count)
        if needed > len(self._frames):
            size = max(needed, 2 * self._held, -(-self._expected // self.stride))
            grown = np.empty((min(size, self.capacity), *self._frames.shape[1:]))
            grown[: self._held] = self._frames[: self._held]
            self._frames = grown
        write(wanted, self._frames[self._held : needed])
        self._held = needed
        self._seen += count

    def _wanted(self) -> slice:
        return slice(-self._seen % self.stride, None, self.stride)

    @property
    def frames(self) -> np.ndarray:
        return self._frames[: self._held]


def _length(part: slice, count: int) -> int:
    return len(range(*part.indices(count)))


def _check_request(
    names: np.ndarray, mobile: Sequence[str], frame_interval_fs: float, wrapped: bool | None
) -> None:
    """Check mobile species, frame interval and the flag of wrapped positions."""
    for species in mobile:
        if species not in names:
            raise InputError(
                f"There is no {species} in the trajectory, which holds "
                f"{', '.join(sorted(set(names.tolist())))}: name one of these as mobile."
            )
    if not (np.isfinite(frame_interval_fs) and frame_interval_fs > 0):
        raise InputError(
            f"The frame interval must be a positive time in fs, not {frame_interval_fs}: "
            "give the MD time step times the number of steps between frames."
        )
    if not (wrapped is None or isinstance(wrapped, (bool, np.bool_))):
        raise InputError(f"wrapped must be True, False or None, not {wrapped!r}.")
    if np.isin(names, list(mobile)).all():
        raise InputError(
            "All atoms are mobile, so no framework is left to measure the motion against: "
            "name fewer mobile species."
        )


class Tracker:
    """Converts a stream of frames to displacements with bounded memory.

    Displacements are sums of fractional steps in the cell of each frame, minus the drift of the
    center of mass of the framework. Changing cells (NPT) are supported, including cells that
    LAMMPS flips to other lattice vectors. When the memory is full, every second frame is dropped,
    because a diffusivity needs only long-time motion.

    Parameters
    ----------
    symbols : sequence of str, Element or Species
        Of all atoms, in the order of the positions.
    mobile : collection of str
        Mobile species; all other atoms are the framework.
    frame_interval_fs : float
        Time between frames.
    wrapped : bool or None
        Whether positions are wrapped into the cell; None detects it from the first frames.
    memory_MB : float
        Bound on the memory of the kept frames, for the mobile ions and for the framework;
        2 `MIN_FRAMES` frames are stored in any case.

    Raises
    ------
    InputError
        If a mobile species is missing, there is no framework, or the interval or the memory is not
        positive.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        mobile: Sequence[str],
        frame_interval_fs: float,
        *,
        wrapped: bool | None = None,
        memory_MB: float = 80.0,
    ) -> None:
        names = np.asarray(element_symbols(symbols), dtype=str)
        _check_request(names, mobile, frame_interval_fs, wrapped)
        is_mobile = np.isin(names, list(mobile))
        self._mobile = np.flatnonzero(is_mobile)
        self._framework = np.flatnonzero(~is_mobile)
        self._mobile_part = _as_slice(self._mobile)
        self._framework_part = _as_slice(self._framework)
        self._drift = _drift_operator(names, is_mobile)
        self.symbols = tuple(names[self._mobile].tolist())
        self._framework_symbols = tuple(names[self._framework].tolist())
        self.n_atoms = len(names)
        self.frame_interval_fs = float(frame_interval_fs)
        self._wrapped = wrapped
        self._kept = _Reservoir(_capacity(memory_MB, len(self._mobile)), len(self._mobile))
        coarse = min(_capacity(memory_MB, len(self._framework)), FRAMEWORK_FRAMES)
        self._coarse = _Reservoir(coarse, len(self._framework))
        self._last: np.ndarray | None = None  # fractional coordinates of the last frame as given
        self._last_raw = np.empty(0)  # its Cartesian positions as given
        self._place = np.empty(0)  # its Cartesian positions, unwrapped
        self._cell = np.empty(0)  # cell of the first frame
        self._cell_before = np.empty((0, 3, 3))  # cell of the last frame, with its flips undone
        self._shifted = False  # whether unwrapped positions may differ from the given ones
        self._start = np.zeros(3)  # center of mass of the framework in the first frame
        self._n_frames = 0
        self._volume_sum = 0.0
        self._cell_sum = np.zeros((3, 3))
        self._symbols: list[str] = names.tolist()
        self._warnings: tuple[str, ...] = ()

    def add(self, positions: np.ndarray, cells: np.ndarray) -> None:
        """Add the next frames.

        Parameters
        ----------
        positions : ndarray, shape (n, n_atoms, 3)
            Cartesian positions in A, wrapped or not.
        cells : ndarray, shape (3, 3) or (n, 3, 3)
            Cell of all frames or of each, in A; rows are lattice vectors.

        Raises
        ------
        InputError
            If shapes disagree, a value is not finite, the cell has no volume, or atoms move so far
            between frames that they cannot be unwrapped.
        """
        positions = checked_positions(positions)
        if positions.ndim != 3 or positions.shape[1:] != (self.n_atoms, 3):
            raise InputError(
                f"Positions must have the shape (frames, {self.n_atoms}, 3), not {positions.shape}."
            )
        cells = checked_cells(cells, len(positions))
        if self._n_frames == 0 and len(positions):
            first = positions[0], cells.reshape(-1, 3, 3)[0]
            check_lengths(*first)
            self._warnings = close_atoms(*first, self._symbols)
        cells = self._without_flips(cells)
        self._kept.expect(len(positions))
        size = max(1, CHUNK_VALUES // (3 * self.n_atoms))
        for start in range(0, len(positions), size):
            part = slice(start, start + size)
            self._add_chunk(positions[part], cells if cells.ndim == 2 else cells[part])

    def _add_chunk(self, positions: np.ndarray, cells: np.ndarray) -> None:
        count = len(positions)
        moved = self._unwrapped(positions, cells)
        drift = moved.reshape(count, -1) @ self._drift
        self._check_finite(positions, drift)
        if self._n_frames == 0:
            self._start = drift[0].copy()
        drift -= self._start
        for reservoir, atoms in (
            (self._kept, self._mobile_part),
            (self._coarse, self._framework_part),
        ):
            reservoir.add(count, partial(_write_without, moved, drift, atoms))
        self._n_frames += count
        weight = count if cells.ndim == 2 else 1
        self._volume_sum += weight * float(np.abs(np.linalg.det(cells)).sum())
        self._cell_sum += weight * cells.reshape(-1, 3, 3).sum(axis=0)

    def _check_finite(self, positions: np.ndarray, drift: np.ndarray) -> None:
        """Reject positions that are not numbers, or so far away that their digits are lost."""
        bad = ~np.isfinite(drift).all(axis=1)
        if not bad.any() and max(positions.max(), -positions.min()) > FARTHEST_A:
            bad = np.abs(positions).max(axis=(1, 2)) > FARTHEST_A
        if bad.any():
            raise InputError(
                f"Frame {self._n_frames + int(np.argmax(bad)) + 1} of the trajectory holds "
                f"positions that are not numbers below {FARTHEST_A:g} A."
            )

    def _unwrapped(self, positions: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """Return positions whose steps are fractional steps times the cell."""
        if self._last is None:
            self._cell = cells.reshape(-1, 3, 3)[0]
            self._last_raw = self._place = positions[0].astype(float)
            self._last = self._place @ np.linalg.inv(self._cell)
        still = cells.ndim == 2 and np.array_equal(cells, self._cell) and not self._shifted
        if still and (self._wrapped is False or not self._may_be_wrapped(positions, cells)):
            self._last_raw = self._place = positions[-1].astype(float)
            self._last = self._place @ np.linalg.inv(cells)
            return positions
        self._shifted = True
        fractional = positions @ np.linalg.inv(cells)
        steps = np.empty_like(fractional)
        np.subtract(fractional[0], self._last, out=steps[0])
        np.subtract(fractional[1:], fractional[:-1], out=steps[1:])
        self._last = fractional[-1].copy()
        if self._wrapped is not False:
            steps -= np.rint(steps, out=fractional)
            if max(steps.max(), -steps.min()) > AMBIGUOUS_STEP:
                k = int(np.argmax(np.abs(steps).max(axis=(1, 2))))
                raise InputError(
                    f"Atoms move nearly half a cell before frame {self._n_frames + k + 1}, so the "
                    "trajectory cannot be unwrapped: save frames more often, or give unwrapped "
                    "positions."
                )
        unwrapped = np.matmul(steps, cells, out=fractional)
        unwrapped[0] += self._place
        for before, here in pairwise(unwrapped):  # three times faster than cumsum on this axis
            here += before
        self._place = unwrapped[-1].copy()
        return unwrapped

    def _without_flips(self, cells: np.ndarray) -> np.ndarray:
        """Return cells with continuous vectors: flips are undone by an integer change of basis."""
        here = cells.reshape(-1, 3, 3)
        before = self._cell_before if len(self._cell_before) else here[:1]
        chain = np.concatenate([before, here])
        change = chain[1:] @ np.linalg.inv(chain[:-1])
        whole = np.rint(change)
        strain = np.abs(change - whole).max(axis=(1, 2))
        bad = (strain > MAX_CELL_CHANGE) | (np.abs(np.abs(np.linalg.det(whole)) - 1.0) > 1e-6)
        if bad.any():
            k = int(np.argmax(bad))
            raise InputError(
                f"The cell changes abruptly at frame {self._n_frames + k + 1}: analyze the "
                "segments of the trajectory with different cells one by one."
            )
        if (whole != np.eye(3)).any():
            here, basis = here.copy(), np.eye(3)
            for k, step in enumerate(whole):
                basis = step @ basis
                here[k] = np.rint(np.linalg.inv(basis)) @ here[k]
        self._cell_before = here[-1:]
        return here.reshape(cells.shape)

    def _may_be_wrapped(self, positions: np.ndarray, cell: np.ndarray) -> bool:
        """Return whether a step is long enough to be a wrap into the cell."""
        limit = AMBIGUOUS_STEP * face_distances(cell).min() / np.sqrt(3.0)
        steps = np.diff(positions, axis=0)
        largest = max(steps.max(initial=0.0), -steps.min(initial=0.0))
        return max(largest, np.abs(positions[0] - self._last_raw).max()) > limit

    def result(self) -> Displacements:
        """Return the displacements of all frames so far.

        Raises
        ------
        InputError
            If there are fewer than `MIN_FRAMES` frames.
        """
        mobile = self._kept.frames
        if self._n_frames < MIN_FRAMES:
            raise InputError(
                f"The trajectory holds {self._n_frames} frames, too few for a diffusivity: "
                f"give at least {MIN_FRAMES}."
            )
        return Displacements(
            mobile=mobile,
            symbols=self.symbols,
            framework=self._coarse.frames,
            framework_symbols=self._framework_symbols,
            frame_interval_fs=self.frame_interval_fs * self._kept.stride,
            framework_interval_fs=self.frame_interval_fs * self._coarse.stride,
            volume_A3=self._volume_sum / self._n_frames,
            cell=self._cell_sum / self._n_frames,
            n_frames_read=self._n_frames,
            warnings=self._warnings + self._thinned(),
        )

    def _thinned(self) -> tuple[str, ...]:
        """Return a warning if the limit on memory left few frames."""
        kept = self._kept
        if kept.stride == 1 or len(kept.frames) >= FEW_FRAMES:
            return ()
        return (
            f"Only {len(kept.frames)} of {self._n_frames} frames, one in {kept.stride}, were kept "
            "to limit the memory: allow more (in Python: memory_MB).",
        )


def _capacity(memory_MB: float, n_atoms: int) -> int:
    """Return the maximum number of stored frames."""
    memory_MB = read_number(memory_MB, "memory_MB", "MB")
    if not memory_MB > 0.0:
        raise InputError(f"The memory must be a positive number of MB, not {memory_MB:g}.")
    return max(2 * MIN_FRAMES, int(min(memory_MB * 1e6 / (24 * n_atoms), MAX_FRAMES)))


def _as_slice(indices: np.ndarray) -> np.ndarray | slice:
    """Return sorted indices as a slice, which needs no copy, if they are consecutive."""
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if last - first + 1 == len(indices) else indices


def _write_without(
    moved: np.ndarray,
    drift: np.ndarray,
    atoms: np.ndarray | slice,
    frames: slice,
    out: np.ndarray,
) -> None:
    """Write positions of atoms in a slice of the frames, less the drift (frames, 3), to `out`."""
    chosen = moved[frames][:, atoms]
    # Several times faster than broadcasting over the short last axis.
    shift = np.tile(drift[frames], chosen.shape[1]).reshape(chosen.shape)
    np.subtract(chosen, shift, out=out)


def _drift_operator(names: np.ndarray, is_mobile: np.ndarray) -> np.ndarray:
    """Return the matrix that maps flat positions (3 n_atoms) to the framework's center of mass."""
    weights = np.where(is_mobile, 0.0, masses(names.tolist()))
    return np.kron(weights[:, None] / weights.sum(), np.eye(3))
