"""Parts of documents: energies of many sites as a distribution, and of hops as a network."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Mechanism = Literal["vacancy", "interstitial"]


class BoltzmannPoint(BaseModel):
    """An energy that a distribution acts as, at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    energy_eV: float = Field(description="-kT ln <exp(-E/kT)> in eV.")


class EnergyDistribution(BaseModel):
    """Energies of one kind of defect over all sites."""

    n: int = Field(description="Number of distinct defects.")
    mean_eV: float = Field(description="Mean in eV.")
    std_eV: float = Field(description="Standard deviation in eV.")
    minimum_eV: float = Field(description="Lowest in eV.")
    quantiles_eV: dict[str, float] = Field(description="Quantiles in eV, by percentage.")
    boltzmann: list[BoltzmannPoint] = Field(description="Boltzmann energy by temperature.")


class HopRecord(BaseModel):
    """The easiest path of an ion between two neighboring sites."""

    start: int = Field(description="Site of the network the carrier leaves.")
    end: int = Field(description="Site it arrives at.")
    image: tuple[int, int, int] = Field(description="Cell of the copy of the end site.")
    length_A: float = Field(description="Distance between the sites in A.")
    multiplicity: int = Field(1, description="Hops in the cell that are the same by symmetry.")
    saddle_energy_eV: float = Field(
        description="Energy of the highest image in eV, on the scale of the site energies."
    )
    forward_barrier_eV: float = Field(description="Saddle point above the start in eV.")
    backward_barrier_eV: float = Field(description="Saddle point above the end in eV.")
    profile_eV: list[float] = Field(description="Energies of the images in eV above the start.")
    converged: bool = Field(description="Whether the band and both its ends relaxed.")
    merged: bool = Field(
        False, description="Whether both ends relaxed into one state: nothing lies between them."
    )

    @property
    def counts(self) -> bool:
        """Whether its barriers enter averages: it relaxed, between two states."""
        return self.converged and not self.merged


class PercolationRecord(BaseModel):
    """Where a network of hops starts to conduct in so many directions."""

    dimension: int = Field(description="Independent directions: 1, 2 or 3.")
    threshold_eV: float = Field(
        description="Highest saddle point of the easiest periodic path in eV."
    )
    barrier_eV: float = Field(description="The same above the lowest site of the cluster, in eV.")
    percentile: float = Field(
        description="Percentage of the network's saddle points up to the threshold."
    )


class BarrierNetwork(BaseModel):
    """Sites of one mechanism, the hops between them, and how they conduct."""

    mechanism: Mechanism = Field(description="What moves: vacancies or interstitial ions.")
    site_energies_eV: list[float] = Field(
        description="Energy of the carrier on each site in eV: E(defect) - E(host)."
    )
    hops: list[HopRecord] = Field(description="One for each that symmetry makes distinct.")
    barriers: EnergyDistribution | None = Field(
        None,
        description="Barriers of the hops that relaxed between two states, forward and backward, "
        "in eV.",
    )
    n_unconverged: int = Field(
        0,
        description="Distinct hops left out of barriers and percolation because their band or an "
        "end of it did not relax.",
    )
    n_merged: int = Field(
        0,
        description="Distinct hops left out of the barriers because both ends relaxed into one "
        "state; percolation has them.",
    )
    percolation: list[PercolationRecord] = Field(
        default_factory=list,
        description="By number of directions, as far as the hops that relaxed conduct; upper "
        "bounds where some did not.",
    )
    path: list[tuple[float, float]] = Field(
        default_factory=list,
        description="Easiest periodic path: energy in eV of each site and of the saddle after it.",
    )
