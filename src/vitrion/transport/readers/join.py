"""The parts of one run, as one evenly spaced stream of frames."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError
from vitrion.transport.readers.grid import even_grid
from vitrion.transport.readers.stream import FrameStream, check_symbols

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vitrion.transport.readers.grid import Grid
    from vitrion.transport.readers.stream import Chunk

SAME_PLACE = 1e-6
"""Largest difference of fractional coordinates of a frame that is repeated."""

TAIL_FRAMES = 20
"""Frames before a joint that show how far atoms move between frames."""

MAX_TEMPERATURE_CHANGE = 0.1
"""Largest difference of the temperatures that the parts of one run state, relative to them."""

JUMP_FACTOR, JUMP_A = 3.0, 0.5
"""A root mean square step at a joint beyond this factor of the largest one before it, plus this
length in A, shows that the parts are not of one run."""


def join(parts: Sequence[FrameStream]) -> FrameStream:
    """Join the parts of one run, drop repeated frames, and keep those on an even grid of time.

    Parts that count steps may overlap and may be given in any order; others are taken in order,
    and may repeat the last frame of the part before.

    Raises
    ------
    InputError
        If the parts are not of one run, or their frames are not evenly spaced.
    """
    parts = _in_order(parts)
    first = parts[0]
    for number, part in enumerate(parts[1:], start=2):
        check_symbols(part.symbols, first.symbols, f"part {number} of the run")
        for name, unit in (("frame_interval_fs", "frame interval"), ("fs_per_mark", "time step")):
            if getattr(part, name) != getattr(first, name):
                raise InputError(
                    f"The parts of a run must have the same {unit}: "
                    f"{getattr(first, name)} and {getattr(part, name)} fs."
                )
    grid, lengths = _grid(parts)
    interval = first.frame_interval_fs
    notes = [note for part in parts for note in part.notes]
    if grid is not None:
        notes += grid.notes
        if grid.spacing is not None and first.fs_per_mark is not None:
            interval = grid.spacing * first.fs_per_mark
        elif len(grid.frames) < sum(lengths) and not grid.usual:
            interval = None
    chunks: Iterator[Chunk] = _one_run(parts, grid, lengths)
    if grid is None and all(part.may_repeat for part in parts):
        chunks = _without_repeats(chunks, notes)
    return replace(
        first,
        chunks=chunks,
        frame_interval_fs=interval,
        temperature_K=_temperature(parts),
        no_temperature=next((p.no_temperature for p in parts if p.no_temperature), ""),
        wrapped=first.wrapped if len({part.wrapped for part in parts}) == 1 else None,
        notes=notes,
        uneven=grid is not None and not grid.usual,
    )


def _temperature(parts: Sequence[FrameStream]) -> float | None:
    """Return the temperature that the parts state, if they state one."""
    known = [part.temperature_K for part in parts if part.temperature_K is not None]
    if not known or any(part.no_temperature for part in parts):
        return None
    errors = 4.0 * max(part.temperature_error_K for part in parts)
    if max(known) - min(known) > MAX_TEMPERATURE_CHANGE * min(known) + errors:
        raise InputError(
            f"The parts of the run are at {min(known):.0f} and at {max(known):.0f} K: analyze "
            "runs at different temperatures one by one."
        )
    return float(np.mean(known))


def _in_order(parts: Sequence[FrameStream]) -> list[FrameStream]:
    """Sort parts by their first step, if all count steps from different ones."""
    starts = [part.marks[0] for part in parts if part.marks is not None and len(part.marks)]
    if len(starts) == len(parts) == len(set(starts)):
        return [parts[k] for k in np.argsort(starts)]
    return list(parts)


def _grid(parts: Sequence[FrameStream]) -> tuple[Grid | None, list[int]]:
    marks = [part.marks for part in parts if part.marks is not None]
    if len(marks) < len(parts):
        return None, []
    return even_grid(np.concatenate(marks), parts[0].mark_name), [len(m) for m in marks]


def _one_run(
    parts: Sequence[FrameStream], grid: Grid | None, lengths: Sequence[int]
) -> Iterator[Chunk]:
    """Yield the frames of all parts that are wanted; check that each part continues the last."""
    wanted = np.zeros(sum(lengths), dtype=bool)
    joints: set[int] = set()
    if grid is not None:
        wanted[grid.frames] = True
        joints = {*grid.joints, *grid.restarts}
    run = _Run(unwrapped=all(part.wrapped is False for part in parts))
    seen = 0
    for number, part in enumerate(parts):
        first = number > 0
        for positions, cells in part.chunks:
            count = len(positions)
            keep = np.ones(count, dtype=bool)
            if grid is not None:
                keep = np.zeros(count, dtype=bool)
                here = wanted[seen : seen + count]
                keep[: len(here)] = here
            cuts = {k - seen for k in joints if seen <= k < seen + count}
            if first and keep.any():
                cuts.add(int(np.argmax(keep)))
                first = False
            bounds = sorted({0, count, *cuts})
            for start, stop in pairwise(bounds):
                which = np.flatnonzero(keep[start:stop]) + start
                if start in cuts and len(which):
                    which = which[run.join(positions, cells, which, seen) :]
                if len(which):
                    yield run.add(positions[which], cells if cells.ndim == 2 else cells[which])
            seen += count


def _without_repeats(chunks: Iterator[Chunk], notes: list[str]) -> Iterator[Chunk]:
    """Leave out frames that are equal to the one before, although every atom moved before that.

    Atoms of a trajectory may stand still, as in kinetic Monte Carlo; where all of them move from
    frame to frame, two equal frames are one that was written twice.
    """
    last: np.ndarray | None = None
    moved = False
    n_left = 0
    for positions, cells in chunks:
        chain = positions if last is None else np.concatenate([last[None], positions])
        steps = np.diff(chain, axis=0) != 0.0
        still = ~steps.any(axis=(1, 2))
        all_moved = np.concatenate([[moved], steps.any(axis=2).all(axis=1)])
        drop = still & all_moved[:-1]
        keep = np.ones(len(positions), dtype=bool)
        keep[len(positions) - len(drop) :] = ~drop
        last, moved = positions[-1], bool(all_moved[-1])
        n_left += int(drop.sum())
        if keep.any():
            yield positions[keep], cells if cells.ndim == 2 else cells[keep]
    if n_left:
        notes.append(f"{n_left} repeated frame(s) are left out.")


class _Run:
    """The last frames of a run, to which its next part is joined.

    Parameters
    ----------
    unwrapped : bool
        Whether the parts are unwrapped, each from its own start; they are shifted by whole cells.
    """

    def __init__(self, *, unwrapped: bool) -> None:
        self._unwrapped = unwrapped
        self._tail = np.empty((0, 0, 3))
        self._crossed: np.ndarray | None = None

    def add(self, positions: np.ndarray, cells: np.ndarray) -> Chunk:
        """Return the next frames as those of the run."""
        if self._crossed is not None:
            positions = positions + self._crossed @ cells
        last = positions[-TAIL_FRAMES:]
        few = len(self._tail) and len(last) < TAIL_FRAMES
        self._tail = np.concatenate([self._tail, last])[-TAIL_FRAMES:] if few else last
        return positions, cells

    def join(self, positions: np.ndarray, cells: np.ndarray, which: np.ndarray, seen: int) -> int:
        """Begin a part with the frames `which`, and return how many of them repeat the last one.

        Raises
        ------
        InputError
            If the first of them does not continue the last frame.
        """
        if not len(self._tail):
            return 0
        k = int(which[0])
        cell = cells if cells.ndim == 2 else cells[k]
        fractional = (positions[k] - self._tail[-1]) @ np.linalg.inv(cell)
        if self._unwrapped:
            self._crossed = -np.rint(fractional)
        fractional -= np.rint(fractional)
        if np.abs(fractional).max() < SAME_PLACE:
            return 1
        if len(self._tail) > 2:
            usual, jump = _steps(self._tail, cell).max(), _rms(fractional @ cell)
            if jump > JUMP_FACTOR * usual + JUMP_A:
                raise InputError(
                    f"Frame {seen + k + 1} does not continue the frame before it: atoms move by "
                    f"{jump:.1f} A there, and by at most {usual:.1f} A between other frames; give "
                    "the parts of one run in their order, and independent runs one by one."
                )
        return 0


def _steps(frames: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the root mean square displacement between consecutive frames, in A."""
    fractional = np.diff(frames, axis=0) @ np.linalg.inv(cell)
    return _rms((fractional - np.rint(fractional)) @ cell)


def _rms(steps: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.sum(steps**2, axis=-1), axis=-1))
