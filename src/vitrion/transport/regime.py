"""Test for diffusive motion, and the first lag of the diffusive regime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.runtime.counts import counted
from vitrion.transport.result import Regime
from vitrion.uncertainty import student_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.transport.msd import MeanSquares
    from vitrion.transport.result import TransportResult
    from vitrion.uncertainty import Estimate

WINDOW = 4
"""Width factor of the two lag windows whose MSD growth an exponent compares: wide windows reduce
the error but require an earlier onset of diffusion."""

TOLERANCE = 0.05
"""Allowed deviation of the exponent from one, in addition to its error."""

SLOWING = 0.35
"""Allowed deviation below one in disordered solids, which all slow down weakly: their values are
corrected (:mod:`vitrion.transport.slowing`)."""

LEVEL = 0.98
"""Probability that an exponent of diffusive motion is within the allowed error. At most about 2 %
of diffusive runs are refused; fewer, because of the additional tolerance."""

BROWNIAN_VARIANCE = 2.2
"""Variance of the logarithm of late over early growth of one Brownian path, divided by the longest
lag as a fraction of the run: 1.8 to 2.2 measured, on 200 times 60 and 90 paths. With few ions an
error estimated from their scatter may be too small, which would refuse diffusive motion."""

MAX_EXPONENT_ERROR = 0.25
"""Maximum error of an exponent for a verdict."""

MAX_RELATIVE_ERROR = 2.0
"""Maximum standard error of ln D of a value; a logarithm is not normal beyond it."""

MIN_WINDOWS = 3
MIN_HOPS = 10
"""Minimum number of hops for a value instead of a bound."""


def local_exponents(squares: MeanSquares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lags, exponents d ln MSD / d ln t and their standard errors over the ions.

    The exponent follows from the growth of the MSD, ``1 + ln[(m(16t) - m(4t)) / 4 (m(4t) - m(t))] /
    ln 4``: it equals the log-log slope for any power law and does not depend on the constant that
    vibration adds, which would make a slow solid appear subdiffusive.

    Returns
    -------
    lags : ndarray, shape (n_windows,)
        First lag t of each window in frames.
    exponents, errors : ndarray, shape (n_windows,)
        Errors by the delta method over ions, which are independent, unlike time windows; at least
        the error of as many Brownian paths. NaN and infinity if the MSD does not grow.
    """
    lags, ions = squares.lags, squares.ions
    middle = np.atleast_1d(np.searchsorted(lags, WINDOW * lags))
    middle = middle[middle < len(lags)]
    last = np.atleast_1d(np.searchsorted(lags, WINDOW * lags[middle]))
    last = last[last < len(lags)]
    first, middle = np.arange(len(last)), middle[: len(last)]
    # Growth per unit of lag in the two windows, for each ion.
    early = (ions[middle] - ions[first]) / (lags[middle] - lags[first])[:, None]
    late = (ions[last] - ions[middle]) / (lags[last] - lags[middle])[:, None]
    mean_early, mean_late = early.mean(axis=1), late.mean(axis=1)
    width = 0.5 * np.log(lags[last] / lags[first])
    n_ions = ions.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = 1.0 + np.log(mean_late / mean_early) / width
        spread = late / mean_late[:, None] - early / mean_early[:, None]
        deviation = spread.std(axis=1, ddof=1) if n_ions > 1 else np.full(len(first), np.inf)
        errors = deviation / np.sqrt(n_ions) / width
    part = lags[last] / (2.0 * lags[-1])  # the lags reach to half the run
    errors = np.maximum(errors, np.sqrt(BROWNIAN_VARIANCE * part / (3 * n_ions)) / width)
    grows = (mean_early > 0.0) & (mean_late > 0.0)
    return (
        lags[first],
        np.where(grows, exponents, np.nan),
        np.where(grows, errors, np.inf),
    )


def find_regime(
    squares: MeanSquares, interval_fs: float, diffusivity: Estimate, n_hops: int
) -> Regime:
    """Test whether the motion is diffusive.

    Diffusive means that the local log-log slope of the MSD is one within its error over a range of
    lags that reaches to the longest lags at which it is known, and that D itself is known.

    Parameters
    ----------
    squares : MeanSquares
        Mean square displacements.
    interval_fs : float
        Time between frames.
    diffusivity : Estimate
        Self-diffusivity as estimated, in any unit.
    n_hops : int
        Number of hops.
    """
    lags, exponents, errors = local_exponents(squares)
    centers_ps = lags * WINDOW * interval_fs / 1000.0
    n_ions = squares.ions.shape[1]
    grows = is_known(diffusivity)
    return _judge(centers_ps, exponents, errors, n_ions - 1, n_hops, grows, TOLERANCE)


def is_known(diffusivity: Estimate) -> bool:
    """Return whether an estimated diffusivity is a value, and not noise about zero."""
    return diffusivity.value > 0.0 and diffusivity.relative_error <= MAX_RELATIVE_ERROR


def joint_regime(results: Sequence[TransportResult], *, disordered: bool = False) -> Regime:
    """Test whether replicas are diffusive, using the ions of all replicas.

    The exponents of each window are averaged with weights by their errors, which is more certain
    than a verdict on each replica.

    Parameters
    ----------
    results : sequence of TransportResult
        Independent runs at one temperature; long windows use only the runs that reach them.
    disordered : bool
        Whether the runs are of a disordered solid, such as a glass.
    """
    lags = np.array(max((result.regime.lags_ps for result in results), key=len))
    values, weights = np.zeros(len(lags)), np.zeros(len(lags))
    for regime in (result.regime for result in results if len(lags) and result.regime.lags_ps):
        own = np.array(regime.lags_ps)
        at = np.log(lags), np.log(own)
        exponents = np.interp(*at, regime.exponents, left=np.nan, right=np.nan)
        errors = np.interp(*at, regime.exponent_errors, left=np.inf, right=np.inf)
        known = np.isfinite(exponents) & np.isfinite(errors)
        weight = np.where(known, 1.0 / errors**2, 0.0)
        values += weight * np.where(known, exponents, 0.0)
        weights += weight
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents, errors = values / weights, 1.0 / np.sqrt(weights)
    regime = _judge(
        lags,
        exponents,
        errors,
        sum(result.n_mobile - 1 for result in results),
        sum(result.hops.n_hops for result in results),
        any(result.apparent_diffusivity_cm2_s > 0.0 for result in results),
        SLOWING if disordered else TOLERANCE,
    )
    valued = sum(result.diffusive or result.provisional is not None for result in results)
    if not regime.diffusive or 2 * valued >= len(results):
        return regime
    return refused(regime, f"only {valued} of {len(results)} replicas gave a value.")


def refused(regime: Regime, objection: str) -> Regime:
    """Return a verdict against diffusive motion, for another reason than the exponents."""
    update = {"diffusive": False, "reason": f"Not diffusive: {objection}", "start_ps": None}
    return regime.model_copy(update=update)


def _judge(
    centers_ps: np.ndarray,
    exponents: np.ndarray,
    errors: np.ndarray,
    degrees_of_freedom: int,
    n_hops: int,
    grows: bool,
    slowing: float,
) -> Regime:
    """Return the verdict on exponents in windows centered at these lags.

    They may lie below one by `slowing`, and above it by the tolerance, in addition to their errors.
    """
    judged = np.flatnonzero(errors <= MAX_EXPONENT_ERROR)
    table = {"lags_ps": centers_ps, "exponents": exponents, "exponent_errors": errors}
    if not len(judged):
        return Regime(
            diffusive=False,
            reason="Not diffusive: the MSD does not grow beyond its error.",
            exponent=float(exponents[-1]) if len(exponents) else float("nan"),
            exponent_error=float(errors[-1]) if len(errors) else float("nan"),
            **table,
        )
    last = judged[-1]
    quantile = student_quantile(0.5 + LEVEL / 2, max(degrees_of_freedom, 1))
    deviations, chance = exponents - 1.0, quantile * errors
    fine = (deviations <= TOLERANCE + chance) & (deviations >= -slowing - chance)
    first = last + 1
    while first > 0 and fine[first - 1]:
        first -= 1
    verdict = {
        "exponent": float(exponents[last]),
        "exponent_error": float(errors[last]),
        "end_ps": float(centers_ps[last] * WINDOW),
        **table,
    }
    reason = _objection(last - first + 1, exponents[last], errors[last], grows, n_hops)
    if reason:
        return Regime(diffusive=False, reason=f"Not diffusive: {reason}", **verdict)
    start = float(centers_ps[first] / WINDOW)
    return Regime(
        diffusive=True,
        reason=f"Diffusive from {start:.3g} ps on: the slope of ln MSD is "
        f"{exponents[last]:.2f} +- {errors[last]:.2f}.",
        start_ps=start,
        **verdict,
    )


def _objection(
    n_windows: int, exponent: float, error: float, grows: bool, n_hops: int
) -> str | None:
    if n_hops == 0:
        return "no ion left its site."
    if n_hops < MIN_HOPS:
        return f"{counted(n_hops, 'hop is', 'hops are')} too few for a value."
    if n_windows < MIN_WINDOWS:
        return (
            f"the slope of ln MSD at the longest lags is {exponent:.2f} +- {error:.2f}, not 1 over "
            "a range of lags."
        )
    if not grows:
        return "the MSD does not grow beyond its error at the longest lags."
    return None
