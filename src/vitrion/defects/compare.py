"""Two landscapes side by side, and whether a glass is flatter than its crystal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scipy.stats import t

from vitrion.errors import InputError

if TYPE_CHECKING:
    from vitrion.documents.landscape import SiteEnergyLandscapeDoc, Spread

Verdict = Literal["supported", "contradicted", "undecided"]
LEVEL = 0.95


@dataclass(frozen=True)
class Claim:
    """A figure of the crystal and of the glass, and what it says of a claim.

    Attributes
    ----------
    figure : str
        Field of the landscape.
    claim : str
        What is claimed of the glass: ``lower`` or ``higher``.
    crystal, glass : float
    error : float or None
        Standard error of the difference.
    probability : float or None
        One-sided p value of the opposite: small where the claim is supported.
    verdict : str
        ``supported`` or ``contradicted`` at 95 %, else ``undecided``.
    """

    figure: str
    claim: Literal["lower", "higher"]
    crystal: float
    glass: float
    error: float | None
    probability: float | None
    verdict: Verdict


FLATNESS: tuple[tuple[str, Literal["lower", "higher"]], ...] = (
    ("gap_eV", "lower"),
    ("median_gap_eV", "lower"),
    ("overlap", "higher"),
    ("percolating_barrier_eV", "lower"),
    ("percolating_percentile", "lower"),
    ("insertion_energy_eV", "lower"),
    ("median_insertion_energy_eV", "lower"),
)
"""The figures in the order in which they say that a landscape is flat, then those of insertion."""


def compare_landscapes(
    crystal: SiteEnergyLandscapeDoc, glass: SiteEnergyLandscapeDoc
) -> list[Claim]:
    """Test on every figure that both have whether the glass is flatter and easier to fill.

    The replicas of the glass give the error; a crystal is one structure and taken as exact. The
    test is Student's, one-sided, with as many degrees of freedom as replicas less one.

    Raises
    ------
    InputError
        If the two are of different mobile species.
    """
    if crystal.mobile_species != glass.mobile_species:
        raise InputError("The two landscapes are of different mobile species.")
    claims = []
    for figure, claim in FLATNESS:
        first: Spread | None = getattr(crystal, figure)
        second: Spread | None = getattr(glass, figure)
        if first is not None and second is not None:
            claims.append(_test(figure, claim, first, second))
    if crystal.density_barrier is not None and glass.density_barrier is not None:
        a, b = crystal.density_barrier, glass.density_barrier
        error = None
        if a.error_eV is not None and b.error_eV is not None:
            error = math.hypot(a.error_eV, b.error_eV)
        difference = b.barrier_eV - a.barrier_eV
        claims.append(
            _judge("density_barrier", "lower", a.barrier_eV, b.barrier_eV, difference, error, 4)
        )
    return claims


def _test(figure: str, claim: Literal["lower", "higher"], first: Spread, second: Spread) -> Claim:
    error = second.error
    if error is not None and first.error is not None:
        error = math.hypot(error, first.error)
    difference = second.mean - first.mean
    freedom = len(second.values) - 1
    return _judge(figure, claim, first.mean, second.mean, difference, error, freedom)


def _judge(
    figure: str,
    claim: Literal["lower", "higher"],
    crystal: float,
    glass: float,
    difference: float,
    error: float | None,
    freedom: int,
) -> Claim:
    probability: float | None = None
    verdict: Verdict = "undecided"
    if error is not None and freedom > 0:
        sign = -1.0 if claim == "lower" else 1.0
        if error == 0.0:
            probability = 0.5 if difference == 0 else float(sign * difference < 0)
        else:
            probability = float(t.sf(sign * difference / error, freedom))
        if probability < 1 - LEVEL:
            verdict = "supported"
        elif probability > LEVEL:
            verdict = "contradicted"
    return Claim(figure, claim, crystal, glass, error, probability, verdict)
