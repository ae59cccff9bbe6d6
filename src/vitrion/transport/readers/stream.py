"""Frames of a trajectory in chunks, and the metadata stated by its source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Frame = tuple[np.ndarray, np.ndarray]
"""Cartesian positions (n_atoms, 3) and cell (3, 3), in A."""

Chunk = tuple[np.ndarray, np.ndarray]
"""Positions (n, n_atoms, 3) and cells (3, 3) or (n, 3, 3), in A."""

FRAMES_AT_ONCE, VALUES_AT_ONCE = 200, 10**7
"""Maximum number of frames, and of coordinates, that are read at once."""

GIVE_CELL = (
    "give the lattice vectors in A (in Python: cell=, on the command line: --cell a,b,c or "
    "a,b,c,alpha,beta,gamma)."
)
NO_CELL = f"The trajectory has no periodic cell: {GIVE_CELL}"


def no_cell(where: str, pbc: Any = None) -> str:
    """Return the message for a frame without a cell, or with a cell of the given periodicity."""
    flags = "" if pbc is None else " ".join("T" if flag else "F" for flag in np.atleast_1d(pbc))
    return f"There is no periodic cell in {where}{flags and f' (pbc {flags})'}: {GIVE_CELL}"


@dataclass(frozen=True)
class FrameStream:
    """Frames of a trajectory and the metadata stated by its source.

    Attributes
    ----------
    symbols : tuple of str
        Element of each atom.
    chunks : iterable of (positions, cells)
        Read once, in order.
    frame_interval_fs, temperature_K : float or None
        None if the source does not state it.
    interval_is_step : bool
        Whether `frame_interval_fs` is the MD time step, of which frames may be several apart.
    temperature_error_K : float
        Error of a temperature that is a mean over the run; 0 if it is a setting.
    wrapped : bool or None
        Whether positions are wrapped into the cell; None if the source does not state it.
    marks : (n_frames,) array or None
        MD step, time or number of each frame, in units of `fs_per_mark`; None if not stated.
    mark_name : {"step", "time", "configuration"}
        Meaning of the marks; VASP counts configurations, which are frames or steps.
    fs_per_mark : float or None
        Time in fs between two marks; None if unknown.
    notes : list of str
        Sentences about frames left out or corrected; complete once `chunks` have been read.
    no_temperature : str
        Why the temperature is None although the source states a setting of it.
    uneven : bool
        Whether skipped frames make the interval differ from the usual interval of the source.
    own_cell : bool
        Whether the source states a cell.
    may_repeat : bool
        Whether frames may be repeated without a step number, as when a restart appends to a file.
    observed_K : list of float
        Temperature of frames in K, from their momenta or comments; complete once `chunks` have been
        read.
    states_frame_K : bool
        Whether the first frame states its temperature, so that `observed_K` will not be empty.
    """

    symbols: tuple[str, ...]
    chunks: Iterable[Chunk]
    frame_interval_fs: float | None = None
    interval_is_step: bool = False
    temperature_K: float | None = None
    temperature_error_K: float = 0.0
    wrapped: bool | None = None
    marks: np.ndarray | None = None
    mark_name: str = "step"
    fs_per_mark: float | None = None
    notes: list[str] = field(default_factory=list)
    no_temperature: str = ""
    uneven: bool = False
    own_cell: bool = True
    may_repeat: bool = False
    observed_K: list[float] = field(default_factory=list)
    states_frame_K: bool = False


def frames_at_once(n_atoms: int) -> int:
    """Return the number of frames in a chunk, which limits its memory."""
    return max(1, min(FRAMES_AT_ONCE, VALUES_AT_ONCE // (3 * max(n_atoms, 1))))


def stack(frames: Iterator[Frame]) -> Iterator[Chunk]:
    """Collect single frames in chunks; a constant cell is given once."""
    first = next(frames, None)
    if first is None:
        return
    done, n_atoms = 0, len(first[0])
    frames = chain([first], frames)
    while batch := list(islice(frames, frames_at_once(n_atoms))):
        for k, (positions, _) in enumerate(batch):
            if len(positions) != n_atoms:
                raise InputError(
                    f"The number of atoms changes from {n_atoms} to {len(positions)} in frame "
                    f"{done + k + 1}."
                )
        done += len(batch)
        cells = np.array([cell for _, cell in batch])
        same = bool((cells == cells[0]).all())
        yield np.array([positions for positions, _ in batch]), cells[0] if same else cells


def check_ids(here: np.ndarray, first: np.ndarray, where: str) -> None:
    """Reject a frame with other atoms than the first frame, as in grand-canonical runs.

    Parameters
    ----------
    here, first : array
        Ids of the atoms, sorted; a different number of them is accepted here.
    where : str
        Name of the frame.

    Raises
    ------
    InputError
        If as many atoms have other ids.
    """
    if len(here) != len(first) or np.array_equal(here, first):
        return
    k = int(np.argmax(here != first))
    raise InputError(
        f"The atoms change in {where}, which has the id {here[k]} in place of {first[k]}: analyze "
        "a part of the run with the same atoms."
    )


def check_symbols(here: tuple[str, ...], first: tuple[str, ...], where: str) -> None:
    """Reject a frame whose atoms differ from the first frame.

    Raises
    ------
    InputError
        If the number, the elements or the order of the atoms change.
    """
    if here == first:
        return
    if len(here) != len(first):
        raise InputError(
            f"The number of atoms changes from {len(first)} to {len(here)} in {where}."
        )
    if Counter(here) == Counter(first):
        raise InputError(
            f"The order of the atoms changes in {where}: write the atoms in one order, "
            "or with their ids."
        )
    k = next(k for k, pair in enumerate(zip(here, first, strict=True)) if pair[0] != pair[1])
    raise InputError(f"Atom {k + 1} changes from {first[k]} to {here[k]} in {where}.")
