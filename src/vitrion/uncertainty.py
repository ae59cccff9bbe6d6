"""Uncertain values: estimates, intervals, one-sided bounds, differences and ratios.

All intervals, bounds and tests of the package use this module. Three classes of uncertain values
share ``value``, ``low``, ``high`` and ``text``:

- :class:`Estimate`, a positive quantity whose logarithm has a standard error;
- :class:`LinearEstimate`, a quantity of any sign with a standard error;
- :class:`Bound`, a one-sided limit without a value.

Standard errors are estimates too, so intervals use Student's t distribution. The degrees of freedom
of differences, ratios, means and fits follow from the degrees of freedom of their parts by the rule
of Welch and Satterthwaite (Biometrics Bulletin 2, 110, 1946).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import chi2, norm, t

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

Interval: TypeAlias = tuple[float, float]
Direction = Literal["lower", "higher"]
Verdict = Literal["supported", "contradicted", "undecided"]

MAX_EXPONENT = 300.0
"""Limit of the exponent of an interval's end, beyond which the quantity is unknown."""

MAX_DECIMALS = 6
"""Decimals of a value with a narrow interval; with more, the interval does not matter."""


class _Model(BaseModel):
    """Base class: immutable, without unknown fields, infinity in JSON."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", frozen=True)


class _WithInterval(_Model):
    """Base class of a value with an optional interval."""

    value: float = Field(description="Best value, in the unit of the field.")

    @abstractmethod
    def interval(self, level: float = 0.95) -> Interval | None:
        """Return the central interval that holds the truth with probability `level`."""

    @property
    def interval_68(self) -> Interval | None:
        """Central 68 % interval."""
        return self.interval(0.68)

    @property
    def interval_95(self) -> Interval | None:
        """Central 95 % interval."""
        return self.interval(0.95)

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval."""
        interval = self.interval_95
        return None if interval is None else interval[0]

    @property
    def high(self) -> float | None:
        """Upper end of the 95 % interval."""
        interval = self.interval_95
        return None if interval is None else interval[1]

    @property
    def text(self) -> str:
        """Value and 95 % interval: ``0.18 (0.11 to 0.30)``; the value alone without an error."""
        if self.interval_95 is None:
            return number(self.value)
        return interval_text(self.value, self.interval_95)

    def __str__(self) -> str:
        """Return the text."""
        return self.text


class Estimate(_WithInterval):
    """A positive quantity with its uncertainty, in the unit that its field states.

    Intervals assume that ``ln(value)`` follows Student's t distribution with `degrees_of_freedom`;
    they are positive.
    """

    relative_error: float = Field(description="Standard error of ln(value), dimensionless.")
    degrees_of_freedom: float = Field(
        description="Degrees of freedom of the standard error; infinite if it is exact."
    )
    log_shift: float = Field(
        0.0, description="Center of the intervals of ln(value), minus ln(value): small-sample bias."
    )

    def interval(self, level: float = 0.95) -> Interval:
        """Return the central interval that holds the truth with probability `level`."""
        quantile = self.quantile(0.5 + level / 2)
        return self._at(-quantile), self._at(quantile)

    def upper_bound(self, level: float = 0.95) -> float:
        """Return the upper bound of the true value with probability `level`."""
        return self._at(self.quantile(level))

    def lower_bound(self, level: float = 0.95) -> float:
        """Return the lower bound of the true value with probability `level`."""
        return self._at(-self.quantile(level))

    @property
    def interval_68(self) -> Interval:
        """Central 68 % interval."""
        return self.interval(0.68)

    @property
    def interval_95(self) -> Interval:
        """Central 95 % interval."""
        return self.interval(0.95)

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate of this quantity times an exactly known positive factor."""
        return self.model_copy(update={"value": self.value * factor})

    def widened(self, error: float) -> Estimate:
        """Return the estimate with another, exactly known standard error of its logarithm."""
        one = Estimate(value=1.0, relative_error=error, degrees_of_freedom=math.inf)
        return self.over(one)

    def over(self, other: Estimate) -> Estimate:
        """Return this quantity divided by an independent one.

        The errors of the logarithms add in quadrature, with the degrees of freedom of
        :func:`welch_satterthwaite`.
        """
        variances = (self.relative_error**2, other.relative_error**2)
        freedoms = (self.degrees_of_freedom, other.degrees_of_freedom)
        return Estimate(
            value=self.value / other.value,
            relative_error=math.sqrt(sum(variances)),
            degrees_of_freedom=welch_satterthwaite(variances, freedoms),
            log_shift=self.log_shift - other.log_shift,
        )

    def quantile(self, probability: float) -> float:
        """Return the quantile of the intervals' distribution in units of the standard error."""
        return student_quantile(probability, self.degrees_of_freedom)

    def _at(self, quantile: float) -> float:
        exponent = self.log_shift + quantile * self.relative_error
        return self.value * math.exp(min(max(exponent, -MAX_EXPONENT), MAX_EXPONENT))


class LinearEstimate(_WithInterval):
    """A quantity of any sign with its standard error, such as an energy.

    The interval is limited to `lowest` and `highest`, the limits of the quantity.
    """

    error: float | None = Field(
        None, description="Standard error; 0 if the value is exact, None if it is unknown."
    )
    degrees_of_freedom: float = Field(
        math.inf, description="Degrees of freedom of the standard error."
    )
    lowest: float = Field(-math.inf, description="Minimum possible value.")
    highest: float = Field(math.inf, description="Maximum possible value.")

    def interval(self, level: float = 0.95) -> Interval | None:
        """Return the central interval of probability `level`; None without a standard error."""
        if not self.error or self.degrees_of_freedom <= 0:
            return None
        half = student_quantile(0.5 + level / 2, self.degrees_of_freedom) * self.error
        return max(self.value - half, self.lowest), min(self.value + half, self.highest)

    @property
    def or_exact(self) -> LinearEstimate:
        """The estimate, exact if its error is unknown, as for a single crystal."""
        return self if self.error is not None else self.model_copy(update={"error": 0.0})

    def within(self, lowest: float, highest: float) -> LinearEstimate:
        """Return the estimate with limits, such as 0 and 1 for a fraction."""
        return self.model_copy(update={"lowest": lowest, "highest": highest})

    def minus(self, other: LinearEstimate) -> LinearEstimate:
        """Return this quantity minus an independent one.

        The errors add in quadrature, with the degrees of freedom of :func:`welch_satterthwaite`.
        If one error is unknown, the error of the difference is unknown.
        """
        value = self.value - other.value
        if self.error is None or other.error is None:
            return LinearEstimate(value=value)
        return LinearEstimate(
            value=value,
            error=math.hypot(self.error, other.error),
            degrees_of_freedom=welch_satterthwaite(
                (self.error**2, other.error**2),
                (self.degrees_of_freedom, other.degrees_of_freedom),
            ),
        )


class Bound(_Model):
    """A one-sided limit of a quantity."""

    limit: float = Field(description="Upper or lower limit of the quantity.")
    side: Literal["upper", "lower"] = Field(
        "upper", description="Whether the limit is an upper or a lower limit."
    )
    level: float = Field(0.95, description="Minimum probability with which the limit holds.")

    @property
    def value(self) -> None:
        """None: only the limit is known."""
        return

    @property
    def low(self) -> float | None:
        """The limit of a lower bound."""
        return self.limit if self.side == "lower" else None

    @property
    def high(self) -> float | None:
        """The limit of an upper bound."""
        return self.limit if self.side == "upper" else None

    @property
    def text(self) -> str:
        """The limit with its direction: ``below 2.0e-4``, ``above 50``."""
        return f"{'below' if self.side == 'upper' else 'above'} {number(self.limit)}"

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def upper_bound(limit: float | None) -> Bound | None:
    """Return an upper 95 % bound; None for None."""
    return None if limit is None else Bound(limit=limit)


Uncertain: TypeAlias = Estimate | LinearEstimate | Bound


class ReplicaMean(_Model):
    """A quantity of each replica, and their mean."""

    values: list[float] = Field(description="Value of each replica.")
    mean: float = Field(description="Mean over replicas.")
    error: float | None = Field(None, description="Standard error; None for one replica.")

    @classmethod
    def of(cls, values: Sequence[float]) -> ReplicaMean:
        """Return the mean over independent replicas with the standard error of their scatter.

        Raises
        ------
        InputError
            If there are no replicas.
        """
        if not len(values):
            raise InputError("A mean needs at least one replica.")
        found = np.asarray(values, dtype=float)
        error = float(found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else None
        return cls(values=found.tolist(), mean=float(found.mean()), error=error)

    @property
    def estimate(self) -> LinearEstimate:
        """The mean as an estimate, with one degree of freedom less than replicas."""
        free = len(self.values) - 1
        return LinearEstimate(
            value=self.mean, error=self.error, degrees_of_freedom=free if free else math.inf
        )


def student_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Return the quantile of Student's t distribution (normal for infinite degrees of freedom)."""
    if math.isinf(degrees_of_freedom):
        return float(norm.ppf(probability))
    return float(t.ppf(probability, degrees_of_freedom))


def student_tail(score: float, degrees_of_freedom: float) -> float:
    """Return the probability that Student's t exceeds a score: the one-sided p value."""
    if math.isinf(degrees_of_freedom):
        return float(norm.sf(score))
    return float(t.sf(score, degrees_of_freedom))


def welch_satterthwaite(variances: ArrayLike, degrees_of_freedom: ArrayLike) -> float:
    """Return the effective degrees of freedom of a sum of independent terms.

    ``(sum_k v_k)^2 / sum_k (v_k^2 / f_k)``, Welch and Satterthwaite: F. E. Satterthwaite,
    Biometrics Bulletin 2, 110 (1946).

    Parameters
    ----------
    variances : (n,) array
        Variance that each term contributes to the sum, including its squared coefficient.
    degrees_of_freedom : (n,) array
        Degrees of freedom of each variance; infinite if it is exact.

    Returns
    -------
    float
        Infinite if all variances are exact or zero.
    """
    parts = np.asarray(variances, dtype=float)
    freedoms = np.asarray(degrees_of_freedom, dtype=float)
    scatter = float(np.sum(parts[parts > 0.0] ** 2 / freedoms[parts > 0.0]))
    return float(parts.sum() ** 2 / scatter) if scatter > 0.0 else math.inf


def ratio(numerator: Uncertain | None, denominator: Uncertain | None) -> Estimate | Bound | None:
    """Return the ratio of two independent positive quantities.

    Two estimates: see :meth:`Estimate.over`. An estimate and an upper bound give a bound of the
    ratio, from the 95 % bound and the one-sided 95 % limit of the estimate, so it holds with a
    probability of at least 90 % (Bonferroni). Two upper bounds give no bound of the ratio.

    Parameters
    ----------
    numerator, denominator : Estimate or Bound
        None if the quantity is unknown.

    Returns
    -------
    Estimate, Bound or None
        None if neither a value nor a bound follows.
    """
    if isinstance(numerator, Estimate) and isinstance(denominator, Estimate):
        return numerator.over(denominator)
    if isinstance(numerator, Estimate) and isinstance(denominator, Bound) and denominator.high:
        limit = numerator.lower_bound() / denominator.high
        return Bound(limit=limit, side="lower", level=0.90)
    if isinstance(denominator, Estimate) and isinstance(numerator, Bound) and numerator.high:
        lower = denominator.lower_bound()
        return Bound(limit=numerator.high / lower, level=0.90) if lower > 0.0 else None
    return None


def difference(first: Uncertain | None, second: Uncertain | None) -> LinearEstimate | None:
    """Return the first quantity minus the second; None unless both have a value and an error."""
    if isinstance(first, LinearEstimate) and isinstance(second, LinearEstimate):
        return first.minus(second)
    return None


def p_value(change: LinearEstimate, claim: Direction) -> float | None:
    """Return the one-sided p value against a claim on the sign of a difference.

    Parameters
    ----------
    change : LinearEstimate
        The difference.
    claim : {"lower", "higher"}
        Claimed sign: ``lower`` for a negative difference.

    Returns
    -------
    float or None
        Small if the claim is supported; None if the error of the difference is unknown.
    """
    if change.error is None:
        return None
    signed = change.value if claim == "higher" else -change.value
    if change.error == 0.0:
        return 0.5 if signed == 0.0 else float(signed < 0.0)
    return student_tail(signed / change.error, change.degrees_of_freedom)


def verdict(probability: float | None, level: float = 0.95) -> Verdict:
    """Return the verdict of a one-sided p value on a claim at a confidence level."""
    if probability is None or 1.0 - level <= probability <= level:
        return "undecided"
    return "supported" if probability < 1.0 - level else "contradicted"


def event_bound(n_events: int, level: float = 0.95) -> float:
    """Return the upper bound of a Poisson mean after `n_events`; 3.0 for none at 95 %."""
    return float(chi2.ppf(level, 2 * (n_events + 1)) / 2)


def interval_text(value: float, interval: Interval) -> str:
    """Return a value with its interval: ``0.18 (0.11 to 0.30)``.

    Further digits are shown if the ends of a narrow interval would look like the value.
    """
    low, high = interval
    texts = [number(one) for one in (value, low, high)]
    if texts[0] in texts[1:] and low < high < math.inf:
        decimals = max(0, 1 - math.floor(math.log10((high - low) / 2)))
        if decimals <= MAX_DECIMALS:
            texts = [f"{one:.{decimals}f}" for one in (value, low, high)]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def number(value: float) -> str:
    """Format a number with about two or three significant digits."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e4:
        digits = max(0, 1 - math.floor(math.log10(abs(value))))
        if abs(value) >= 100:
            value = float(f"{value:.3g}")
        return f"{value:.{min(max(digits, 2 if abs(value) < 10 else 0), 4)}f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
