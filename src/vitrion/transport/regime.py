"""Whether the motion is diffusive, and from which lag on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.transport.result import Estimate, Regime

if TYPE_CHECKING:
    from vitrion.transport.msd import MeanSquares

WINDOW = 4
"""An exponent is taken between a lag and this many times it."""

TOLERANCE = 0.1
"""Departure from one that is allowed on top of two standard errors."""

MAX_EXPONENT_ERROR = 0.25
"""Exponents less certain than this are not judged."""

MIN_WINDOWS = 3
MAX_RELATIVE_ERROR = 0.6
"""Relative error of D from which on a bound says more than a value."""


def local_exponents(squares: MeanSquares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lags, exponents d ln MSD / d ln t and their standard errors over the ions.

    Returns
    -------
    lags : ndarray, shape (n_windows,)
        First lag of each window in frames; the window ends at the lag nearest to `WINDOW` times it.
    exponents, errors : ndarray, shape (n_windows,)
        By the delta method over ions, which are independent while time windows are not.
    """
    lags, ions = squares.lags, squares.ions
    ends = np.searchsorted(lags, WINDOW * lags)
    starts = np.flatnonzero(ends < len(lags))
    ends = ends[starts]
    mean = squares.mean
    usable = (mean[starts] > 0.0) & (mean[ends] > 0.0)
    starts, ends = starts[usable], ends[usable]
    width = np.log(lags[ends] / lags[starts])
    exponents = np.log(mean[ends] / mean[starts]) / width
    spread = ions[ends] / mean[ends, None] - ions[starts] / mean[starts, None]
    n_ions = ions.shape[1]
    if n_ions > 1:
        errors = spread.std(axis=1, ddof=1) / np.sqrt(n_ions) / width
    else:
        errors = np.full(len(starts), np.nan)
    return lags[starts], exponents, errors


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
        "lags_ps": lags * np.sqrt(WINDOW) * ps,
        "exponents": exponents,
        "exponent_errors": errors,
    }
    if not len(judged):
        return Regime(
            diffusive=False,
            reason="Not diffusive: the run is too short to tell the slope of its MSD.",
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
        "end_ps": float(lags[last] * WINDOW * ps),
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
    if n_windows < MIN_WINDOWS:
        return (
            f"the slope of ln MSD at the longest lags is {exponent:.2f} +- {error:.2f}, not 1 over "
            "a range of lags."
        )
    if diffusivity.relative_error > MAX_RELATIVE_ERROR:
        return f"{n_hops} hops are too few for a value."
    return None
