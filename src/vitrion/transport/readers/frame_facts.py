"""Steps, times and temperatures that a frame states by name, as in extended XYZ and ASE's info."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STEP_KEYS = ("step", "md_step", "timestep")
TEMPERATURE_KEYS = ("temperature", "temperature_k", "temp")
TIME_KEYS = {"time": None, "time_fs": 1.0, "time_ps": 1000.0}
"""Names of the time or step of a frame, with their unit in fs if known."""


class FrameFacts(NamedTuple):
    """What a frame states; None if it does not."""

    step: float | None = None
    time: float | None = None
    fs_per_time: float | None = None
    temperature: float | None = None


def read_facts(stated: Mapping[str, Any]) -> FrameFacts:
    """Return the facts among named values, whose names may be in any case."""
    lower = {str(key).lower(): value for key, value in stated.items()}
    time_key = next((key for key in TIME_KEYS if key in lower), None)
    return FrameFacts(
        step=next((as_float(lower[key]) for key in STEP_KEYS if key in lower), None),
        time=None if time_key is None else as_float(lower[time_key]),
        fs_per_time=None if time_key is None else TIME_KEYS[time_key],
        temperature=next((as_float(lower[key]) for key in TEMPERATURE_KEYS if key in lower), None),
    )


def read_clock(
    stated: Sequence[Any], timestep_fs: float | None
) -> tuple[np.ndarray | None, str, float | None]:
    """Return the time or step of each frame, which of the two, and its unit in fs.

    Times are preferred, unless their unit is unknown and the MD time step is given.
    """
    units = {"time": stated[0].fs_per_time, "step": timestep_fs}
    for name in sorted(units, key=lambda name: units[name] is None):
        marks = [getattr(facts, name) for facts in stated]
        if None not in marks and len(set(marks)) > 1:
            return np.array(marks), name, units[name]
    return None, "step", None


def as_float(value: Any) -> float | None:
    """Return a value as a number; None if it is not one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
