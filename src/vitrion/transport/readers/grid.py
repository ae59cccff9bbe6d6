"""Select evenly spaced frames of a run by their step numbers or times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrion.errors import InputError
from vitrion.runtime.counts import counted
from vitrion.transport.displacements import MIN_FRAMES

COVERED = 0.9
"""Minimum fraction of the run that an even grid covers."""

EVEN = 0.02
"""Maximum rounding deviation from an even grid, relative to its spacing."""

MULTIPLES = 10
"""Maximum ratio of the grid spacing to a spacing of the file."""


@dataclass(frozen=True)
class Grid:
    """Evenly spaced frames of a run.

    Attributes
    ----------
    frames : int array
        Numbers of the frames, counted from 0, in order.
    spacing : float or None
        Distance in steps or time; None for a single frame.
    joints : frozenset of int
        Frames of `frames` at which the step count is reset: they continue or repeat the previous
        frame.
    restarts : frozenset of int
        Frames of `frames` at which a restarted run replaces the end of the earlier run.
    usual : bool
        Whether `spacing` is the most common one of the file, which a given frame interval is taken
        for; unknown if uneven times are in an unknown unit.
    notes : tuple of str
    """

    frames: np.ndarray
    spacing: float | None
    joints: frozenset[int]
    restarts: frozenset[int]
    usual: bool = True
    notes: tuple[str, ...] = ()


def even_grid(marks: np.ndarray, name: str = "step") -> Grid:
    """Choose the evenly spaced frames of a run.

    If the steps decrease, a restarted run replaces the later frames of the earlier run. If they
    return to the first step, the count was reset and the run continues.

    Parameters
    ----------
    marks : (n_frames,) array
        Step number or time of each frame, in the order of the file.
    name : {"step", "time", "configuration"}

    Returns
    -------
    Grid

    Raises
    ------
    InputError
        If no even grid with `MIN_FRAMES` frames covers most of the run; the message names the
        first wrong frame.
    """
    marks = np.asarray(marks, dtype=float)
    epochs, restarts = _epochs(marks)
    notes = []
    n_replaced = len(marks) - sum(map(len, epochs))
    if n_replaced:
        notes.append(
            f"Left out: {counted(n_replaced, 'frame')} that a restarted run, or a repeated {name}, "
            "replaces."
        )
    chosen = [_even_part(marks, epoch, name) for epoch in epochs]
    spacings = [spacing for _, spacing in chosen if spacing is not None]
    if spacings and max(spacings) > min(spacings) * (1.0 + EVEN):
        raise InputError(
            f"The frames are {min(spacings):g} {name}s apart in one part of the run and "
            f"{max(spacings):g} in another: analyze these parts one by one."
        )
    frames = np.concatenate([part for part, _ in chosen])
    n_left = len(marks) - n_replaced - len(frames)
    spacing = spacings[0] if spacings else None
    if n_left:
        notes.append(
            f"The {name}s are uneven: {len(frames)} of {len(marks) - n_replaced} frames lie on an "
            f"even grid, {spacing:g} apart, and are used."
        )
    kept = set(frames.tolist())
    return Grid(
        frames=frames,
        spacing=spacing,
        joints=frozenset(int(part[0]) for part, _ in chosen[1:]),
        restarts=frozenset(r for r in restarts if r in kept),
        usual=not n_left or (name != "time" and spacing == _usual_spacing(marks)),
        notes=tuple(notes),
    )


def _epochs(marks: np.ndarray) -> tuple[list[np.ndarray], set[int]]:
    """Split frames where the count is reset, and drop those that a restart replaces."""
    epochs: list[list[int]] = [[]]
    restarts = set()
    for k, mark in enumerate(marks.tolist()):
        kept = epochs[-1]
        if kept and mark <= marks[kept[-1]]:
            if mark <= marks[kept[0]] and len(kept) > 1:
                epochs.append([k])
                continue
            repeats = mark == marks[kept[-1]]
            while kept and marks[kept[-1]] >= mark:
                kept.pop()
            if not repeats:
                restarts.add(k)
        kept.append(k)
    return [np.array(epoch) for epoch in epochs], restarts


def _even_part(marks: np.ndarray, epoch: np.ndarray, name: str) -> tuple[np.ndarray, float | None]:
    """Return the evenly spaced frames of one run, and their spacing."""
    here = marks[epoch]
    if len(here) < 2:
        return epoch, None
    spacing = (here[-1] - here[0]) / (len(here) - 1)
    if np.abs(here - here[0] - spacing * np.arange(len(here))).max() <= EVEN * spacing:
        return epoch, float(spacing)
    units = _whole(here)
    if units is not None:
        counts, unit = units
        span = counts[-1] - counts[0]
        for step in _candidates(counts):
            run = _longest_run(counts, step)
            if len(run) >= MIN_FRAMES and (len(run) - 1) * step >= COVERED * span:
                return epoch[run], float(step * unit)
    raise InputError(_fault(marks, epoch, name))


def _whole(times: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return times as integer multiples of a unit if possible."""
    smallest = float(np.diff(times).min())
    for parts in range(1, 51):
        unit = 1.0 if parts == 1 and (times == np.rint(times)).all() else smallest / parts
        counts = np.rint((times - times[0]) / unit)
        if np.abs((times - times[0]) / unit - counts).max() < 0.05:
            return counts.astype(np.int64), unit
    return None


def _candidates(counts: np.ndarray) -> list[int]:
    """Return candidate spacings of an even grid, the finest first."""
    found: set[int] = set()
    for apart in (1, 2, 3):
        steps, times = np.unique(counts[apart:] - counts[:-apart], return_counts=True)
        found.update(steps[np.argsort(-times)[:20]].tolist())
    longest = (counts[-1] - counts[0]) // (MIN_FRAMES - 1)
    return sorted({m * s for s in found for m in range(1, MULTIPLES + 1) if m * s <= longest})


def _longest_run(counts: np.ndarray, step: int) -> np.ndarray:
    """Return the longest unbroken sequence of frames that are exactly `step` apart."""
    residues, times = np.unique(counts % step, return_counts=True)
    members = np.flatnonzero(counts % step == residues[np.argmax(times)])
    breaks = np.flatnonzero(np.diff(counts[members]) != step) + 1
    return max(np.split(members, breaks), key=len)


def _usual_spacing(marks: np.ndarray) -> float:
    steps, times = np.unique(np.diff(marks), return_counts=True)
    forward = steps > 0
    return float(steps[forward][np.argmax(times[forward])])


def _fault(marks: np.ndarray, epoch: np.ndarray, name: str) -> str:
    usual = _usual_spacing(marks[epoch])
    deviation = np.abs(np.diff(marks[epoch]) - usual)
    k = int(np.argmax(deviation > min(EVEN * usual, 0.5 * deviation.max()))) + 1
    before, here = marks[epoch[k - 1]], marks[epoch[k]]
    return (
        f"The frames are not evenly spaced: frame {epoch[k] + 1} is at {name} {here:g}, "
        f"{here - before:g} after the previous frame ({usual:g} is the most common), and no even "
        f"grid of {MIN_FRAMES} frames covers {COVERED:.0%} of the run; write frames at a constant "
        "interval, or give an evenly spaced part of the file."
    )
