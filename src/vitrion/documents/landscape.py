"""The site-energy landscape of the mobile ion: what a crystal and a glass are compared by."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from vitrion.documents.base import VitrionDoc
from vitrion.documents.defects import EnergyDistribution

Mechanism = Literal["vacancy", "interstitial"]


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
    converged: bool = Field(description="Whether the band relaxed.")


class PercolationRecord(BaseModel):
    """Where a network of hops starts to conduct in so many directions."""

    dimension: int = Field(description="Independent directions: 1, 2 or 3.")
    threshold_eV: float = Field(
        description="Highest saddle point of the easiest periodic path in eV."
    )
    barrier_eV: float = Field(description="The same above the lowest site of the cluster, in eV.")
    percentile: float = Field(description="Percentage of saddle points up to the threshold.")


class BarrierNetwork(BaseModel):
    """Sites of one mechanism, the hops between them, and how they conduct."""

    mechanism: Mechanism = Field(description="What moves: vacancies or interstitial ions.")
    replica: int = Field(0, description="Which host the network belongs to.")
    site_energies_eV: list[float] = Field(
        description="Energy of the carrier on each site in eV: E(defect) - E(host)."
    )
    hops: list[HopRecord] = Field(description="One for each that symmetry makes distinct.")
    barriers: EnergyDistribution | None = Field(
        None, description="Barriers of all hops, forward and backward, in eV."
    )
    percolation: list[PercolationRecord] = Field(
        default_factory=list, description="By number of directions, as far as the hops conduct."
    )
    path: list[tuple[float, float]] = Field(
        default_factory=list,
        description="Easiest periodic path: energy in eV of each site and of the saddle after it.",
    )


class DensityBarrier(BaseModel):
    """Bottleneck of -kT ln rho on the way through the cell, from dynamics."""

    temperature_K: float = Field(description="Temperature of the dynamics in K.")
    barrier_eV: float = Field(description="Bottleneck of the easiest direction in eV.")
    error_eV: float | None = Field(None, description="Standard error in eV, from blocks of time.")
    axes_eV: list[float | None] = Field(
        description="Bottleneck along each axis in eV; None where no path was seen."
    )


class Spread(BaseModel):
    """A figure of each replica, and their mean."""

    values: list[float] = Field(description="One for each replica.")
    mean: float = Field(description="Mean over replicas.")
    error: float | None = Field(None, description="Standard error; None for one replica.")


class SiteEnergyLandscapeDoc(VitrionDoc):
    """Energies of the sites of one material, full and empty, and the barriers between them.

    Site energies come from moves of one ion at constant composition: the energy of moving an ion
    from site i to site s is e(s) - e(i). Zero is the highest occupied site of each replica.
    """

    property_name: str = "site_energy_landscape"
    mobile_species: str = Field(description="Element whose sites they are.")
    n_replicas: int = Field(description="Independent hosts (glasses) that were joined.")
    occupied_energies_eV: list[list[float]] = Field(
        description="Energies in eV of the occupied sites, by replica."
    )
    empty_energies_eV: list[list[float]] = Field(
        description="Energies in eV of the empty sites, by replica."
    )
    additivity_error_eV: float | None = Field(
        None,
        description="Root mean square in eV of the pair energies that the site energies leave "
        "unexplained: the interaction of ion and vacancy.",
    )
    gap_eV: Spread = Field(description="Lowest empty less highest occupied energy, eV.")
    median_gap_eV: Spread = Field(description="Median empty less median occupied energy, eV.")
    overlap: Spread = Field(
        description="Chance that an empty site lies below an occupied one, 0 to 1."
    )
    insertion_energy_eV: Spread | None = Field(
        None, description="Lowest insertion energy at 0 V, above the annealed host, in eV."
    )
    median_insertion_energy_eV: Spread | None = Field(
        None, description="Median insertion energy at 0 V, above the annealed host, in eV."
    )
    removal_energies_eV: list[list[float]] = Field(
        default_factory=list, description="Vacancy energies in eV, by replica."
    )
    removal_spread_eV: Spread | None = Field(
        None,
        description="Standard deviation of the removal energies in eV; zero for a crystal with "
        "one kind of site, so never to be read alone.",
    )
    density_barrier: DensityBarrier | None = Field(
        None, description="From the density of the ions in the dynamics."
    )
    networks: list[BarrierNetwork] = Field(
        default_factory=list, description="Barriers between neighboring sites."
    )
    percolating_barrier_eV: Spread | None = Field(
        None, description="Percolating barrier of the hops in one direction, in eV."
    )
    percolating_percentile: Spread | None = Field(
        None, description="Percentage of saddle points up to the percolating one."
    )
