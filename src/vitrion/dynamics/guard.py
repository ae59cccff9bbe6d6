"""Stops a run that has left the physical range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matscipy.neighbours import neighbour_list

from vitrion.dynamics.state import volume
from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from vitrion.dynamics.md_settings import MDSettings
    from vitrion.dynamics.state import State


class Guard:
    """Stops an unstable run.

    Parameters
    ----------
    settings : MDSettings
        Limits of the run.
    pbc : (3,) bool array
        Which lattice vectors are periodic.
    first_volume : float
        Of the cell at the start, in A3.
    """

    def __init__(self, settings: MDSettings, pbc: np.ndarray, first_volume: float) -> None:
        self._settings, self._pbc, self._first_volume = settings, pbc, first_volume
        self._limit_K = settings.temperature_limit_K

    def check_step(self, state: State, kelvin: float) -> None:
        """Check energy and temperature after every step.

        Raises
        ------
        SimulationError
            If the energy or the temperature (K) is not a number or the temperature is above its
            limit.
        """
        if not (math.isfinite(state.energy) and math.isfinite(kelvin)):
            raise self._blown_up(state, "energy or forces are not a number")
        if kelvin > self._limit_K:
            raise self._blown_up(
                state,
                f"the temperature is {kelvin:.0f} K, above the limit of {self._limit_K:.0f} K",
            )

    def check_frame(self, state: State) -> None:
        """Check volume and distances before a frame is saved.

        Raises
        ------
        SimulationError
            If two atoms are closer than the limit, or the volume is too far from the first one.
        """
        if not np.isfinite(state.positions).all():
            raise self._blown_up(state, "positions are not a number")
        s = self._settings
        if s.needs_stress:
            ratio = volume(state.cell) / self._first_volume
            if not 1 / s.max_volume_ratio < ratio < s.max_volume_ratio:
                raise self._blown_up(state, f"the volume is {ratio:.2g} times the initial volume")
        if s.min_distance_A == 0:
            return
        distances = neighbour_list(
            "d",
            pbc=self._pbc,
            cell=state.cell,
            positions=state.positions,
            cutoff=s.min_distance_A,
        )
        if distances.size:
            raise self._blown_up(
                state,
                f"two atoms are {distances.min():.2f} A apart, below the "
                f"limit of {s.min_distance_A:.2f} A",
            )

    def _blown_up(self, state: State, what: str) -> SimulationError:
        time_ps = state.step * self._settings.timestep_fs / 1000
        return SimulationError(
            f"The run blew up at step {state.step} ({time_ps:.3f} ps): {what}; use a shorter time "
            "step, a relaxed structure, or another potential (frames before this step are kept)."
        )
