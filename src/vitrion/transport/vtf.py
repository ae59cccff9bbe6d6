"""Compare Vogel-Tammann-Fulcher and Arrhenius laws by information criteria."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from vitrion.transport.schema import Model

STRONG_EVIDENCE = 6.0
"""Difference of an information criterion that counts as strong (Kass and Raftery, 1995)."""


class VTFComparison(Model):
    """Comparison of the Vogel-Tammann-Fulcher law ``ln D = A - B / (T - T0)`` with Arrhenius."""

    b_K: float = Field(description="B of the VTF law in K.")
    t0_K: float = Field(description="T0 of the VTF law in K; 0 is Arrhenius.")
    delta_aicc: float | None = Field(
        description="AICc(VTF) - AICc(Arrhenius); negative favors VTF. None below 5 points."
    )
    delta_bic: float = Field(description="BIC(VTF) - BIC(Arrhenius); negative favors VTF.")
    preferred: str = Field(description="Arrhenius or VTF; VTF only on strong evidence.")


def compare_vtf(temperatures: np.ndarray, y: np.ndarray, errors: np.ndarray) -> VTFComparison:
    """Fit both laws by weighted least squares and compare them.

    Parameters
    ----------
    temperatures, y, errors : ndarray, shape (n,)
        Temperatures in K, values of ln D and their standard errors; n at least 4.

    Notes
    -----
    With known errors, twice the negative log-likelihood is chi-square, so BIC is
    ``chi2 + k ln n`` and AICc ``chi2 + 2k + 2k(k+1)/(n-k-1)``. T0 is scanned; A and B are linear.
    """
    t0s = np.linspace(0.0, 0.98 * temperatures.min(), 491)
    slopes, chi_squares = _lines(1.0 / (temperatures - t0s[:, None]), y, errors)
    best = int(np.argmin(chi_squares))
    slope, chi_vtf, chi_arrhenius = (
        float(v) for v in (slopes[best], chi_squares[best], chi_squares[0])
    )
    n = len(y)
    delta_bic = chi_vtf - chi_arrhenius + math.log(n)
    delta_aicc = None
    if n >= 5:
        penalty = 2.0 + 24.0 / (n - 4) - 12.0 / (n - 3)
        delta_aicc = chi_vtf - chi_arrhenius + penalty
    criteria = [delta_bic] if delta_aicc is None else [delta_bic, delta_aicc]
    vtf = all(delta < -STRONG_EVIDENCE for delta in criteria)
    return VTFComparison(
        b_K=-slope,
        t0_K=float(t0s[best]),
        delta_aicc=delta_aicc,
        delta_bic=delta_bic,
        preferred="VTF" if vtf else "Arrhenius",
    )


def _lines(x: np.ndarray, y: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and chi-square of the weighted straight line for each row of x."""
    weights = errors**-2 / np.sum(errors**-2)
    x, y = x - (x @ weights)[:, None], y - y @ weights
    slopes = (x * y) @ weights / (x**2 @ weights)
    return slopes, ((y - slopes[:, None] * x) ** 2) @ errors**-2
