"""Whether the motion is diffusive, and from which lag on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.transport.result import Estimate, Regime

if TYPE_CHECKING:
    from vitrion.transport.msd import MeanSquares

WINDOW = 3
"""An exponent compares the growth of the MSD over two lag windows, each this factor wide."""

TOLERANCE = 0.05
"""Departure from one that is allowed on top of two standard errors."""

MAX_EXPONENT_ERROR = 0.25
"""Exponents less certain than this are not judged."""

MIN_WINDOWS = 3
MIN_HOPS = 10
"""Hops below which a bound says more than a value."""


def local_exponents(squares: MeanSquares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lags, exponents d ln MSD / d ln t and their standard errors over the ions.

    The exponent is taken from how the MSD grows, ``1 + ln[(m(9t) - m(3t)) / 3 (m(3t) - m(t))] /
    ln 3``: the same as the log-log slope for any power law, but blind to the constant that
    vibration adds, which would make a slow solid look subdiffusive long after it is diffusive.

    Returns
    -------
    lags : ndarray, shape (n_windows,)
        First lag t of each window in frames.
    exponents, errors : ndarray, shape (n_windows,)
        Errors by the delta method over ions, which are independent while time windows are not;
        NaN and infinity where the MSD does not grow.
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
    grows = (mean_early > 0.0) & (mean_late > 0.0)
    return (
        lags[first],
        np.where(grows, exponents, np.nan),
        np.where(grows, errors, np.inf),
    )


def find_regime(
    squares: MeanSquares, interval_fs: float, diffusivity: Estimate, n_hops: int
) -> Regime:
    """Decide whether the motion is diffusive.

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
        Hops seen.
    """
    lags, exponents, errors = local_exponents(squares)
    ps = interval_fs / 1000.0
    judged = np.flatnonzero(errors <= MAX_EXPONENT_ERROR)
    table = {
        "lags_ps": lags * WINDOW * ps,
        "exponents": exponents,
        "exponent_errors": errors,
    }
    if not len(judged):
        return Regime(
            diffusive=False,
            reason="Not diffusive: the MSD does not grow beyond its error.",
            exponent=float(exponents[-1]) if len(exponents) else float("nan"),
            exponent_error=float(errors[-1]) if len(errors) else float("nan"),
            **table,
        )
    last = judged[-1]
    fine = np.abs(exponents - 1.0) <= TOLERANCE + 2.0 * errors
    first = last + 1
    while first > 0 and fine[first - 1]:
        first -= 1
    verdict = {
        "exponent": float(exponents[last]),
        "exponent_error": float(errors[last]),
        "end_ps": float(lags[last] * WINDOW**2 * ps),
        **table,
    }
    reason = _objection(last - first + 1, exponents[last], errors[last], diffusivity, n_hops)
    if reason:
        return Regime(diffusive=False, reason=f"Not diffusive: {reason}", **verdict)
    start = float(lags[first] * ps)
    return Regime(
        diffusive=True,
        reason=f"Diffusive from {start:.3g} ps on: the slope of ln MSD is "
        f"{exponents[last]:.2f} +- {errors[last]:.2f}.",
        start_ps=start,
        **verdict,
    )


def _objection(
    n_windows: int, exponent: float, error: float, diffusivity: Estimate, n_hops: int
) -> str | None:
    if n_hops == 0:
        return "no ion left its site."
    if n_hops < MIN_HOPS:
        return f"{n_hops} hops are too few for a value."
    if n_windows < MIN_WINDOWS:
        return (
            f"the slope of ln MSD at the longest lags is {exponent:.2f} +- {error:.2f}, not 1 over "
            "a range of lags."
        )
    if not diffusivity.value > 0.0:
        return "the MSD does not grow at the longest lags."
    return None
