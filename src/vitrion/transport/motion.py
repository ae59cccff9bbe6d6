"""Displacements of a trajectory, with its temperature and frame interval checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError
from vitrion.runtime.plain_numbers import read_number
from vitrion.transport.displacements import MIN_FRAMES, Displacements, Tracker
from vitrion.transport.io import FrameStream, open_frames

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from vitrion.transport.readers.lammps_types import Types

SAME_TEMPERATURE = 0.1
"""Largest difference of a given temperature from the stated one, relative to it."""

TEMPERATURE_ERRORS = 4.0
"""Allowed difference from a stated mean temperature in addition, in its standard errors."""

MIN_OBSERVED = 10
"""Minimum number of frames with a temperature for a check of their mean; also the number of frames
taken as correlated."""

STEADY = 0.2
"""Largest difference of the mean temperatures of the first and last third, relative to the mean."""

SAME_INTERVAL = 0.01
"""Largest difference of a given frame interval from the stated one, relative to it."""


def read_motion(
    path: Any,
    mobile: Collection[str],
    temperature_K: float | None = None,
    frame_interval_fs: float | None = None,
    *,
    skip_ps: float = 0.0,
    timestep_fs: float | None = None,
    type_map: Types = None,
    cell: Any = None,
    memory_MB: float = 80.0,
) -> tuple[Displacements, float, list[str]]:
    """Read the displacements of a trajectory.

    For the parameters, see `vitrion.transport.analysis.analyze_file`.

    Returns
    -------
    motion : Displacements
    temperature_K : float
        As given, or as the trajectory states it.
    notes : list of str
        Sentences about skipped frames and about the temperature.
    """
    skip_ps = _time_to_skip(skip_ps)
    if temperature_K is not None:
        temperature_K = read_number(temperature_K, "temperature_K", "K")
    if frame_interval_fs is not None:
        frame_interval_fs = read_number(frame_interval_fs, "frame_interval_fs", "fs")
    stream = open_frames(path, timestep_fs=timestep_fs, type_map=type_map, cell=cell)
    stated = _temperature(stream, temperature_K)
    interval = _interval(stream, frame_interval_fs)
    tracker = Tracker(
        stream.symbols, list(mobile), interval, wrapped=stream.wrapped, memory_MB=memory_MB
    )
    n_skipped = round(1000.0 * skip_ps / interval)
    n_read = _track(stream, tracker, n_skipped)
    if n_read - n_skipped < MIN_FRAMES <= n_read:
        raise InputError(
            f"Skipping {skip_ps:g} ps leaves {max(n_read - n_skipped, 0)} of {n_read} frames "
            f"({n_read * interval / 1000.0:g} ps): skip less (skip_ps, --skip), since at least "
            f"{MIN_FRAMES} frames are needed."
        )
    notes = [*stream.notes, *([stream.no_temperature] if stream.no_temperature else [])]
    observed = stream.observed_K  # also of frames that were left out as repeated or uneven
    observed = observed[round(len(observed) * n_skipped / max(n_read, 1)) :]
    temperature = _observed(observed) if stated is None else stated
    _check_observed(observed, temperature)
    if stated is None:
        notes.append(f"The temperature {temperature:.0f} K is the mean of what the frames state.")
    return tracker.result(), temperature, notes


def _time_to_skip(skip_ps: Any) -> float:
    """Return the time to skip in ps."""
    skip_ps = read_number(skip_ps, "skip_ps", "ps")
    if not 0 <= skip_ps < math.inf:
        raise InputError(f"The time to skip must be 0 ps or a longer finite time, not {skip_ps:g}.")
    return skip_ps


def _track(stream: FrameStream, tracker: Tracker, to_skip: int) -> int:
    """Add all frames but the first `to_skip` to a tracker, and return the number of frames."""
    n_read = 0
    for positions, cells in stream.chunks:
        kept = slice(to_skip, None)
        to_skip = max(to_skip - len(positions), 0)
        n_read += len(positions)
        if len(positions[kept]):
            tracker.add(positions[kept], cells if cells.ndim == 2 else cells[kept])
    return n_read


def _temperature(stream: FrameStream, given: float | None) -> float | None:
    """Return the given temperature, or the temperature stated by a trajectory.

    None if it follows from the frames once they have been read.
    """
    stated = stream.temperature_K
    if given is None and stated is None and not stream.no_temperature and stream.states_frame_K:
        return None
    if given is None and stated is None:
        if stream.no_temperature:
            raise InputError(
                f"{stream.no_temperature.rstrip('.')}: give the temperature of the ions in K "
                "(temperature_K, --temperature), of a part of the run at one temperature."
            )
        raise InputError(
            "The trajectory does not state its temperature: give it in K (temperature_K, "
            "--temperature)."
        )
    if given is None or stated is None:
        return float(stated if given is None else given)  # type: ignore[arg-type]
    allowed = SAME_TEMPERATURE * stated + TEMPERATURE_ERRORS * stream.temperature_error_K
    if abs(given - stated) > allowed:
        raise InputError(
            f"The trajectory states {stated:.0f} K and {given:g} K is given: leave the temperature "
            "out, or correct it."
        )
    return given


def _observed(observed_K: Sequence[float]) -> float:
    """Return the mean temperature of the frames, from their momenta or comments."""
    if len(observed_K) < MIN_OBSERVED:
        raise InputError(
            f"Only {len(observed_K)} frames state their temperature: give it in K "
            "(temperature_K, --temperature)."
        )
    return float(np.mean(observed_K))


def _check_observed(observed_K: Sequence[float], temperature_K: float) -> None:
    """Check that the temperatures of the frames are steady and agree with the temperature."""
    if len(observed_K) < MIN_OBSERVED:
        return
    mean = np.mean(observed_K)
    third = len(observed_K) // 3
    first, last = np.mean(observed_K[:third]), np.mean(observed_K[-third:])
    scatter = min(np.std(observed_K[:third]), np.std(observed_K[-third:]))
    noise = TEMPERATURE_ERRORS * scatter * np.sqrt(2.0 / max(third / MIN_OBSERVED, 1.0))
    if abs(last - first) > STEADY * mean + noise:
        raise InputError(
            f"The temperature changes from {first:.0f} K in the first third of the frames to "
            f"{last:.0f} K in the last: skip the start (skip_ps, --skip), or analyze a part of the "
            "run at one temperature."
        )
    error = np.std(observed_K) / np.sqrt(len(observed_K) / MIN_OBSERVED)
    allowed = SAME_TEMPERATURE * mean + TEMPERATURE_ERRORS * error
    if abs(temperature_K - mean) > allowed:
        raise InputError(
            f"The frames have a mean temperature of {mean:.0f} K by their momenta or comments, and "
            f"{temperature_K:g} K is given: correct it."
        )


def _interval(stream: FrameStream, given: float | None) -> float:
    """Return the given frame interval, or the interval stated by a trajectory, in fs."""
    stated = stream.frame_interval_fs
    if stream.interval_is_step and given is not None and stated:
        stated *= max(round(given / stated), 1)
    if given is not None and stated is None and stream.uneven:
        remedy = "give an evenly spaced part of the run."
        if stream.mark_name == "step":
            remedy = (
                "give the MD time step (timestep_fs, --timestep) in place of the time between "
                "frames."
            )
        raise InputError(f"{stream.notes[-1].rstrip('.')}: {remedy}")
    if given is None and stated is None:
        counted = ""
        if stream.marks is not None and stream.mark_name == "step":
            counted = ", or the MD time step in fs (timestep_fs, --timestep)"
        raise InputError(
            "The trajectory does not state the time between its frames: give it in fs "
            f"(frame_interval_fs, --frame-interval){counted}."
        )
    if given is None or stated is None:
        return float(stated if given is None else given)  # type: ignore[arg-type]
    if abs(given - stated) > SAME_INTERVAL * stated:
        raise InputError(
            f"The frames are {stated:g} fs apart by what the trajectory states, and {given:g} fs "
            "is given: leave the interval out, or correct it."
        )
    return given
