"""A figure with its 95 % interval, or a bound of it, and how two of them compare."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy.stats import norm, t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.documents.landscape import Spread
    from vitrion.transport.arrhenius_fit import LinearFit
    from vitrion.transport.result import Estimate

TAIL = 0.975


@dataclass(frozen=True)
class Quantity:
    """A value with its central 95 % interval, or a one-sided 95 % bound.

    Attributes
    ----------
    value : float or None
        The best value; None where there is only a bound.
    low, high : float or None
        Ends of the interval; without a value, ``high`` alone is an upper bound and ``low`` alone a
        lower one.
    error, freedom : float or None
        Standard error and its degrees of freedom, where the interval is Student's.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    freedom: float | None = None

    @classmethod
    def from_estimate(cls, estimate: Estimate) -> Quantity:
        """Take over a transport estimate."""
        return cls(estimate.value, *estimate.interval_95)

    @classmethod
    def from_error(cls, value: float, error: float | None, freedom: float) -> Quantity:
        """Make the interval of a value whose standard error has so many degrees of freedom."""
        if error is None or freedom <= 0:
            return cls(value)
        half = _quantile(freedom) * error
        return cls(value, value - half, value + half, error, freedom)

    @classmethod
    def from_spread(cls, spread: Spread) -> Quantity:
        """Take over a mean over replicas."""
        return cls.from_error(spread.mean, spread.error, len(spread.values) - 1)

    @classmethod
    def barrier_of(cls, fit: LinearFit) -> Quantity:
        """Take over the activation energy of an Arrhenius fit, in eV."""
        return cls.from_error(
            fit.activation_energy_eV, fit.activation_energy_error_eV, fit.degrees_of_freedom
        )

    def within(self, lowest: float, highest: float) -> Quantity:
        """Cut the interval where the figure cannot lie, as an overlap cannot below zero."""
        low = None if self.low is None else max(self.low, lowest)
        high = None if self.high is None else min(self.high, highest)
        return replace(self, low=low, high=high)

    @property
    def text(self) -> str:
        """The figure as a reader wants it: ``0.18 (0.11 to 0.30)``, ``below 0.0002``."""
        if self.value is None:
            bound, word = (self.high, "below") if self.high is not None else (self.low, "above")
            return "" if bound is None else f"{word} {number(bound)}"
        if self.low is None or self.high is None:
            return number(self.value)
        return f"{number(self.value)} ({number(self.low)} to {number(self.high)})"


def number(value: float) -> str:
    """Write a number with as many digits as a reader can use."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e4:
        digits = max(0, 1 - math.floor(math.log10(abs(value))))
        if abs(value) >= 100:
            value = float(f"{value:.3g}")
        return f"{value:.{min(max(digits, 2 if abs(value) < 10 else 0), 4)}f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def mean_of(values: Sequence[float]) -> Quantity | None:
    """Return the mean over replicas with the interval of their scatter; None of no replica."""
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Quantity(mean)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return Quantity.from_error(mean, math.sqrt(variance / len(values)), len(values) - 1)


def ratio_of(
    first: Estimate | None,
    second: Estimate | None,
    first_bound: float | None = None,
    second_bound: float | None = None,
) -> Quantity | None:
    """Return the second over the first.

    Two estimates: see :meth:`vitrion.transport.result.Estimate.over`. An estimate against an upper
    bound gives a bound of the ratio: from the 95 % bound and the 95 % one-sided limit of the
    estimate, so that it holds with 90 % at least (Bonferroni). Two bounds say nothing.

    Parameters
    ----------
    first, second : Estimate, optional
    first_bound, second_bound : float, optional
        One-sided 95 % upper bounds, where there is no estimate.
    """
    if first is not None and second is not None:
        return Quantity.from_estimate(second.over(first))
    if second is not None and first_bound:
        lower = second.interval(0.90)[0]
        return Quantity(low=lower / first_bound)
    if first is not None and second_bound is not None:
        lower = first.interval(0.90)[0]
        return Quantity(high=second_bound / lower) if lower > 0 else None
    return None


def difference_of(first: Quantity | None, second: Quantity | None) -> Quantity | None:
    """Return the second less the first; None where one of them is missing or a bound.

    A figure without an error, such as that of one crystal, is taken as exact.
    """
    if first is None or second is None or first.value is None or second.value is None:
        return None
    parts = [(q.error, q.freedom) for q in (first, second) if q.error and q.freedom]
    value = second.value - first.value
    return Quantity.from_error(value, *_joint(*parts)) if parts else Quantity(value)


def _joint(*parts: tuple[float, float]) -> tuple[float, float]:
    """Return error and degrees of freedom of a sum (Welch and Satterthwaite)."""
    variance = math.fsum(error**2 for error, _ in parts)
    scatter = math.fsum(error**4 / freedom for error, freedom in parts)
    return math.sqrt(variance), variance**2 / scatter if scatter else math.inf


def _quantile(freedom: float) -> float:
    return float(norm.ppf(TAIL) if math.isinf(freedom) else t.ppf(TAIL, freedom))
