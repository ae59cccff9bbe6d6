"""What a user can choose about a study of defects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from vitrion.chemistry.species import element_symbol
from vitrion.migration.elastic_band import ElasticBand
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class BarrierSettings(SettingsModel):
    """How the barriers between neighboring sites are found."""

    mechanisms: tuple[Literal["vacancy", "interstitial"], ...] = Field(
        ("vacancy",), description="What moves."
    )
    n_between: int = Field(5, ge=1, description="Images between the ends of a band.")
    max_length_A: float = Field(5.0, gt=0, description="Longest hop in A.")
    max_hops: int | None = Field(
        None, ge=1, description="Compute the shortest distinct hops only; None computes all."
    )
    fmax_eV_per_A: float = Field(
        0.05,
        gt=0,
        description="Largest force of a relaxed band in eV/A.",
    )
    max_steps: int = Field(200, ge=1, description="Steps after which a band is given up.")
    climb: bool = Field(True, description="Whether the highest image climbs to the saddle point.")
    attempt_frequencies: bool = Field(
        False,
        description="Whether the harmonic attempt frequency of each hop is computed (Vineyard "
        "1957): six force calls for each atom of the host, at both ends and at the saddle point.",
    )

    def elastic_band(self, calculator: Calculator) -> ElasticBand:
        """Return what relaxes bands with a calculator as these settings say."""
        return ElasticBand(calculator, self.fmax_eV_per_A, self.max_steps, self.climb)


class DefectSettings(SettingsModel):
    """Choices with defaults that suit a quick study of one host."""

    mobile: Annotated[str, BeforeValidator(element_symbol)] | None = Field(
        None, description="Mobile element; None finds it by chemistry."
    )
    phase: Literal["crystalline", "amorphous"] | None = Field(
        None, description="None takes a structure without symmetry for a glass."
    )
    kinds: tuple[Literal["interstitial", "vacancy", "near", "far"], ...] = Field(
        ("interstitial", "vacancy", "near", "far"),
        description="Defects to make; near and far are pairs of an ion moved into a void.",
    )
    sources: tuple[Literal["voronoi", "grid"], ...] = Field(
        ("voronoi",), description="Where candidate sites come from."
    )
    min_radius_A: float = Field(1.4, gt=0, description="Least distance of a site to an atom in A.")
    max_sites: int | None = Field(40, ge=1, description="Most sites to try, widest first.")
    supercell_side_A: float = Field(
        10.0, gt=0, description="Least distance of a crystal's defect to its image in A."
    )
    convergence_sides_A: tuple[float, ...] = Field(
        (7.5,), description="Other such distances at which the lowest defects are computed again."
    )
    symprec_A: float = Field(0.01, gt=0, description="Tolerance of the symmetry search in A.")
    fmax_eV_per_A: float = Field(
        0.03,
        gt=0,
        description="Largest force that counts as relaxed, eV/A.",
    )
    force_bound_eV_per_A: float = Field(
        0.15,
        gt=0,
        description="Largest force in eV/A that the host may come with.",
    )
    max_steps: int = Field(300, ge=1, description="Steps after which a relaxation is given up.")
    rattle_A: float = Field(
        0.02, ge=0, description="Random displacement in A that breaks a defect's symmetry."
    )
    anneal: bool | None = Field(
        None,
        description="Undo each defect and relax the host again; None does so in a glass alone.",
    )
    batched: bool = Field(
        False,
        description="Relax a batch in the same model calls; pays on a GPU, not on a CPU.",
    )
    batch_size: int = Field(8, ge=1, description="Defects relaxed, and saved, together.")
    temperatures_K: tuple[float, ...] = Field(
        (300.0, 400.0, 500.0, 600.0, 800.0, 1000.0),
        description="For Boltzmann energies and equilibrium, in K.",
    )
    chemical_potential_eV: float | None = Field(
        None, description="Energy per atom of the metal; None computes it."
    )
    voltage_limits_V: tuple[float, float] | None = Field(
        None,
        description="Voltages against the metal between which the host is on the hull: see "
        "vitrion.defects.reservoir.voltage_window.",
    )
    n_inpainted: int = Field(
        0, ge=0, description="Ions that the diffusion generator puts into the host as candidates."
    )
    barriers: BarrierSettings | None = Field(
        None, description="None computes no barriers between sites."
    )
    seed: int = Field(0, description="Seed of the random displacements.")
