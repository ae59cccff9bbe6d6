"""Document of the defects of the mobile ion: sites, energies, concentrations and hops."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from vitrion.documents.base import StoredStructure, VitrionDoc

Mechanism = Literal["vacancy", "interstitial"]


class BoltzmannPoint(BaseModel):
    """Boltzmann-averaged energy of a distribution at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    energy_eV: float = Field(description="-kT ln <exp(-E/kT)> in eV.")


NO_BARRIER_EV = 1e-3
"""Minimum energy of a barrier: of the saddle point above the higher end."""


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

    start: int = Field(description="Index of the initial site in the network.")
    end: int = Field(description="Index of the final site in the network.")
    image: tuple[int, int, int] = Field(description="Lattice vector of the image of the end site.")
    length_A: float = Field(description="Distance between the sites in A.")
    multiplicity: int = Field(1, description="Number of symmetry-equivalent hops in the cell.")
    saddle_energy_eV: float = Field(
        description="Energy of the highest image in eV, on the scale of the site energies."
    )
    forward_barrier_eV: float = Field(description="Saddle point above the start in eV.")
    backward_barrier_eV: float = Field(description="Saddle point above the end in eV.")
    profile_eV: list[float] = Field(description="Energies of the images in eV above the start.")
    converged: bool = Field(description="Whether the band and both its ends relaxed.")
    merged: bool = Field(
        False, description="Whether both ends relaxed to the same state, without a barrier."
    )
    copies: list[tuple[int, int, tuple[int, int, int]]] = Field(
        default_factory=list,
        description="Start, end and lattice vector of each symmetry-equivalent hop, including this "
        "one; in either direction.",
    )
    attempt_frequency_Hz: float | None = Field(
        None, description="Harmonic attempt frequency from the start in Hz (Vineyard 1957)."
    )
    backward_attempt_frequency_Hz: float | None = Field(
        None, description="Harmonic attempt frequency from the end in Hz."
    )
    n_soft_modes: int | None = Field(
        None,
        description="Largest number of modes below 0.5 THz, which count as 0.5 THz, at the ends "
        "and the saddle point; None without attempt frequencies.",
    )
    attempt_frequency_failure: str | None = Field(
        None, description="Reason of a missing harmonic attempt frequency; None if not requested."
    )

    @property
    def counts(self) -> bool:
        """Whether averages include its barriers: converged, between distinct states."""
        return self.converged and not self.merged

    @property
    def has_barrier(self) -> bool:
        """Whether the saddle point is above both ends."""
        return min(self.forward_barrier_eV, self.backward_barrier_eV) > NO_BARRIER_EV


class PercolationRecord(BaseModel):
    """Percolation threshold of a network of hops in a number of directions."""

    dimension: int = Field(description="Independent directions: 1, 2 or 3.")
    threshold_eV: float = Field(
        description="Highest saddle point of the easiest periodic path in eV."
    )
    barrier_eV: float = Field(description="Threshold above the lowest site of the cluster in eV.")
    percentile: float = Field(
        description="Percentage of the network's saddle points up to the threshold."
    )


class BarrierNetwork(BaseModel):
    """Sites of one mechanism, the hops between them, and their percolation."""

    mechanism: Mechanism = Field(description="Carrier: vacancy or interstitial.")
    site_energies_eV: list[float] = Field(
        description="Energy of the carrier on each site in eV: E(defect) - E(host)."
    )
    site_places: list[tuple[float, float, float]] = Field(
        default_factory=list, description="Fractional coordinates of the sites in the unit cell."
    )
    hops: list[HopRecord] = Field(description="Symmetry-distinct hops.")
    barriers: EnergyDistribution | None = Field(
        None,
        description="Forward and backward barriers in eV of converged hops of distinct states.",
    )
    n_unconverged: int = Field(
        0,
        description="Distinct hops excluded from barriers and percolation because their band or an "
        "end did not converge.",
    )
    n_skipped: int = Field(
        0,
        description="Distinct hops that were not computed: beyond max_hops, or with a shorter "
        "image in the host.",
    )
    n_merged: int = Field(
        0,
        description="Distinct hops excluded from the barriers because both ends relaxed to one "
        "state; percolation includes them.",
    )
    percolation: list[PercolationRecord] = Field(
        default_factory=list,
        description="By number of directions, for the converged hops; upper bounds if some did not "
        "converge or were not computed.",
    )
    path: list[tuple[float, float]] = Field(
        default_factory=list,
        description="Easiest periodic path: energy in eV of each site and of the saddle after it.",
    )


DefectKind = Literal["interstitial", "vacancy", "frenkel", "move"]
Separation = Literal["near", "far"]
SiteSource = Literal["voronoi", "grid", "density", "inpainted", "given"]
Triple = tuple[float, float, float]


class CandidateSite(BaseModel):
    """An empty site for a mobile ion."""

    frac_coords: Triple = Field(
        description="Fractional coordinates in the cell of a glass or the unit cell of a crystal; "
        "if one interstitial ion is stable there, after its relaxation."
    )
    radius_A: float = Field(description="Distance to the nearest atom in A, before relaxation.")
    source: SiteSource = Field(description="How the site was found.")
    multiplicity: int = Field(
        1,
        description="Number of symmetry-equivalent sites in that cell; of relaxed states if an "
        "interstitial is stable.",
    )


class DefectRecord(BaseModel):
    """One defect after relaxation at fixed cell."""

    kind: DefectKind = Field(description="Kind of defect.")
    label: str = Field(description="Short name, unique in the document.")
    site: int | None = Field(None, description="Index of the candidate site that was filled.")
    vacancy: int | None = Field(None, description="Index in the host of the ion that was removed.")
    weight: float = Field(
        1.0,
        description="Number of symmetry-equivalent defects in the cell of a glass or the unit cell "
        "of a crystal: weight in averages; of interstitials that count, of relaxed states.",
    )
    separation: Separation | None = Field(
        None, description="Separation of a pair: near, or as far apart as the cell allows."
    )
    pair_distance_A: float | None = Field(
        None, description="Distance from the vacancy to the filled site in A before relaxation."
    )
    energy_eV: float = Field(description="E(defect) - E(host) in eV, without reservoir.")
    formation_energy_eV: float | None = Field(
        None,
        description="Formation energy in eV with the reservoir at 0 V; pairs and moves need no "
        "reservoir. None if the reservoir is unknown.",
    )
    charge_transferred: int = Field(
        0,
        description="Ions taken from the reservoir; times their charge, the slope in eV/V of the "
        "formation energy.",
    )
    annealing_energy_eV: float | None = Field(
        None,
        description="E(host after the defect was undone and it relaxed again) - E(host) in eV: "
        "what the host gained by annealing. None if not computed or not converged.",
    )
    displaced_ions: int = Field(
        0, description="Number of displaced mobile ions of the host, without the defect itself."
    )
    displaced_framework_atoms: int = Field(
        0, description="Number of displaced framework atoms of the host."
    )
    max_host_displacement_A: float = Field(
        0.0, description="Largest displacement of a host atom in A, without the defect itself."
    )
    recombined: bool = Field(
        False, description="Whether the defect recombined: every regular site is filled again."
    )
    duplicate_of: str | None = Field(
        None, description="Label of an earlier defect with the same relaxed state; None if unique."
    )
    interstitial_frac_coords: list[Triple] = Field(
        default_factory=list,
        description="Positions of ions off the regular sites after relaxation.",
    )
    converged: bool = Field(description="Whether the relaxation reached its force criterion.")
    max_force_eV_per_A: float = Field(
        description="Largest force at the end in eV/A.",
    )
    n_steps: int = Field(description="Steps of the relaxation.")

    @property
    def interstitial_energy_eV(self) -> float:
        """Energy in eV above the annealed host if computed, otherwise above the host."""
        return self.energy_eV - min(self.annealing_energy_eV or 0.0, 0.0)

    @property
    def counts(self) -> bool:
        """Whether averages include it: converged, not recombined, not a duplicate."""
        return self.converged and not self.recombined and self.duplicate_of is None


class Reservoir(BaseModel):
    """Metal reservoir of the mobile ion."""

    species: str = Field(description="Element.")
    chemical_potential_eV: float = Field(
        description="Energy per atom in eV of the metal with the same potential: mu at 0 V."
    )
    source: str = Field(description="Structure of the computed value, or origin of a given value.")
    charge: int = Field(1, description="Charge of the ion in e: mu falls by charge eV per V.")
    voltage_limits_V: tuple[float, float] | None = Field(
        None, description="Voltages against the metal between which the host is on the hull."
    )


class FrenkelEquilibrium(BaseModel):
    """Pairs of vacancy and interstitial in equilibrium at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    fraction: float = Field(description="Fraction of the mobile ions on interstitial sites.")
    concentration_cm3: float = Field(description="Pairs per cm3.")


class ConvergencePoint(BaseModel):
    """The same defect in a supercell of another size."""

    label: str = Field(description="Label of the defect.")
    n_atoms: int = Field(description="Atoms of the supercell without the defect.")
    energy_eV: float = Field(description="E(defect) - E(host) in eV.")


class DefectDoc(VitrionDoc):
    """Energies of the defects of the mobile ion in one host.

    ``structure`` is the host cell; for a crystal it is a supercell, and sites and multiplicities
    refer to ``unit_cell``.
    """

    key_fields: ClassVar = {
        "frenkel_energy_eV": "frenkel_energy_eV.mean_eV",
        "interstitial_energy_eV": "interstitial_energy_eV.mean_eV",
        "vacancy_energy_eV": "vacancy_energy_eV.mean_eV",
    }

    property_name: str = "defects"
    mobile_species: str = Field(description="Mobile element.")
    unit_cell: StoredStructure | None = Field(
        None, description="Cell of the crystal, relaxed; None for a glass."
    )
    supercell: tuple[int, int, int] = Field((1, 1, 1), description="Repeats of the unit cell.")
    host_energy_eV: float = Field(description="Energy in eV of the relaxed host.")
    host_max_force_eV_per_A: float = Field(
        description="Largest force on an atom of the host in eV/A.",
    )
    sites: list[CandidateSite] = Field(description="Candidate interstitial sites.")
    records: list[DefectRecord] = Field(description="Relaxed defects.")
    relaxed_structures: dict[str, StoredStructure] | None = Field(
        None, description="Structure of each defect after relaxation, by label."
    )
    reservoir: Reservoir | None = Field(None, description="Source and sink of the mobile ion.")
    interstitial_energy_eV: EnergyDistribution | None = Field(
        None, description="Interstitials at 0 V, or without reservoir if it is unknown."
    )
    vacancy_energy_eV: EnergyDistribution | None = Field(
        None, description="Vacancies at 0 V, or without reservoir if it is unknown."
    )
    near_frenkel_energy_eV: EnergyDistribution | None = Field(
        None, description="Frenkel pairs of an interstitial and a nearby vacancy."
    )
    frenkel_energy_eV: EnergyDistribution | None = Field(
        None, description="Frenkel pairs as far apart as the cell allows."
    )
    schottky_energy_eV: float | None = Field(
        None,
        description="Energy of a formula unit of vacancies far from each other in eV; for crystals "
        "of the mobile element and one other.",
    )
    equilibrium: list[FrenkelEquilibrium] = Field(
        default_factory=list, description="Frenkel equilibrium by temperature."
    )
    networks: list[BarrierNetwork] = Field(
        default_factory=list, description="Barriers between neighboring sites, by mechanism."
    )
    convergence: list[ConvergencePoint] = Field(
        default_factory=list, description="Energies in supercells of rising size (crystals)."
    )
    supercell_error_eV: float | None = Field(
        None, description="Largest difference in eV between the two largest supercells."
    )

    def of_kind(self, *kinds: DefectKind) -> list[DefectRecord]:
        """Return the records of the given kinds that averages include."""
        return [r for r in self.records if r.kind in kinds and r.counts]

    def formation_line(self, label: str, voltages_V: list[float]) -> list[float]:
        """Return the formation energy in eV of a defect at voltages against the metal.

        Raises
        ------
        KeyError
            If the defect or the reservoir is unknown.
        """
        record = next((r for r in self.records if r.label == label), None)
        if record is None or record.formation_energy_eV is None:
            raise KeyError(f"No formation energy is known for '{label}'.")
        charge = 0 if self.reservoir is None else self.reservoir.charge
        slope = record.charge_transferred * charge
        return [record.formation_energy_eV + slope * v for v in voltages_V]
