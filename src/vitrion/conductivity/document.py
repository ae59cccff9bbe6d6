"""Document of the ionic conductivity of one material."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from vitrion.amorphous.glass_transition import GlassTransition
from vitrion.conductivity.from_defects import DefectConductivity
from vitrion.conductivity.precision import Plan
from vitrion.conductivity.temperature_choice import TemperatureChoice
from vitrion.documents.base import VitrionDoc
from vitrion.dynamics.document import TrajectoryReference
from vitrion.transport.arrhenius_fit import ArrheniusResult, arrhenius
from vitrion.transport.replicas import combine_temperatures
from vitrion.transport.result import TransportResult
from vitrion.uncertainty import Bound, Estimate, ReplicaMean, upper_bound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from pymatgen.core import Structure

    from vitrion.documents.base import Phase

Formula = Literal["Einstein", "Nernst-Einstein"]
"""Conductivity from the collective diffusivity, or from the self-diffusivity."""


class DensityPoint(BaseModel):
    """Density of the dynamics at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    density_g_per_cm3: ReplicaMean = Field(
        description="Density in g/cm3 at the mean volume of dynamics at constant pressure."
    )


class ConductivityDoc(VitrionDoc):
    """Ion transport at several temperatures, and its extrapolation to 300 K."""

    key_fields: ClassVar = {
        "sigma_300K": "sigma_300K.value",
        "sigma_300K_bound": "sigma_300K_bound",
        "activation_energy_eV": "activation_energy_eV",
    }

    property_name: str = "conductivity"
    mobile_species: dict[str, float] = Field(description="Mobile species and their charges in e.")
    temperatures_K: list[float] = Field(description="Temperatures of the runs in K, ascending.")
    results: list[TransportResult] = Field(
        description="Transport at each temperature, combined over replicas."
    )
    replicas: list[list[TransportResult]] = Field(
        default_factory=list, description="Transport of each replica, by temperature."
    )
    systems: list[list[int]] = Field(
        default_factory=list,
        description="Index of the structure of each of `replicas`, from 0, by temperature; empty "
        "if there is one structure.",
    )
    glass_transition: GlassTransition | None = Field(
        None,
        description="Glass transition of the quenches of the structures. Higher temperatures are "
        "excluded from the fit, which assumes a glass down to 300 K.",
    )
    temperature_choice: TemperatureChoice | None = Field(
        None, description="Scan that chose the temperatures; None if they were given."
    )
    densities: list[DensityPoint] = Field(
        default_factory=list,
        description="Density by temperature; empty if the runs kept the cell of the structure.",
    )
    arrhenius: ArrheniusResult | None = Field(
        None,
        description="Temperature dependence, or the reasons for its refusal; None without results.",
    )
    nernst_einstein: ArrheniusResult | None = Field(
        None,
        description="Temperature dependence of the self-diffusivity, if `arrhenius` fits the "
        "collective diffusivity; for comparison with materials without a certain collective one.",
    )
    activation_energy_eV: float | None = Field(None, description="Activation energy in eV.")
    activation_energy_error_eV: float | None = Field(None, description="Its standard error in eV.")
    sigma_300K: Estimate | None = Field(
        None, description="Conductivity at 300 K in mS/cm with its predictive interval."
    )
    sigma_300K_bound: float | None = Field(
        None, description="One-sided 95 % upper bound at 300 K in mS/cm, if there is no value."
    )
    route: Literal["dynamics", "defects"] = Field(
        "dynamics",
        description="Whether the value at 300 K and the activation energy come from molecular "
        "dynamics, or from the energies and barriers of defects.",
    )
    by_defects: DefectConductivity | None = Field(
        None, description="Conductivity of a crystal from its defects, if it was computed."
    )
    pooled_from: list[str] = Field(
        default_factory=list,
        description="Identifiers of the documents of independent runs that were combined.",
    )
    plan: Plan | None = Field(
        None, description="Whether the target precision was reached, and why the runs ended."
    )
    directory: str | None = Field(None, description="Directory of the runs.")
    trajectories: dict[str, list[TrajectoryReference]] = Field(
        default_factory=dict,
        description="Trajectory files of the segments of each run, with checksums.",
    )
    failures: dict[str, str] = Field(
        default_factory=dict, description="Failed runs, which are excluded, and their errors."
    )
    failed_extensions: dict[str, str] = Field(
        default_factory=dict,
        description="Runs that failed in an extension, and their errors; their finished segments "
        "are used.",
    )
    remarks: list[str] = Field(
        default_factory=list,
        description="Remarks about the structures, such as glasses excluded because they "
        "crystallized.",
    )

    @property
    def sigma_300K_or_bound(self) -> Estimate | Bound | None:
        """The conductivity at 300 K in mS/cm, its upper bound, or None."""
        return self.sigma_300K or upper_bound(self.sigma_300K_bound)

    @property
    def lacks_runs(self) -> bool:
        """Whether the results are combined over runs that the document does not contain."""
        return not self.replicas and any(
            result.n_replicas > 1 or result.finite_time for result in self.results
        )

    @property
    def formula_used(self) -> Formula:
        """The formula of the conductivity at 300 K."""
        collective = self.arrhenius is not None and self.arrhenius.quantity == "collective"
        return "Einstein" if collective else "Nernst-Einstein"

    @classmethod
    def from_results(
        cls,
        structure: Structure,
        results_by_temperature: Mapping[float, TransportResult | Sequence[TransportResult]],
        *,
        hierarchical: bool = False,
        systems: Mapping[float, Sequence[int]] | None = None,
        melting_K: float | None = None,
        glass_transition_K: float | None = None,
        material_id: str | None = None,
        phase: Phase | None = None,
        **fields: Any,
    ) -> Self:
        """Build the document from transport results.

        Parameters
        ----------
        structure
            Structure of the material.
        results_by_temperature
            One result, or one result per replica, by temperature in K.
        hierarchical
            Whether replicas are different systems, such as independent glasses.
        systems
            Index of the system of each replica, by temperature in K. Replicas of one system are
            combined by their errors before the systems are combined.
        melting_K, glass_transition_K
            Temperatures in K above which points are excluded from the Arrhenius fit.
        material_id
            Identifier of the material.
        phase
            Phase of the material. The results of a glass are corrected for the finite time of its
            runs.
        **fields
            Other fields of the document, such as ``trust`` and ``provenance``.
        """
        temperatures = sorted(results_by_temperature)
        values = [results_by_temperature[temperature] for temperature in temperatures]
        groups = [[v] if isinstance(v, TransportResult) else list(v) for v in values]
        if systems is None and hierarchical:
            systems = {t: range(len(group)) for t, group in zip(temperatures, groups, strict=True)}
        glass = phase == "amorphous"
        of = [list(systems[t]) if systems else None for t in temperatures]
        limits: dict[str, Any] = {"melting_K": melting_K, "glass_transition_K": glass_transition_K}
        results = combine_temperatures(
            groups,
            hierarchical=hierarchical,
            systems=of,
            disordered=glass,
            **limits,
        )
        fit = arrhenius(results, **limits) if results else None
        is_collective = fit is not None and fit.quantity == "collective"
        line = fit.fit if fit else None
        return cls.from_structure(
            structure,
            material_id=material_id,
            phase=phase,
            mobile_species=dict(results[0].mobile) if results else {},
            temperatures_K=[result.temperature_K for result in results],
            results=results,
            replicas=groups if glass or any(len(group) > 1 for group in groups) else [],
            systems=[which for which in of if which],
            arrhenius=fit,
            nernst_einstein=arrhenius(results, quantity="self", **limits)
            if is_collective
            else None,
            activation_energy_eV=line.activation_energy_eV if line else None,
            activation_energy_error_eV=line.activation_energy_error_eV if line else None,
            sigma_300K=fit.sigma_300K if fit else None,
            sigma_300K_bound=fit.sigma_300K_bound if fit else None,
            **fields,
        )
