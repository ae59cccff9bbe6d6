"""Arrhenius line of a material whose systems differ, such as independent glasses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri

from vitrion.transport.combined_estimates import matched_t

if TYPE_CHECKING:
    from vitrion.transport.arrhenius_points import Cells

LEVEL_SPREAD = 0.7
"""Scale of the prior of the spread of ln D between systems."""

ENERGY_SPREAD_EV = 0.04
"""Scale of the prior of the spread of the activation energy between systems."""

POINT_SPREAD = 0.3
"""Scale of the prior of the scatter of ln D beyond its error, by system and temperature."""


class LineOverSystems(NamedTuple):
    """Mean line of systems.

    Attributes
    ----------
    parameters : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        Squared scale of Student's t distribution of the parameters.
    degrees_of_freedom : float
    weight_products : ndarray, shape (n, n)
        Mean products of the weights of the values in the value at the target.
    """

    parameters: np.ndarray
    covariance: np.ndarray
    degrees_of_freedom: float
    weight_products: np.ndarray


def line_over_systems(design: np.ndarray, data: Cells, target: np.ndarray) -> LineOverSystems:
    """Fit the mean line of systems, each of which has a line of its own.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Rows ``(1, -1/kT, ...)`` of the values of ln D.
    data : Cells
        The values, their errors, and their systems.
    target : ndarray, shape (p,)
        Row at which the fitted value has exact quantiles, such as the row of 300 K.

    Notes
    -----
    ``y = x . beta + a_s + b_s (x_1 - mean) + c + e``: the level ``a_s`` and the energy ``b_s`` of a
    system are common to all its temperatures, ``c`` is not, and ``e`` is the error, of known
    covariance. The spreads of a, b and c have half-normal priors and are integrated on a grid of
    their quantiles; beta has a flat prior. Few systems leave the spreads to the priors, whose tails
    matter: with half-Cauchy ones, three at once, intervals of two systems would be far too wide.
    """
    y, errors = data.values, data.covariance
    offset = design[:, 1] - np.average(design[:, 1], weights=1.0 / np.diag(errors))
    same = np.equal.outer(data.systems, data.systems)
    levels, energies = _spreads(LEVEL_SPREAD, 8), _spreads(ENERGY_SPREAD_EV, 6)
    shared = np.array(
        [same * (a**2 + b**2 * np.outer(offset, offset)) for a in levels for b in energies]
    )
    parts = [
        _given_spreads(design, y, shared + errors + c**2 * np.eye(len(y)))
        for c in _spreads(POINT_SPREAD, 6)
    ]
    logs, operators, covariances = (np.concatenate(part) for part in zip(*parts, strict=True))
    posterior = np.exp(logs - logs.max())
    posterior /= posterior.sum()
    means = operators @ y
    center = posterior @ means
    apart = means - center
    covariance = np.tensordot(posterior, covariances, 1) + (posterior * apart.T) @ apart
    at_means = np.sqrt(covariances @ target @ target)
    at_target = matched_t(float(target @ center), means @ target, at_means, posterior)
    scale = at_target.relative_error**2 / (target @ covariance @ target)
    weights = target @ operators
    products = (posterior * weights.T) @ weights
    return LineOverSystems(center, scale * covariance, at_target.degrees_of_freedom, products)


def _spreads(scale: float, number: int) -> np.ndarray:
    """Return equally probable spreads of a half-normal prior."""
    return scale * ndtri(0.5 + (np.arange(number) + 0.5) / (2 * number))


def _given_spreads(
    design: np.ndarray, y: np.ndarray, covariances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log evidence, the operators (m, p, n) from y to the parameters, and the covariances.

    The covariances of y are of shape (m, n, n), those of the parameters (m, p, p).
    """
    inverse = np.linalg.inv(covariances)
    precision = design.T @ inverse @ design
    covariance = np.linalg.inv(precision)
    operators = covariance @ (design.T @ inverse)
    residuals = y - operators @ y @ design.T
    chi_square = np.sum(residuals * (inverse @ residuals[..., None])[..., 0], axis=1)
    determinants = np.linalg.slogdet(inverse)[1] - np.linalg.slogdet(precision)[1]
    return 0.5 * (determinants - chi_square), operators, covariance
