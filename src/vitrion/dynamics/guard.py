"""Stops a run that has left the physical range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matscipy.neighbours import neighbour_list

from vitrion.dynamics.state import temperature, volume
from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from vitrion.dynamics.settings import MDSettings
    from vitrion.dynamics.state import State, System


def check_step(state: State, system: System, settings: MDSettings) -> None:
    """Look at what is cheap, after every step.

    Raises
    ------
    SimulationError
        If energy or temperature is not a number or the temperature is above its limit.
    """
    kelvin = temperature(state, system)
    if not (math.isfinite(state.energy) and math.isfinite(kelvin)):
        raise _blown_up(state, settings, "energy or forces are not a number")
    if kelvin > settings.temperature_limit_K:
        raise _blown_up(
            state,
            settings,
            f"the temperature is {kelvin:.0f} K, above the limit of "
            f"{settings.temperature_limit_K:.0f} K",
        )


def check_frame(state: State, settings: MDSettings, pbc: np.ndarray, first_volume: float) -> None:
    """Look at volume and distances, before a frame is kept.

    Raises
    ------
    SimulationError
        If two atoms are closer than the limit, or the volume (A3) is too far from the first one.
    """
    if not np.isfinite(state.positions).all():
        raise _blown_up(state, settings, "positions are not a number")
    if settings.needs_stress:
        ratio = volume(state.cell) / first_volume
        if not 1 / settings.max_volume_ratio < ratio < settings.max_volume_ratio:
            raise _blown_up(state, settings, f"the volume is {ratio:.2g} times that of the start")
    if settings.min_distance_A == 0:
        return
    distances = neighbour_list(
        "d",
        pbc=pbc,
        cell=state.cell,
        positions=state.positions,
        cutoff=settings.min_distance_A,
    )
    if distances.size:
        raise _blown_up(
            state,
            settings,
            f"two atoms are {distances.min():.2f} A apart, below the "
            f"limit of {settings.min_distance_A:.2f} A",
        )


def _blown_up(state: State, settings: MDSettings, what: str) -> SimulationError:
    time_ps = state.step * settings.timestep_fs / 1000
    return SimulationError(
        f"The run blew up at step {state.step} ({time_ps:.3f} ps): {what}; use a shorter time "
        "step, a relaxed start, or another potential (the good frames are kept)."
    )
