"""Settings of a defect study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from vitrion.chemistry.phases import read_phase
from vitrion.chemistry.species import element_symbol
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from vitrion.migration.elastic_band import ElasticBand


class BarrierSettings(SettingsModel):
    """Settings of the barriers between neighboring sites."""

    mechanisms: tuple[Literal["vacancy", "interstitial"], ...] = Field(
        ("vacancy",), description="Carriers."
    )
    n_between: int = Field(5, ge=1, le=100, description="Images between the ends of a band.")
    max_length_A: float = Field(
        5.0,
        gt=0,
        description="Longest hop in A; hops with a shorter image in the host's cell are excluded.",
    )
    max_hops: int | None = Field(
        None, ge=1, description="Compute the shortest distinct hops only; None computes all."
    )
    fmax_eV_per_A: float = Field(
        0.05,
        gt=0,
        description="Largest force of a relaxed band in eV/A.",
    )
    max_steps: int = Field(200, ge=1, description="Maximum number of steps of a band.")
    attempt_frequencies: bool = Field(
        False,
        description="Whether the harmonic attempt frequency of each hop is computed (Vineyard "
        "1957): six force calls for each atom of the host, at both ends and at the saddle point.",
    )

    def elastic_band(self, calculator: Calculator) -> ElasticBand:
        """Return what relaxes bands with a calculator as these settings say."""
        from vitrion.migration.elastic_band import ElasticBand

        return ElasticBand(calculator, self.fmax_eV_per_A, self.max_steps)


Positive = Annotated[float, Field(gt=0)]

FRENKEL = ("near", "far")
"""Kinds of defects for which ``frenkel`` stands."""


def _with_frenkel(kinds: Any) -> Any:
    """Replace ``frenkel`` by the two kinds of pairs."""
    if not isinstance(kinds, (list, tuple)):
        return kinds
    found = [k for kind in kinds for k in (FRENKEL if kind == "frenkel" else (kind,))]
    return tuple(dict.fromkeys(found))


class DefectSettings(SettingsModel):
    """Settings of a defect study; the defaults suit a quick study of one host."""

    mobile: Annotated[str, BeforeValidator(element_symbol)] | None = Field(
        None, description="Mobile element; None uses the default of the composition."
    )
    phase: Annotated[Literal["crystalline", "amorphous"] | None, BeforeValidator(read_phase)] = (
        Field(None, description="Phase; None treats a structure without symmetry as a glass.")
    )
    kinds: Annotated[
        tuple[Literal["interstitial", "vacancy", "near", "far"], ...],
        BeforeValidator(_with_frenkel),
    ] = Field(
        ("interstitial", "vacancy", "near", "far"),
        description="Kinds of defects; near and far are Frenkel pairs, frenkel is both. The "
        "carriers of barriers are added.",
    )
    sources: tuple[Literal["voronoi", "grid"], ...] = Field(
        ("voronoi",), description="Where candidate sites come from."
    )
    min_radius_A: float = Field(
        1.4, gt=0, description="Minimum distance of a site to an atom in A."
    )
    max_sites: int | None = Field(40, ge=1, description="Maximum number of sites, widest first.")
    supercell_side_A: float = Field(
        10.0, gt=0, le=100, description="Minimum distance of a crystal's defect to its image in A."
    )
    convergence_sides_A: tuple[Positive, ...] = Field(
        (7.5,), description="Other supercell sides in A for the convergence of the lowest defects."
    )
    symprec_A: float = Field(0.01, gt=0, description="Tolerance of the symmetry search in A.")
    fmax_eV_per_A: float = Field(
        0.03,
        gt=0,
        description="Force criterion of the relaxation in eV/A.",
    )
    force_bound_eV_per_A: float = Field(
        0.15,
        gt=0,
        description="Largest initial force of the host in eV/A.",
    )
    max_steps: int = Field(300, ge=1, description="Maximum number of steps of a relaxation.")
    rattle_A: float = Field(
        0.02, ge=0, description="Random displacement in A that breaks a defect's symmetry."
    )
    anneal: bool | None = Field(
        None,
        description="Whether to remove each defect and relax the host again; None: glasses only.",
    )
    batched: bool = Field(
        False,
        description="Whether to relax batches in common model calls; faster on a GPU only.",
    )
    batch_size: int = Field(8, ge=1, description="Defects relaxed, and saved, together.")
    temperatures_K: tuple[Positive, ...] = Field(
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
        0, ge=0, description="Number of candidate sites from the diffusion generator."
    )
    barriers: BarrierSettings | None = Field(
        None, description="None computes no barriers between sites."
    )
    seed: int = Field(0, description="Seed of the random displacements.")

    @property
    def all_kinds(self) -> frozenset[str]:
        """Kinds of defects to compute: the requested ones and the carriers of barriers."""
        return frozenset([*self.kinds, *(self.barriers.mechanisms if self.barriers else ())])
