"""Join the segments of one run to one evenly spaced stream of frames."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError
from vitrion.runtime.counts import counted
from vitrion.transport.readers.grid import even_grid
from vitrion.transport.readers.stream import FrameStream, check_symbols

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vitrion.transport.readers.grid import Grid
    from vitrion.transport.readers.stream import Chunk

SAME_PLACE = 1e-6
"""Maximum difference of fractional coordinates of repeated frames."""

TAIL_FRAMES = 20
"""Number of frames before a joint from which the usual step is determined."""

SAME_TIME = 1e-3
"""Maximum relative difference of the time steps of segments, from rounded times."""

MAX_TEMPERATURE_CHANGE = 0.1
"""Maximum relative difference of the stated temperatures of segments of one run."""

JUMP_FACTOR, JUMP_A = 3.0, 0.5
"""Factor on the largest previous root mean square step, and added length in A, above which a step
at a joint shows that the segments do not belong to one run."""


def join(segments: Sequence[FrameStream]) -> FrameStream:
    """Join the segments of one run, drop repeated frames, and keep frames on an even time grid.

    Segments that count steps may overlap and be in any order; others must be in order, and may
    repeat the last frame of the previous segment.

    Raises
    ------
    InputError
        If the segments are not of one run, or their frames are not evenly spaced.
    """
    segments = _in_order(segments)
    first = segments[0]
    for number, segment in enumerate(segments[1:], start=2):
        check_symbols(segment.symbols, first.symbols, f"segment {number} of the run")
    clock = _clock(segments)
    grid, lengths = _grid(segments)
    interval = clock.frame_interval_fs
    notes = [note for segment in segments for note in segment.notes]
    if grid is not None:
        notes += grid.notes
        if grid.spacing is not None and clock.fs_per_mark is not None:
            interval = grid.spacing * clock.fs_per_mark
        elif len(grid.frames) < sum(lengths) and not grid.usual:
            interval = None
    chunks: Iterator[Chunk] = _one_run(segments, grid, lengths)
    if grid is None and all(segment.may_repeat for segment in segments):
        chunks = _without_repeats(chunks, notes)
    chunks = _with_late_notes(chunks, segments, notes)
    observed = first.observed_K
    if len(segments) > 1:
        observed = []
        chunks = _with_temperatures(chunks, segments, observed)
    return replace(
        first,
        chunks=chunks,
        observed_K=observed,
        frame_interval_fs=interval,
        temperature_K=_temperature(segments),
        no_temperature=next((p.no_temperature for p in segments if p.no_temperature), ""),
        wrapped=first.wrapped if len({segment.wrapped for segment in segments}) == 1 else None,
        notes=notes,
        uneven=grid is not None and not grid.usual,
    )


def _clock(segments: Sequence[FrameStream]) -> FrameStream:
    """Return a segment whose time between frames holds for all; a single frame states none."""
    timed = [one for one in segments if one.marks is None or len(one.marks) > 1] or segments
    for name, unit in (("frame_interval_fs", "frame interval"), ("fs_per_mark", "time step")):
        stated = [getattr(segment, name) for segment in timed]
        known = [value for value in stated if value is not None]
        if known and len(known) < len(stated):
            raise InputError(
                f"Some segments of the run state a {unit} of {known[0]:g} fs, and others none: "
                "state it for all or for none (VASP: an INCAR beside each XDATCAR)."
            )
        if known and max(known) - min(known) > SAME_TIME * max(known):
            raise InputError(
                f"The segments of a run must have the same {unit}, not {min(known):g} and "
                f"{max(known):g} fs: analyze runs that differ in it one by one."
            )
    return timed[0]


def _with_late_notes(
    chunks: Iterator[Chunk], segments: Sequence[FrameStream], notes: list[str]
) -> Iterator[Chunk]:
    """Add the notes that segments make while they are read."""
    known = [len(segment.notes) for segment in segments]
    yield from chunks
    for segment, count in zip(segments, known, strict=True):
        notes += segment.notes[count:]


def _with_temperatures(
    chunks: Iterator[Chunk], segments: Sequence[FrameStream], observed: list[float]
) -> Iterator[Chunk]:
    """Collect the temperatures of the frames of all segments once these have been read."""
    yield from chunks
    for segment in segments:
        observed += segment.observed_K


def _temperature(segments: Sequence[FrameStream]) -> float | None:
    """Return the stated temperature of the segments, or None."""
    known = [segment.temperature_K for segment in segments if segment.temperature_K is not None]
    if not known or any(segment.no_temperature for segment in segments):
        return None
    errors = 4.0 * max(segment.temperature_error_K for segment in segments)
    if max(known) - min(known) > MAX_TEMPERATURE_CHANGE * min(known) + errors:
        raise InputError(
            f"The segments of the run are at {min(known):.0f} and {max(known):.0f} K: analyze runs "
            "at different temperatures one by one."
        )
    return float(np.mean(known))


def _in_order(segments: Sequence[FrameStream]) -> list[FrameStream]:
    """Sort segments by their first step if all count steps and the first steps differ."""
    starts = [
        segment.marks[0] for segment in segments if segment.marks is not None and len(segment.marks)
    ]
    if len(starts) == len(segments) == len(set(starts)):
        return [segments[k] for k in np.argsort(starts)]
    return list(segments)


def _grid(segments: Sequence[FrameStream]) -> tuple[Grid | None, list[int]]:
    marks = [segment.marks for segment in segments if segment.marks is not None]
    if len(marks) < len(segments):
        return None, []
    return even_grid(np.concatenate(marks), segments[0].mark_name), [len(m) for m in marks]


def _one_run(
    segments: Sequence[FrameStream], grid: Grid | None, lengths: Sequence[int]
) -> Iterator[Chunk]:
    """Yield the selected frames of all segments; check that each continues the previous one."""
    wanted = np.zeros(sum(lengths), dtype=bool)
    joints: set[int] = set()
    if grid is not None:
        wanted[grid.frames] = True
        joints = {*grid.joints, *grid.restarts}
    run = _Run(unwrapped=all(segment.wrapped is False for segment in segments))
    seen = 0
    for number, segment in enumerate(segments):
        first = number > 0
        for positions, cells in segment.chunks:
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
    """Skip frames that equal the previous frame, if every atom moved before.

    Atoms may be stationary, as in kinetic Monte Carlo; if all atoms move between frames, two equal
    frames are one frame written twice.
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
        notes.append(f"Left out: {counted(n_left, 'repeated frame')}.")


class _Run:
    """The last frames of a run, to which its next segment is joined.

    Parameters
    ----------
    unwrapped : bool
        Whether each segment is unwrapped from its own start; segments are shifted by whole cells.
    """

    def __init__(self, *, unwrapped: bool) -> None:
        self._unwrapped = unwrapped
        self._tail = np.empty((0, 0, 3))
        self._crossed: np.ndarray | None = None

    def add(self, positions: np.ndarray, cells: np.ndarray) -> Chunk:
        """Return the next frames, shifted to continue the run."""
        if self._crossed is not None:
            positions = positions + self._crossed @ cells
        last = positions[-TAIL_FRAMES:]
        few = len(self._tail) and len(last) < TAIL_FRAMES
        self._tail = np.concatenate([self._tail, last])[-TAIL_FRAMES:] if few else last
        return positions, cells

    def join(self, positions: np.ndarray, cells: np.ndarray, which: np.ndarray, seen: int) -> int:
        """Start a segment with the frames `which`, and return how many repeat the last frame.

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
                    "the segments of one run in order, and independent runs one by one."
                )
        return 0


def _steps(frames: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return the root mean square displacement between consecutive frames, in A."""
    fractional = np.diff(frames, axis=0) @ np.linalg.inv(cell)
    return _rms((fractional - np.rint(fractional)) @ cell)


def _rms(steps: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.sum(steps**2, axis=-1), axis=-1))
