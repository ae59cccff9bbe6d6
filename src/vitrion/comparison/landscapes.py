"""Tests of two site-energy landscapes: whether the glass is flatter than its crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from vitrion.errors import InputError
from vitrion.uncertainty import Direction, LinearEstimate, Verdict, p_value, verdict

if TYPE_CHECKING:
    from vitrion.landscape.document import SiteEnergyLandscapeDoc
    from vitrion.uncertainty import ReplicaMean


class LandscapeClaim(BaseModel):
    """Test of a claim about one quantity of two landscapes."""

    quantity: str = Field(description="Field of the landscape.")
    claim: Direction = Field(description="Claim about the glass, relative to the crystal.")
    crystal: float = Field(description="Value of the crystal in the unit of the field.")
    glass: float = Field(description="Mean over the glasses.")
    error: float | None = Field(None, description="Standard error of the difference.")
    degrees_of_freedom: float | None = Field(
        None, description="Degrees of freedom of the standard error (Welch-Satterthwaite)."
    )
    p_value: float | None = Field(
        None, description="One-sided p value against the claim: small if it is supported."
    )
    verdict: Verdict = Field(description="Verdict at 95 %; undecided if the error is too large.")

    @property
    def title(self) -> str:
        """The quantity in words, with its unit."""
        name = self.quantity.removesuffix("_eV").replace("_", " ")
        return f"{name} (eV)" if self.quantity.endswith(("_eV", "barrier")) else name


FLATNESS: tuple[tuple[str, Direction], ...] = (
    ("landscape_gap_eV", "lower"),
    ("landscape_median_gap_eV", "lower"),
    ("landscape_overlap", "higher"),
    ("percolating_barrier_eV", "lower"),
    ("percolating_percentile", "lower"),
    ("ionic_interstitial_energy_eV", "lower"),
    ("lowest_interstitial_energy_eV", "lower"),
    ("median_interstitial_energy_eV", "lower"),
)
"""Measures of flatness by decreasing importance, then the interstitial energies."""


def compare_landscapes(
    crystal: SiteEnergyLandscapeDoc, glass: SiteEnergyLandscapeDoc
) -> list[LandscapeClaim]:
    """Test whether the glass is flatter and easier to fill, by every quantity that both have.

    The error comes from the replicas of the glass; a single crystal is exact. Student's t test is
    one-sided, with the degrees of freedom of the difference.

    Raises
    ------
    InputError
        If the mobile species differ.
    """
    if crystal.mobile_species != glass.mobile_species:
        raise InputError(
            f"The landscapes are of different mobile species, {crystal.mobile_species} and "
            f"{glass.mobile_species}: compare landscapes of one species."
        )
    claims = []
    for quantity, claim in FLATNESS:
        first: ReplicaMean | None = getattr(crystal, quantity)
        second: ReplicaMean | None = getattr(glass, quantity)
        if first is not None and second is not None:
            claims.append(_test(quantity, claim, first.estimate.or_exact, second.estimate))
    if crystal.density_barrier is not None and glass.density_barrier is not None:
        barriers = crystal.density_barrier.estimate, glass.density_barrier.estimate
        claims.append(_test("density_barrier", "lower", *barriers))
    return claims


def _test(
    quantity: str, claim: Direction, crystal: LinearEstimate, glass: LinearEstimate
) -> LandscapeClaim:
    change = glass.minus(crystal)
    probability = p_value(change, claim)
    return LandscapeClaim(
        quantity=quantity,
        claim=claim,
        crystal=crystal.value,
        glass=glass.value,
        error=change.error,
        degrees_of_freedom=None if change.error is None else change.degrees_of_freedom,
        p_value=probability,
        verdict=verdict(probability),
    )
