"""Ionic conductivity of one material over temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from vitrion.documents.base import VitrionDoc
from vitrion.transport.arrhenius import ArrheniusResult, arrhenius
from vitrion.transport.result import Estimate, TransportResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from pymatgen.core import Structure


class ConductivityDoc(VitrionDoc):
    """Ion transport at several temperatures and what it extrapolates to."""

    key_fields: ClassVar = {
        "sigma_300K": "conductivity_300K.value",
        "sigma_300K_bound": "conductivity_bound_300K",
        "activation_energy_eV": "activation_energy_eV",
    }

    property_name: str = "conductivity"
    mobile: dict[str, float] = Field(description="Mobile species and their charges in e.")
    temperatures_K: list[float] = Field(description="Temperatures that were run, in K, rising.")
    results: list[TransportResult] = Field(
        description="Transport at each temperature, replicas combined."
    )
    replicas: list[list[TransportResult]] = Field(
        default_factory=list, description="Transport of each replica, by temperature."
    )
    arrhenius: ArrheniusResult = Field(description="Temperature dependence, or why there is none.")
    activation_energy_eV: float | None = Field(None, description="Activation energy in eV.")
    activation_energy_error_eV: float | None = Field(None, description="Its standard error in eV.")
    conductivity_300K: Estimate | None = Field(
        None, description="Conductivity at 300 K in mS/cm with its predictive interval."
    )
    conductivity_bound_300K: float | None = Field(
        None, description="One-sided 95 % upper bound at 300 K in mS/cm, where there is no value."
    )
    trajectories: list[dict[str, Any]] = Field(
        default_factory=list, description="References to the trajectories, with checksums."
    )

    @classmethod
    def from_results(
        cls,
        structure: Structure,
        results_by_temperature: Mapping[float, TransportResult | Sequence[TransportResult]],
        *,
        hierarchical: bool = False,
        melting_K: float | None = None,
        glass_transition_K: float | None = None,
        material_id: str | None = None,
        **fields: Any,
    ) -> Self:
        """Build the document.

        Parameters
        ----------
        structure
            Structure whose transport this is.
        results_by_temperature
            One result, or one for each replica, at each temperature in K.
        hierarchical
            Whether replicas are systems of their own, as independent glasses are.
        melting_K, glass_transition_K
            Temperatures in K above which no point enters the Arrhenius fit.
        material_id
            Identifier of the material.
        **fields
            Other fields of the document, such as ``trust``, ``phase`` and ``provenance``.
        """
        from vitrion.transport.combine import combine

        groups = [
            [value] if isinstance(value, TransportResult) else list(value)
            for _, value in sorted(results_by_temperature.items())
        ]
        results = [combine(group, hierarchical=hierarchical) for group in groups]
        fit = arrhenius(results, melting_K=melting_K, glass_transition_K=glass_transition_K)
        return cls.from_structure(
            structure,
            material_id=material_id,
            mobile=results[0].mobile if results else {},
            temperatures_K=[result.temperature_K for result in results],
            results=results,
            replicas=groups if any(len(group) > 1 for group in groups) else [],
            arrhenius=fit,
            activation_energy_eV=fit.fit.activation_energy_eV if fit.fit else None,
            activation_energy_error_eV=fit.fit.activation_energy_error_eV if fit.fit else None,
            conductivity_300K=fit.conductivity_300K,
            conductivity_bound_300K=fit.conductivity_bound_300K,
            **fields,
        )
