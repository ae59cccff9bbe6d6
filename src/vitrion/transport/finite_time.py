"""Correct diffusivities for ions that still slow down at the end of finite runs.

In quenched disorder, ions return many times before they diffuse, so finite runs give too high
values. The constants are fitted to walkers in networks of random site energies and barriers, whose
diffusivities are known exactly: ``benchmarks/transport_disorder.py``.
"""

from __future__ import annotations

import math

from vitrion.transport.result import FiniteTime

EARLY = 2.5
"""How much longer D decreases after a run of few hops; see `finite_time`."""

EXPONENT_SPREAD = 0.15
"""Scale of the deviations of exponents of diffusive motion in disorder; smaller ones than their
errors are mostly chance."""

MENTIONED_FACTOR = 0.9
"""Factor of D below which a warning is given."""

HOP_ERROR = 0.2
"""Error of ln D in disorder, times the square root of the number of hops per ion."""


def finite_time(exponent: float, exponent_error: float, hops_per_ion: float) -> FiniteTime:
    """Return the correction of a diffusivity in a disordered solid.

    Parameters
    ----------
    exponent, exponent_error : float
        d ln MSD / d ln t at the longest lags of the run, and its standard error.
    hops_per_ion : float
        Mean number of hops of an ion in the run, returns included.

    Notes
    -----
    An exponent ``1 + d`` at the longest lags means that D decreases by ``-d`` per unit of ln t.
    With n hops per ion, ln D still decreases by ``-(1 + 2.5 / sqrt(n)) d`` after the run. The part
    of d that is not chance, for a normal prior, is ``d / (1 + (error / spread)^2)``. Half the
    correction is its error. Motion that seems to become faster is not corrected, but has the same
    error.
    """
    remaining = 1.0 + EARLY / math.sqrt(hops_per_ion)
    share = 1.0 / (1.0 + (exponent_error / EXPONENT_SPREAD) ** 2)
    lasting = remaining * share * (exponent - 1.0)
    chance = remaining * math.sqrt(share) * exponent_error
    return FiniteTime(
        log_factor=min(lasting, 0.0),
        error=math.hypot(lasting / 2, chance, HOP_ERROR / math.sqrt(hops_per_ion)),
    )


def slowing(correction: FiniteTime) -> list[str]:
    """Return a warning if the correction is large."""
    if correction.log_factor > math.log(MENTIONED_FACTOR):
        return []
    return [
        "D still decreases at the end of the runs: it was multiplied by "
        f"{math.exp(correction.log_factor):.2f} to correct for this (standard error of the factor "
        f"{correction.error:.0%})."
    ]
