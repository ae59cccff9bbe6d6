"""Document of the site-energy landscape of the mobile ion."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from vitrion.defects.document import BarrierNetwork
from vitrion.documents.base import VitrionDoc
from vitrion.uncertainty import LinearEstimate, ReplicaMean


class DensityBarrier(BaseModel):
    """Bottleneck of -kT ln rho along a path through the cell, from dynamics."""

    temperature_K: float = Field(description="Temperature of the dynamics in K.")
    barrier_eV: float = Field(description="Bottleneck of the easiest direction in eV.")
    error_eV: float | None = Field(None, description="Standard error in eV, from blocks of time.")
    axes_eV: list[float | None] = Field(
        description="Bottleneck along each axis in eV; None without a path."
    )
    n_blocks: int = Field(5, description="Number of time blocks for the error estimate.")

    @property
    def estimate(self) -> LinearEstimate:
        """The barrier with its standard error in eV."""
        return LinearEstimate(
            value=self.barrier_eV, error=self.error_eV, degrees_of_freedom=self.n_blocks - 1
        )


class SiteEnergyLandscapeDoc(VitrionDoc):
    """Energies of the occupied and empty sites of one material, and the barriers between them.

    Site energies derive from moves of one ion at constant composition: moving an ion from site i
    to site s costs e(s) - e(i). Zero is the highest occupied site of each replica.
    """

    key_fields: ClassVar = {
        "landscape_gap_eV": "landscape_gap_eV.mean",
        "landscape_overlap": "landscape_overlap.mean",
        "percolating_barrier_eV": "percolating_barrier_eV.mean",
        "removal_spread_eV": "removal_spread_eV.mean",
    }

    property_name: str = "site_energy_landscape"
    mobile_species: str = Field(description="Mobile element.")
    n_replicas: int = Field(description="Number of independent hosts (glasses).")
    missing_replicas: list[int] = Field(
        default_factory=list,
        description="Numbers, from 1, of further replicas whose defects failed.",
    )
    occupied_energies_eV: list[list[float]] = Field(
        description="Energies in eV of the occupied sites, by replica that has far pairs."
    )
    empty_energies_eV: list[list[float]] = Field(
        description="Energies in eV of the empty sites, by replica that has far pairs."
    )
    additivity_error_eV: float | None = Field(
        None,
        description="Root mean square residual of the pair energies in eV after the fit of site "
        "energies: the interaction of ion and vacancy.",
    )
    landscape_gap_eV: ReplicaMean = Field(
        description="Lowest empty less highest occupied energy, eV."
    )
    landscape_median_gap_eV: ReplicaMean = Field(
        description="Median empty less median occupied energy, eV."
    )
    landscape_overlap: ReplicaMean = Field(
        description="Probability that an empty site is below an occupied one, 0 to 1."
    )
    lowest_interstitial_energy_eV: ReplicaMean | None = Field(
        None, description="Lowest interstitial energy at 0 V, above the annealed host, in eV."
    )
    median_interstitial_energy_eV: ReplicaMean | None = Field(
        None, description="Median interstitial energy at 0 V, above the annealed host, in eV."
    )
    ionic_interstitial_energy_eV: ReplicaMean | None = Field(
        None,
        description="Lowest empty site above the chemical potential of the ion at 300 K in eV: "
        "energy of an interstitial ion without an electron, in equilibrium with vacancies.",
    )
    removal_energies_eV: list[list[float]] = Field(
        default_factory=list, description="Vacancy energies in eV, by replica."
    )
    removal_spread_eV: ReplicaMean | None = Field(
        None,
        description="Standard deviation of the removal energies in eV; zero for a crystal with "
        "one kind of site.",
    )
    density_barrier: DensityBarrier | None = Field(
        None, description="From the density of the ions in the dynamics."
    )
    networks: list[BarrierNetwork] = Field(
        default_factory=list, description="Barriers between neighboring sites."
    )
    percolating_barrier_eV: ReplicaMean | None = Field(
        None,
        description="Percolating barrier of the hops in one direction in eV; an upper bound if "
        "some hops did not converge or were not computed.",
    )
    percolating_percentile: ReplicaMean | None = Field(
        None, description="Percentage of saddle points up to the percolating one."
    )
