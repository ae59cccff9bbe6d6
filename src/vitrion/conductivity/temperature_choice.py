"""Temperatures at which the ions diffuse and the framework rests, from short runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from ase.units import kB
from pydantic import Field
from scipy.optimize import minimize

from vitrion.errors import SimulationError
from vitrion.transport.analysis import MANY_HOPS
from vitrion.transport.constants import A2_PER_FS_TO_CM2_PER_S, NOMINAL_HOP_A
from vitrion.transport.schema import Model
from vitrion.uncertainty import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

RESTING_FRACTION = 0.25
"""Fraction of the framework that may leave its sites within half a run: half of what diffuses."""

SOFTENING_PRIOR_EV = (1.5, 1.0)
"""Activation energy of the framework, mean and standard deviation, before the runs."""

DIFFUSION_PRIOR_EV = (0.5, 0.25)
"""Activation energy of the mobile ions, mean and standard deviation, before the runs."""

LOWEST_POINTS = 3
"""Number of the coldest diffusive points that are extrapolated to lower temperatures."""

NARROWEST = 0.8
"""Largest ratio of the lowest to the highest temperature."""

STEP_K = 5.0
"""Chosen temperatures are multiples of it."""


class ScanPoint(Model):
    """Short dynamics at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    duration_ps: float = Field(description="Analyzed duration in ps.")
    moved_fraction: float = Field(
        description="Fraction of the least mobile species of the framework that leaves its sites "
        "within half the duration; 1 if the run failed."
    )
    diffusivity: Estimate | None = Field(
        description="Self-diffusivity of the mobile ions in cm2/s; None if not determined."
    )
    failure: str | None = Field(None, description="Error of the run if it failed.")


class TemperatureChoice(Model):
    """Temperatures chosen from a scan."""

    points: list[ScanPoint] = Field(description="The scan, by ascending temperature.")
    softening_K: float | None = Field(
        description="Temperature in K at which a quarter of the framework leaves its sites within "
        "half of a production run; None if it rests at all scanned temperatures."
    )
    mobile_K: float | None = Field(
        description=f"Temperature in K at which {MANY_HOPS} hops are expected in a production run; "
        "None if no scanned temperature has a diffusivity."
    )
    temperatures_K: list[float] = Field(description="Chosen temperatures in K, ascending.")

    @property
    def sentence(self) -> str:
        """What the scan found, as a sentence."""
        low, high = self.points[0].temperature_K, self.points[-1].temperature_K
        rests = (
            f"The framework rests from {low:g} to {high:g} K"
            if self.softening_K is None
            else f"The framework softens at about {self.softening_K:.0f} K"
        )
        moves = (
            "no diffusion was found"
            if self.mobile_K is None
            else f"diffusion can be measured above about {self.mobile_K:.0f} K"
        )
        return f"{rests}; {moves}.{self._failures}"

    @property
    def failed(self) -> list[ScanPoint]:
        """Failed runs, which count as softened."""
        return [point for point in self.points if point.failure]

    @property
    def _failures(self) -> str:
        if not self.failed:
            return ""
        kelvin = ", ".join(f"{point.temperature_K:.0f}" for point in self.failed)
        return f" Runs that failed count as softened: {kelvin} K ({self.failed[0].failure})."


def choose_temperatures(
    points: Sequence[ScanPoint],
    number: int,
    production_ps: float,
    n_mobile: int,
    n_framework: int,
) -> TemperatureChoice:
    """Choose temperatures between the onset of measurable diffusion and softening.

    They extend below the scan if the framework softens within a fifth above its lowest temperature.

    Parameters
    ----------
    points : sequence of ScanPoint
        By ascending temperature.
    number : int
        Number of temperatures, at equal distances in 1/T.
    production_ps : float
        Duration of a production run.
    n_mobile, n_framework : int
        Mobile ions, and atoms of the least numerous species of the framework, in the cell.

    Returns
    -------
    TemperatureChoice

    Raises
    ------
    SimulationError
        If the framework diffuses at all scanned temperatures.

    Notes
    -----
    Atoms of the framework leave their sites at the rate ``k = A exp(-E / kT)``, so a fraction
    ``1 - exp(-k t)`` has left after t. A and E maximize the binomial likelihood of the scan times a
    normal prior of E. The diffusivity is extrapolated by a line of ln D over 1/T with a normal
    prior of its activation energy.
    """
    lowest, highest = points[0].temperature_K, points[-1].temperature_K
    softening = _softening_K(points, production_ps, n_framework)
    if softening < lowest:
        raise SimulationError(
            f"The framework diffuses at all scanned temperatures, from {lowest:g} to {highest:g} "
            "K: this is a liquid. Give the temperatures, or a lower scan.lowest_K."
        )
    mobile = _mobile_K(points, production_ps, n_mobile)
    high = min(softening, highest)
    low = NARROWEST * high if mobile is None else min(mobile, NARROWEST * high)
    low = max(low, min(lowest, NARROWEST * high))
    inverse = np.linspace(1.0 / low, 1.0 / high, number)
    chosen = {STEP_K * math.floor(1.0 / one / STEP_K + 1e-9) for one in inverse}
    return TemperatureChoice(
        points=list(points),
        softening_K=softening if softening < highest else None,
        mobile_K=mobile,
        temperatures_K=sorted(chosen),
    )


def _softening_K(points: Sequence[ScanPoint], production_ps: float, n_framework: int) -> float:
    inverse = 1.0 / (kB * np.array([point.temperature_K for point in points]))
    middle = inverse.mean()
    lags_ps = np.array([point.duration_ps / 2 for point in points])
    moved = np.array([point.moved_fraction for point in points])
    mean, deviation = SOFTENING_PRIOR_EV

    def loss(parameters: np.ndarray) -> float:
        log_rate, energy = parameters
        exponent = np.exp(log_rate - energy * (inverse - middle)) * lags_ps
        stay = -exponent  # ln of the probability to stay
        leave = np.log(-np.expm1(-np.maximum(exponent, 1e-12)))
        likelihood = n_framework * float(np.sum(moved * leave + (1.0 - moved) * stay))
        return -likelihood + (energy - mean) ** 2 / (2.0 * deviation**2)

    start = np.array([-np.log(lags_ps.mean()), mean])
    bounds = [(-40.0, 20.0), (0.1, 6.0)]
    log_rate, energy = minimize(loss, start, bounds=bounds, method="L-BFGS-B").x
    wanted = math.log(-2.0 * math.log1p(-RESTING_FRACTION) / production_ps)
    at = middle + (log_rate - wanted) / energy
    return float(1.0 / (kB * at)) if at > 0.0 else math.inf


def _mobile_K(points: Sequence[ScanPoint], production_ps: float, n_mobile: int) -> float | None:
    known = [point for point in points if point.diffusivity is not None][:LOWEST_POINTS]
    if not known:
        return None
    inverse = 1.0 / (kB * np.array([point.temperature_K for point in known]))
    logs = [math.log(point.diffusivity.value) for point in known if point.diffusivity]
    errors = [point.diffusivity.relative_error for point in known if point.diffusivity]
    mean, deviation = DIFFUSION_PRIOR_EV
    design = np.array([*([1.0, -x] for x in inverse), [0.0, 1.0]])
    weights = 1.0 / np.array([*errors, deviation])
    right = np.array([*logs, mean])
    (log_prefactor, energy), *_ = np.linalg.lstsq(
        design * weights[:, None], right * weights, rcond=None
    )
    needed = MANY_HOPS * NOMINAL_HOP_A**2 / (6000.0 * production_ps * n_mobile)
    at = (log_prefactor - math.log(needed * A2_PER_FS_TO_CM2_PER_S)) / energy
    return float(1.0 / (kB * at)) if at > 0.0 and energy > 0.0 else None
