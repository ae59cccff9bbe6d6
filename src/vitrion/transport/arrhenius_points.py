"""Values of ln D against temperature: the data of an Arrhenius fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from vitrion.transport.constants import KB_EV_PER_K
from vitrion.transport.schema import Model
from vitrion.uncertainty import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMON_CORRELATION = 0.75
"""Correlation of the common errors at two temperatures: 0.7 to 0.85 in networks, because the law of
slowing is found from all temperatures together."""


class ArrheniusPoint(Model):
    """A diffusivity or its upper bound at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    diffusivity: Estimate | None = Field(None, description="Diffusivity in cm2/s.")
    of_systems: dict[str, Estimate] = Field(
        default_factory=dict,
        description="Diffusivity in cm2/s of each system, such as a glass, if the systems differ.",
    )
    common_error: float = Field(
        0.0, description="Standard error of ln D that all systems share; see `finite_time`."
    )
    bound_cm2_s: float | None = Field(
        None, description="One-sided 95 % upper bound in cm2/s; None if there is a value."
    )
    n_hops: int | None = Field(
        None,
        description="Hops of the run that were not reversed, if few enough to count them; None "
        "if only the bound is known.",
    )
    per_hop_cm2_s: float | None = Field(
        None, description="Diffusivity in cm2/s that corresponds to one such hop in the run."
    )
    excluded: str | None = Field(
        None, description="Reason of exclusion from the fit; None if used."
    )

    @property
    def log_value(self) -> float:
        """Center of ln D, corrected for small-sample bias."""
        assert self.diffusivity is not None
        return log_value(self.diffusivity)


class Cells(NamedTuple):
    """Values of ln D, one of each system and temperature.

    Attributes
    ----------
    design : ndarray, shape (n, 2)
        Their rows, see `line_rows`.
    values, own_errors : ndarray, shape (n,)
        ln D, and the standard error of each that no other value has.
    common : ndarray, shape (n, n)
        Covariance of the errors that the systems share.
    systems : ndarray of int, shape (n,)
    temperatures_K : ndarray, shape (n,)
    """

    design: np.ndarray
    values: np.ndarray
    own_errors: np.ndarray
    common: np.ndarray
    systems: np.ndarray
    temperatures_K: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the errors, shape (n, n)."""
        return np.diag(self.own_errors**2) + self.common


def log_value(value: Estimate) -> float:
    """Return the center of ln D, corrected for small-sample bias."""
    return math.log(value.value) + value.log_shift


def line_rows(temperatures_K: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the rows ``(1, -1/kT)`` of temperatures, whose product with (ln D0, Ea) is ln D."""
    inverse = 1.0 / (KB_EV_PER_K * np.array(temperatures_K))
    return np.column_stack([np.ones(len(inverse)), -inverse])


def weighted_inverse(design: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the operator (p, n) of weighted least squares from n values to p parameters."""
    weights = errors**-2
    return np.linalg.solve(design.T * weights @ design, design.T * weights)


def systems_differ(points: Sequence[ArrheniusPoint]) -> bool:
    """Return whether the points have values of several systems, such as glasses."""
    found = [set(point.of_systems) for point in points]
    return all(found) and len(set.union(*found)) > 1


def cells(points: Sequence[ArrheniusPoint]) -> Cells:
    """Return the value of each system and temperature."""
    found = [(p, int(of), one) for p in points for of, one in p.of_systems.items()]
    at, systems, values = zip(*found, strict=True)
    y, errors = np.array([(log_value(value), value.relative_error) for value in values]).T
    temperatures = np.array([point.temperature_K for point in at])
    common = np.array([point.common_error for point in at])
    alike = np.where(np.equal.outer(temperatures, temperatures), 1.0, COMMON_CORRELATION)
    return Cells(
        line_rows(temperatures),
        y,
        errors,
        np.outer(common, common) * alike,
        np.array(systems),
        temperatures,
    )
