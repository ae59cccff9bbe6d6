"""Defects of the mobile ion: sites, energies, concentrations, and the hops between them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from vitrion.documents.base import StoredStructure, VitrionDoc

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
    copies: list[tuple[int, int, tuple[int, int, int]]] = Field(
        default_factory=list,
        description="Start, end and cell of the end of each hop of the cell that is the same by "
        "symmetry, this one included; either direction.",
    )
    attempt_frequency_Hz: float | None = Field(
        None, description="Harmonic attempt frequency from the start in Hz (Vineyard 1957)."
    )
    backward_attempt_frequency_Hz: float | None = Field(
        None, description="The same from the end in Hz."
    )
    attempt_frequency_failure: str | None = Field(
        None, description="Why there is no harmonic attempt frequency, if it was asked for."
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
    site_places: list[tuple[float, float, float]] = Field(
        default_factory=list, description="Fractional coordinates of the sites in the unit cell."
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


DefectKind = Literal["interstitial", "vacancy", "frenkel", "move"]
Separation = Literal["near", "far"]
SiteSource = Literal["voronoi", "grid", "density", "inpainted", "given"]
Triple = tuple[float, float, float]


class CandidateSite(BaseModel):
    """A place where no mobile ion is, but one could be."""

    frac_coords: Triple = Field(description="Fractional coordinates in the cell of the host.")
    radius_A: float = Field(description="Distance to the nearest atom in A, before relaxation.")
    source: SiteSource = Field(description="How the site was found.")
    multiplicity: int = Field(1, description="Number of such sites in the host, by symmetry.")


class DefectRecord(BaseModel):
    """One defect after relaxation at fixed cell."""

    kind: DefectKind = Field(description="What was done to the host.")
    label: str = Field(description="Short name, unique in the document.")
    site: int | None = Field(None, description="Index of the candidate site that was filled.")
    vacancy: int | None = Field(None, description="Index in the host of the ion that was removed.")
    weight: float = Field(
        1.0, description="Number of such defects in the host, by symmetry: weight in averages."
    )
    separation: Separation | None = Field(
        None, description="Of a pair: close together, or as far apart as the cell allows."
    )
    pair_distance_A: float | None = Field(
        None, description="From the vacancy to the filled site in A, before relaxation."
    )
    energy_eV: float = Field(description="E(defect) - E(host) in eV, without reservoir.")
    formation_energy_eV: float | None = Field(
        None,
        description="Energy against the reservoir at 0 V in eV; for a pair or a move the energy "
        "itself, which needs no reservoir. None where the reservoir is not known.",
    )
    charge_transferred: int = Field(
        0, description="Ions taken from the reservoir: slope in eV/V of the formation energy."
    )
    annealing_energy_eV: float | None = Field(
        None,
        description="E(host after the defect was undone and it relaxed again) - E(host) in eV: "
        "what the host gained by annealing. None if not computed or not converged.",
    )
    displaced_ions: int = Field(
        0, description="Mobile ions of the host, not touched, that left their place."
    )
    displaced_framework_atoms: int = Field(
        0, description="Other atoms of the host that left their place."
    )
    max_host_displacement_A: float = Field(
        0.0, description="Largest displacement of an untouched atom in A."
    )
    recombined: bool = Field(
        False, description="Whether the defect recombined: every regular site is filled again."
    )
    duplicate_of: str | None = Field(
        None, description="Label of the defect that this one relaxed into, if so."
    )
    interstitial_frac_coords: list[Triple] = Field(
        default_factory=list, description="Where ions sit off the regular sites, after relaxation."
    )
    converged: bool = Field(description="Whether the forces fell below the bound.")
    max_force_eV_per_A: float = Field(
        description="Largest force at the end in eV/A.",
    )
    n_steps: int = Field(description="Steps of the relaxation.")

    @property
    def interstitial_energy_eV(self) -> float:
        """Energy in eV above the annealed host, where that is known, else above the host."""
        return self.energy_eV - min(self.annealing_energy_eV or 0.0, 0.0)

    @property
    def counts(self) -> bool:
        """Whether it enters averages: a converged defect that is there and counted once."""
        return self.converged and not self.recombined and self.duplicate_of is None


class Reservoir(BaseModel):
    """The metal that gives and takes the mobile ion."""

    species: str = Field(description="Element.")
    chemical_potential_eV: float = Field(
        description="Energy per atom in eV of the metal with the same potential: mu at 0 V."
    )
    source: str = Field(description="Structure it was computed on, or who gave the value.")
    charge: int = Field(1, description="Charge of the ion in e: mu falls by charge eV per V.")
    voltage_limits_V: tuple[float, float] | None = Field(
        None, description="Voltages against the metal between which the host is on the hull."
    )

    def chemical_potential(self, voltage_V: float) -> float:
        """Return mu in eV at a voltage against the metal."""
        return self.chemical_potential_eV - self.charge * voltage_V


class FrenkelEquilibrium(BaseModel):
    """Pairs of vacancy and interstitial in equilibrium at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    fraction: float = Field(description="Share of the mobile ions on interstitial sites.")
    concentration_cm3: float = Field(description="Pairs per cm3.")


class ConvergencePoint(BaseModel):
    """The same defect in a supercell of another size."""

    label: str = Field(description="Label of the defect.")
    n_atoms: int = Field(description="Atoms of the supercell without the defect.")
    energy_eV: float = Field(description="E(defect) - E(host) in eV.")


class DefectDoc(VitrionDoc):
    """Energies of the defects of the mobile ion in one host.

    ``structure`` is the cell that holds the defects; for a crystal it is a supercell, and the
    sites and their multiplicities are those of ``unit_cell``.
    """

    key_fields: ClassVar = {
        "frenkel_energy_eV": "frenkel_energy_eV.mean_eV",
        "interstitial_energy_eV": "interstitial_energy_eV.mean_eV",
        "vacancy_energy_eV": "vacancy_energy_eV.mean_eV",
    }

    property_name: str = "defects"
    mobile_species: str = Field(description="Element whose defects they are.")
    unit_cell: StoredStructure | None = Field(
        None, description="Cell of the crystal, relaxed; None for a glass."
    )
    supercell: tuple[int, int, int] = Field((1, 1, 1), description="Repeats of the unit cell.")
    host_energy_eV: float = Field(description="Energy in eV of the relaxed host.")
    host_max_force_eV_per_A: float = Field(
        description="Largest force on its atoms in eV/A.",
    )
    sites: list[CandidateSite] = Field(description="Empty sites that were tried.")
    records: list[DefectRecord] = Field(description="The defects, relaxed.")
    relaxed_structures: dict[str, StoredStructure] | None = Field(
        None, description="Structure of each defect after relaxation, by label."
    )
    reservoir: Reservoir | None = Field(None, description="Source and sink of the mobile ion.")
    interstitial_energy_eV: EnergyDistribution | None = Field(
        None, description="Interstitials at 0 V, or without reservoir where none is known."
    )
    vacancy_energy_eV: EnergyDistribution | None = Field(
        None, description="Vacancies at 0 V, or without reservoir where none is known."
    )
    near_frenkel_energy_eV: EnergyDistribution | None = Field(
        None, description="Pairs of an ion in a void and the vacancy it left close by."
    )
    frenkel_energy_eV: EnergyDistribution | None = Field(
        None, description="Such pairs as far apart as the cell allows: the primary quantity."
    )
    equilibrium: list[FrenkelEquilibrium] = Field(
        default_factory=list, description="Pairs in equilibrium, by temperature."
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
        """Return the records of some kinds that enter averages."""
        return [r for r in self.records if r.kind in kinds and r.counts]

    def formation_line(self, label: str, voltages_V: list[float]) -> list[float]:
        """Return the formation energy in eV of a defect at voltages against the metal.

        Raises
        ------
        KeyError
            If there is no such defect, or no reservoir to count from.
        """
        record = next((r for r in self.records if r.label == label), None)
        if record is None or record.formation_energy_eV is None:
            raise KeyError(f"No formation energy is known for '{label}'.")
        charge = 0 if self.reservoir is None else self.reservoir.charge
        slope = record.charge_transferred * charge
        return [record.formation_energy_eV + slope * v for v in voltages_V]
