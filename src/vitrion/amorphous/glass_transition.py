"""The glass transition of a quench: where the slope of the energy over temperature changes.

A liquid that falls out of equilibrium loses the part of its heat capacity that comes from its
changing structure, so the potential energy over temperature has a kink. At rates of K/ps it lies
above the transition of the laboratory by up to some hundred K (about 3 to 5 % a decade of the
rate).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.units import kB
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import f as f_distribution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from vitrion.dynamics.trajectory import Trajectory

N_BINS = 40
"""Bins of temperature over which energies are averaged, so that noise of one bin is independent."""

MARGIN = 4
"""Bins that each line has at least."""

SIGNIFICANCE = 0.01
"""Probability that a straight line shows a kink as clear as the required one."""


class QuenchCurve(BaseModel):
    """Potential energy over temperature of one quench, averaged in bins."""

    model_config = ConfigDict(frozen=True)

    temperature_K: list[float] = Field(description="Mean target temperature of each bin in K.")
    energy_eV_per_atom: list[float] = Field(description="Mean potential energy in eV/atom.")

    @classmethod
    def from_frames(cls, temperature_K: ArrayLike, energy_eV_per_atom: ArrayLike) -> Self | None:
        """Average the frames of a quench; None if there are fewer than two for each bin.

        Parameters
        ----------
        temperature_K, energy_eV_per_atom : (n,) arrays
            Target temperature and potential energy of each frame.
        """
        t = np.asarray(temperature_K, dtype=float)
        e = np.asarray(energy_eV_per_atom, dtype=float)
        if len(t) < 2 * N_BINS:
            return None
        bins = np.array_split(np.argsort(t, kind="stable"), N_BINS)
        return cls(
            temperature_K=[float(t[one].mean()) for one in bins],
            energy_eV_per_atom=[float(e[one].mean()) for one in bins],
        )

    @classmethod
    def from_trajectory(cls, trajectory: Trajectory, start_K: float, end_K: float) -> Self | None:
        """Average the frames of a linear ramp of the target temperature."""
        times = trajectory.times_ps()
        share = (times - times[0]) / max(float(times[-1] - times[0]), 1e-12)
        energies = trajectory.energies() / len(trajectory.symbols)
        return cls.from_frames(start_K + share * (end_K - start_K), energies)


class GlassTransition(BaseModel):
    """Temperature at which a quenched melt became a glass."""

    model_config = ConfigDict(frozen=True)

    temperature_K: float = Field(description="Crossing of the two lines in K.")
    low_K: float = Field(description="Lower end of the 95 % interval in K.")
    high_K: float = Field(description="Upper end of the 95 % interval in K.")
    glass_heat_capacity_kB: float = Field(
        description="Slope of the potential energy below it, in k_B per atom."
    )
    liquid_heat_capacity_kB: float = Field(description="The same above it.")
    n_quenches: int = Field(1, description="Quenches whose energies were averaged.")

    @property
    def value(self) -> float:
        """Temperature in K."""
        return self.temperature_K

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval in K."""
        return self.low_K

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval in K."""
        return self.high_K

    @property
    def text(self) -> str:
        """Temperature and interval in K: ``684 (610 to 750)``."""
        return f"{self.value:.0f} ({self.low:.0f} to {self.high:.0f})"


def glass_transition(curves: Sequence[QuenchCurve]) -> GlassTransition | None:
    """Find the kink of the potential energy over temperature of one or more quenches.

    Two lines that meet are fitted to bin means by least squares; the interval of the crossing
    follows from the profile likelihood, ``S(T) <= S_min (1 + F / (n - 4))``.

    Parameters
    ----------
    curves : sequence of QuenchCurve
        Of the same protocol.

    Returns
    -------
    GlassTransition or None
        None if a straight line fits as well, the slope does not rise with temperature, or there is
        no curve.
    """
    if not curves:
        return None
    t = np.mean([curve.temperature_K for curve in curves], axis=0)
    e = np.mean([curve.energy_eV_per_atom for curve in curves], axis=0)
    candidates = np.linspace(t[MARGIN], t[-MARGIN - 1], 400)
    solutions, squares = _hinges(t, e, candidates)
    best = int(squares.argmin())
    (_, glass, change), least = solutions[best], float(squares[best])
    free = len(t) - 4
    straight = float(np.sum((e - np.polyval(np.polyfit(t, e, 1), t)) ** 2))
    gain = (straight - least) / 2 / (least / free)
    if change <= 0 or f_distribution.sf(gain, 2, free) > SIGNIFICANCE:
        return None
    allowed = candidates[squares <= least * (1 + f_distribution.ppf(0.95, 1, free) / free)]
    return GlassTransition(
        temperature_K=float(candidates[best]),
        low_K=float(allowed.min()),
        high_K=float(allowed.max()),
        glass_heat_capacity_kB=float(glass / kB),
        liquid_heat_capacity_kB=float((glass + change) / kB),
        n_quenches=len(curves),
    )


def _hinges(
    t: NDArray[np.float64], e: NDArray[np.float64], kinks: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit ``a + b (t - at) + c max(t - at, 0)`` for each kink.

    Returns ``(kinks, 3)`` coefficients and ``(kinks,)`` sums of squares.
    """
    shifted = t - kinks[:, None]
    designs = np.stack([np.ones_like(shifted), shifted, np.maximum(shifted, 0.0)], axis=2)
    q, r = np.linalg.qr(designs)
    solutions = np.linalg.solve(r, (e @ q)[..., None])
    residuals = e - (designs @ solutions)[..., 0]
    return solutions[..., 0], np.sum(residuals**2, axis=1)
