"""Temperature dependence: activation energy, prefactor and extrapolation, or why not.

``ln D = ln D0 - Ea / kT`` by weighted least squares on ln D, whose errors are closer to
normal than the errors of D. Every point has its own error and degrees of freedom; the degrees of
freedom of the fit follow from the Welch-Satterthwaite rule. If systems differ, such as glasses,
their mean line is fitted to the values of each. A temperature without diffusion enters by the
Poisson likelihood of its few hops; a bound from a slope is only an upper limit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.stats import chi2

from vitrion.errors import InputError
from vitrion.runtime.notebook_display import NotebookFigure
from vitrion.transport.arrhenius_points import (
    ArrheniusPoint,
    cells,
    line_rows,
    systems_differ,
    weighted_inverse,
)
from vitrion.transport.censored import capped, with_hops
from vitrion.transport.constants import NERNST_EINSTEIN, ROOM_K
from vitrion.transport.line_over_systems import line_over_systems
from vitrion.transport.result import TransportResult
from vitrion.transport.same_material import check_different_runs, check_same_material
from vitrion.transport.schema import Model
from vitrion.transport.vtf import VTFComparison, compare_vtf
from vitrion.uncertainty import (
    Bound,
    Estimate,
    Interval,
    LinearEstimate,
    event_bound,
    student_tail,
    upper_bound,
    welch_satterthwaite,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNIFICANCE = 0.01
"""Significance level of the tests for curvature and scatter."""

MAX_SLOPE_EXCESS = 2.0
"""Ratio of the bound of D to the bound from hops, above which other motion than hops exists."""


class LinearFit(Model):
    """Straight line through ln D against 1/kT."""

    log_prefactor: float = Field(description="ln(D0 / (cm2/s)).")
    activation_energy_eV: float = Field(description="Ea in eV.")
    covariance: list[list[float]] = Field(
        description="Covariance of (ln D0, Ea), in 1, eV and eV2."
    )
    degrees_of_freedom: float = Field(description="Degrees of freedom of Ea (Welch-Satterthwaite).")
    chi_square: float = Field(
        description="Sum of squared residuals over their variances, of the weighted line through "
        "the combined values, also if the systems differ."
    )
    scatter_degrees_of_freedom: float | None = Field(
        None,
        description="Degrees of freedom of all intervals if the covariance follows from the spread "
        "between systems, or from the scatter of the points (their number minus two); None if it "
        "follows from the errors of the points.",
    )

    @property
    def activation_energy_error_eV(self) -> float:
        """Standard error of Ea in eV."""
        return math.sqrt(self.covariance[1][1])

    @property
    def activation_energy(self) -> LinearEstimate:
        """Activation energy in eV with its standard error."""
        return LinearEstimate(
            value=self.activation_energy_eV,
            error=self.activation_energy_error_eV,
            degrees_of_freedom=self.degrees_of_freedom,
        )


class ArrheniusResult(NotebookFigure, Model):
    """Arrhenius fit of a diffusivity, with the conductivity that follows from it."""

    quantity: str = Field(description="Fitted diffusivity: self or collective.")
    points: list[ArrheniusPoint] = Field(description="Data of the fit by increasing temperature.")
    refusals: list[str] = Field(
        default_factory=list, description="Reasons of a missing fit or extrapolation."
    )
    fit: LinearFit | None = Field(None, description="Arrhenius fit; None if rejected.")
    vtf: VTFComparison | None = Field(
        None, description="VTF fit of the combined values; None below 4 points."
    )
    charge_density_per_A3: float | None = Field(
        None, description="Sum of squared charges over volume in e2/A3, converts D to conductivity."
    )
    diffusivity_300K: Estimate | None = Field(
        None, description="D at 300 K in cm2/s with its predictive interval."
    )
    sigma_300K: Estimate | None = Field(
        None, description="Conductivity at 300 K in mS/cm with its predictive interval."
    )
    sigma_300K_bound: float | None = Field(
        None, description="One-sided 95 % upper bound at 300 K in mS/cm; None if there is a value."
    )

    @property
    def sigma_300K_or_bound(self) -> Estimate | Bound | None:
        """Conductivity at 300 K in mS/cm, or its upper bound."""
        return self.sigma_300K or upper_bound(self.sigma_300K_bound)

    def activation_energy_interval(self, level: float = 0.95) -> Interval | None:
        """Return the central interval of Ea in eV."""
        return None if self.fit is None else self.fit.activation_energy.interval(level)

    def diffusivity(self, temperature_K: float) -> Estimate | None:
        """Return D in cm2/s with its predictive interval; None if the fit is refused."""
        if self.fit is None:
            return None
        x = line_rows([temperature_K])[0]
        center = float(x @ [self.fit.log_prefactor, self.fit.activation_energy_eV])
        variance = float(x @ np.array(self.fit.covariance) @ x)
        used = [p for p in self.points if p.diffusivity and not p.excluded]
        scatter = self.fit.scatter_degrees_of_freedom
        return Estimate(
            value=math.exp(center),
            relative_error=math.sqrt(variance),
            degrees_of_freedom=_satterthwaite(x, used) if scatter is None else scatter,
        )

    def conductivity(self, temperature_K: float) -> Estimate | None:
        """Return the conductivity in mS/cm with its predictive interval, or None."""
        value = self.diffusivity(temperature_K)
        if value is None or self.charge_density_per_A3 is None:
            return None
        return value.scaled(NERNST_EINSTEIN * self.charge_density_per_A3 / temperature_K)


def arrhenius(
    results: Sequence[TransportResult | ArrheniusPoint],
    *,
    quantity: str | None = None,
    melting_K: float | None = None,
    glass_transition_K: float | None = None,
) -> ArrheniusResult:
    """Fit the temperature dependence of the diffusivity.

    Parameters
    ----------
    results : sequence of TransportResult or ArrheniusPoint
        One for each temperature.
    quantity : {"self", "collective"} or None
        Which diffusivity to fit; None uses the collective one if it is certain enough to be the
        headline at every temperature. ArrheniusPoints are fitted as given. Without diffusion only
        D* has a bound, which a collective fit leaves out.
    melting_K, glass_transition_K : float or None
        Temperatures above which points are left out; None if unknown.

    Returns
    -------
    ArrheniusResult
        With `refusals` instead of a fit if a line does not describe the data.

    Raises
    ------
    InputError
        If there are no results, two of one temperature, or results of different materials or of
        one run; if the quantity is unknown, or an ArrheniusPoint has no positive temperature,
        diffusivity and standard error.
    """
    if quantity not in (None, "self", "collective"):
        raise InputError(f"The quantity must be self or collective, not {quantity!r}.")
    _check_results(results)
    runs = [result for result in results if isinstance(result, TransportResult)]
    if quantity is None:
        sure = runs and all(run.diffusive and run.headline == "Einstein" for run in runs)
        quantity = "collective" if sure else "self"
    limits = [("the melting point", melting_K), ("the glass transition", glass_transition_K)]
    points = [_point(result, quantity, limits) for result in results]
    points.sort(key=lambda point: point.temperature_K)
    coldest = min(runs, key=lambda run: run.temperature_K, default=None)
    result = ArrheniusResult(
        quantity=quantity,
        points=points,
        charge_density_per_A3=None if coldest is None else _charge_density(coldest),
    )
    used = [point for point in points if not point.excluded]
    values_used = [point for point in used if point.diffusivity is not None]
    if len(values_used) >= 2:
        _fit_line(result, values_used, [p for p in used if p.bound_cm2_s is not None])
    else:
        left_out = [f"{p.temperature_K:.0f} K: {p.excluded}" for p in points if p.excluded]
        result.refusals.append(
            f"An activation energy needs diffusion at two temperatures; {len(values_used)} of "
            f"{len(points)} can be used{''.join(f' ({why})' for why in left_out)}."
        )
    _extrapolate(result, used)
    return result


def _check_results(results: Sequence[TransportResult | ArrheniusPoint]) -> None:
    """Check that results are of one material, each at another temperature."""
    if not results:
        raise InputError(
            "An Arrhenius fit needs results at two or more temperatures; none were given."
        )
    for result in results:
        if isinstance(result, ArrheniusPoint):
            _check_point(result)
    temperatures = [result.temperature_K for result in results]
    if len(set(temperatures)) < len(temperatures):
        raise InputError("Two results have the same temperature: combine the replicas first.")
    runs = [result for result in results if isinstance(result, TransportResult)]
    check_same_material(runs)
    check_different_runs(runs)


def _check_point(point: ArrheniusPoint) -> None:
    """Check that the numbers of a point have logarithms and a weight."""
    numbers = {"temperature": point.temperature_K, "upper bound": point.bound_cm2_s}
    if point.diffusivity is not None:
        numbers["diffusivity"] = point.diffusivity.value
        numbers["standard error"] = point.diffusivity.relative_error
    for name, number in numbers.items():
        if number is not None and not 0.0 < number < math.inf:
            raise InputError(
                f"The {name} of a point of an Arrhenius fit must be a positive number, not "
                f"{number:g}."
            )


def _extrapolate(result: ArrheniusResult, used: Sequence[ArrheniusPoint]) -> None:
    """Fill the values at 300 K, or the bound of the conductivity if there is no fit."""
    if result.fit is not None:
        result.diffusivity_300K = result.diffusivity(ROOM_K)
        result.sigma_300K = result.conductivity(ROOM_K)
        return
    bound = _bound_at(used, ROOM_K)
    if bound is not None and result.charge_density_per_A3 is not None:
        factor = NERNST_EINSTEIN * result.charge_density_per_A3 / ROOM_K
        result.sigma_300K_bound = bound * factor


def _charge_density(run: TransportResult) -> float:
    # Species of equal charge; the conductivities of a run contain the general mean.
    return run.conductivity_per_diffusivity * run.temperature_K / NERNST_EINSTEIN


def _point(
    result: TransportResult | ArrheniusPoint,
    quantity: str,
    limits: Sequence[tuple[str, float | None]],
) -> ArrheniusPoint:
    if isinstance(result, ArrheniusPoint):
        point = result.model_copy()
    else:
        collective = quantity == "collective"
        value = result.collective_diffusivity if collective else result.self_diffusivity
        point = ArrheniusPoint(
            temperature_K=result.temperature_K,
            diffusivity=value,
            of_systems=result.collective_of_systems if collective else result.self_of_systems,
            common_error=result.finite_time.error if result.finite_time else 0.0,
            bound_cm2_s=None if collective else result.diffusivity_bound_cm2_s,
        )
        if value is None and not collective and _is_counted(result):
            point.n_hops = result.hops.n_lasting or 0
            point.per_hop_cm2_s = result.diffusivity_per_hop_cm2_s
        if collective and value is None:  # D_sigma may exceed a bound of D*
            point.excluded = "no collective diffusivity"
        if result.melted:
            point.excluded = "the framework diffuses"
    for name, limit in limits:
        if limit is not None and point.temperature_K > limit:
            point.excluded = f"above {name} of {limit:.0f} K"
    if point.diffusivity is None and point.bound_cm2_s is None:
        point.excluded = point.excluded or "neither a value nor a bound"
    return point


def _is_counted(result: TransportResult) -> bool:
    """Return whether a run has few counted hops and no other motion."""
    hops, bound = result.hops, result.diffusivity_bound_cm2_s
    if bound is None or (hops.n_lasting is None and hops.n_hops):
        return False
    counted = event_bound(hops.n_hops) * result.diffusivity_per_hop_cm2_s
    return bound <= MAX_SLOPE_EXCESS * counted


def _design(points: Sequence[ArrheniusPoint]) -> np.ndarray:
    return line_rows([point.temperature_K for point in points])


def _errors(points: Sequence[ArrheniusPoint]) -> np.ndarray:
    return np.array([p.diffusivity.relative_error for p in points if p.diffusivity])


def _freedoms(points: Sequence[ArrheniusPoint]) -> list[float]:
    return [p.diffusivity.degrees_of_freedom for p in points if p.diffusivity]


def _operator(points: Sequence[ArrheniusPoint]) -> np.ndarray:
    """Return the matrix (2, n) that maps the values of ln D to (ln D0, Ea)."""
    return weighted_inverse(_design(points), _errors(points))


def _satterthwaite(x: np.ndarray, points: Sequence[ArrheniusPoint]) -> float:
    """Effective degrees of freedom of the combination ``x . (ln D0, Ea)``."""
    parts = (x @ _operator(points) * _errors(points)) ** 2
    return welch_satterthwaite(parts, _freedoms(points))


def _fit_line(
    result: ArrheniusResult, points: list[ArrheniusPoint], bounds: list[ArrheniusPoint]
) -> None:
    """Fit, test and compare; fill `fit`, `vtf` and `refusals` of the result."""
    design, operator, errors = _design(points), _operator(points), _errors(points)
    y = np.array([point.log_value for point in points])
    parameters = operator @ y
    covariance = operator * errors**2 @ operator.T
    chi_square = float(np.sum(((y - design @ parameters) / errors) ** 2))
    free = len(points) - 2
    scatter: float | None = None
    if systems_differ(points):
        found = cells(points)
        line = line_over_systems(found.design, found, line_rows([ROOM_K])[0])
        parameters, covariance, scatter = line.parameters, line.covariance, line.degrees_of_freedom
    elif free > 0 and chi2.sf(chi_square, free) < SIGNIFICANCE:
        covariance, scatter = covariance * chi_square / free, float(free)
    for at in (bound for bound in bounds if bound.n_hops is not None):
        assert at.n_hops is not None
        assert at.per_hop_cm2_s is not None
        parameters, covariance = with_hops(
            parameters, covariance, _design([at])[0], at.n_hops, at.per_hop_cm2_s
        )
    for at in (bound for bound in bounds if bound.n_hops is None):
        assert at.bound_cm2_s is not None
        parameters = capped(parameters, covariance, _design([at])[0], at.bound_cm2_s)
    if len(points) >= 4:
        temperatures = np.array([point.temperature_K for point in points])
        result.vtf = compare_vtf(temperatures, y, errors)
    curvature = _curvature_refusal(points, y, errors)
    if curvature:
        result.refusals.append(curvature)
        return
    of_energy = _satterthwaite(np.array([0.0, 1.0]), points)
    fit = LinearFit(
        log_prefactor=float(parameters[0]),
        activation_energy_eV=float(parameters[1]),
        covariance=covariance.tolist(),
        degrees_of_freedom=of_energy if scatter is None else scatter,
        chi_square=chi_square,
        scatter_degrees_of_freedom=scatter,
    )
    if fit.activation_energy_eV <= 0.0:
        result.refusals.append(
            f"The line has an activation energy of {fit.activation_energy.text} eV, but diffusion "
            "does not become faster on cooling: there is an upper bound at 300 K alone."
        )
        return
    result.fit = fit


def _curvature_refusal(
    points: Sequence[ArrheniusPoint], y: np.ndarray, errors: np.ndarray
) -> str | None:
    """Test a quadratic term in 1/kT."""
    if len(points) < 3:
        return None
    if systems_differ(points):
        found = cells(points)
        curved = np.column_stack([found.design, _from_middle(found.design) ** 2])
        line = line_over_systems(curved, found, np.array([0.0, 0.0, 1.0]))
        score = abs(line.parameters[2]) / math.sqrt(line.covariance[2, 2])
        freedom = line.degrees_of_freedom
    else:
        design = _design(points)
        operator = weighted_inverse(np.column_stack([design, _from_middle(design) ** 2]), errors)
        parts = (operator[2] * errors) ** 2
        score = abs(operator[2] @ y) / math.sqrt(parts.sum())
        freedom = welch_satterthwaite(parts, _freedoms(points))
    if 2.0 * student_tail(score, freedom) < SIGNIFICANCE:
        return (
            "ln D against 1/T is curved beyond chance, so one activation energy does not describe "
            "it: look for a transition, and fit each side by itself."
        )
    return None


def _from_middle(design: np.ndarray) -> np.ndarray:
    """Return the inverse temperatures from their mean, over half their range."""
    x = design[:, 1]
    return (x - x.mean()) / (np.ptp(x) / 2)


def _bound_at(points: Sequence[ArrheniusPoint], temperature_K: float) -> float | None:
    """Bound D below the temperatures of all bounds: D does not increase on cooling."""
    bounds = []
    for point in points:
        if point.temperature_K < temperature_K:
            continue
        if point.bound_cm2_s is not None:
            bounds.append(point.bound_cm2_s)
        elif point.diffusivity is not None:
            bounds.append(point.diffusivity.upper_bound())
    return min(bounds, default=None)
