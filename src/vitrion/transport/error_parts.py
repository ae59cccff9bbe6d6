"""What the error of an extrapolation consists of, and how each part decreases with more runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vitrion.transport.arrhenius_points import (
    cells,
    line_rows,
    systems_differ,
    weighted_inverse,
)
from vitrion.transport.line_over_systems import line_over_systems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.transport.arrhenius_points import ArrheniusPoint


class ErrorParts(NamedTuple):
    """Parts of the variance of ln D extrapolated to one temperature.

    Attributes
    ----------
    own : ndarray, shape (n,)
        From the errors of the runs at each temperature: they decrease with time and with systems.
    between : float
        From the spread of the systems, which decreases with their number alone.
    common : ndarray, shape (n, n)
        From the errors that all systems share, by temperatures: they decrease with time alone.
    """

    own: np.ndarray
    between: float
    common: np.ndarray

    def variance(
        self,
        times: np.ndarray | float = 1.0,
        systems: float = 1.0,
        shared: np.ndarray | float = 1.0,
    ) -> float:
        """Return the variance of ln D after longer runs or with more systems.

        The weights of the values in the line are kept: better ones reduce it further.

        Parameters
        ----------
        times : ndarray, shape (n,), or float
            Length of the runs at each temperature over the present length.
        systems : float
            Number of systems over the present number.
        shared : ndarray, shape (n,), or float
            Shared errors over the present ones.
        """
        factors = np.broadcast_to(shared, self.own.shape)
        common = factors @ self.common @ factors
        return float((np.sum(self.own / times) + self.between) / systems + common)


def error_parts(points: Sequence[ArrheniusPoint], temperature_K: float) -> ErrorParts:
    """Return the parts of the variance of ln D at a temperature.

    Parameters
    ----------
    points : sequence of ArrheniusPoint
        Points of a fit that have a value.
    temperature_K : float
        Temperature that the line is evaluated at.
    """
    target = line_rows([temperature_K])[0]
    if systems_differ(points):
        return _of_systems(points, target)
    errors = np.array([point.diffusivity.relative_error for point in points if point.diffusivity])
    shared = np.array([point.common_error for point in points])
    design = line_rows([point.temperature_K for point in points])
    weights = target @ weighted_inverse(design, errors)
    common = np.diag((weights * shared) ** 2)
    return ErrorParts(weights**2 * (errors**2 - shared**2), 0.0, common)


def _of_systems(points: Sequence[ArrheniusPoint], target: np.ndarray) -> ErrorParts:
    data = cells(points)
    line = line_over_systems(data.design, data, target)
    temperatures = [point.temperature_K for point in points]
    at = np.equal.outer(temperatures, data.temperatures_K).astype(float)
    own = at @ (np.diag(line.weight_products) * data.own_errors**2)
    common = at @ (line.weight_products * data.common) @ at.T
    between = target @ line.covariance @ target - own.sum() - common.sum()
    return ErrorParts(own, float(between), common)
