"""Conductivity of a crystal from the concentrations and diffusivities of its defects.

``sigma = sum_d c_d q^2 D_d / kT`` over vacancies and interstitial ions. Their concentrations follow
from the energies of Frenkel pairs and Schottky defects and charge neutrality, their diffusivities
from the exact random walk on the network of hops (:mod:`vitrion.migration.random_walk`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, Field

from vitrion.conductivity.defect_route_settings import DefectConductivitySettings
from vitrion.conductivity.potential_errors import ErrorSource, PotentialErrors, potential_errors
from vitrion.defects.statistics import log_interstitial_fraction, log_vacancy_fraction
from vitrion.errors import InputError
from vitrion.landscape.site_energies import site_energies
from vitrion.migration.network_walk import network_walk
from vitrion.transport.constants import KB_EV_PER_K, NERNST_EINSTEIN, ROOM_K
from vitrion.uncertainty import Estimate, LinearEstimate

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from vitrion.defects.document import BarrierNetwork, DefectDoc, Mechanism
    from vitrion.landscape.site_energies import SiteEnergies


class DefectConductivityPoint(BaseModel):
    """Concentrations, diffusivities and conductivity at one temperature."""

    temperature_K: float = Field(description="Temperature in K.")
    conductivity: Estimate = Field(
        description="Conductivity in mS/cm; its interval follows from the potential's errors."
    )
    vacancy_fraction: float = Field(description="Vacancies as a fraction of the mobile ions.")
    interstitial_fraction: float = Field(
        description="Interstitial ions as a fraction of the mobile ions."
    )
    anion_vacancy_fraction: float = Field(
        0.0, description="Vacant fraction of the anion sites, from Schottky defects."
    )
    vacancy_diffusivity_cm2_s: float | None = Field(
        None, description="Diffusivity of one vacancy in cm2/s, averaged over orientations."
    )
    interstitial_diffusivity_cm2_s: float | None = Field(
        None,
        description="Diffusivity of one interstitial ion in cm2/s, averaged over orientations.",
    )
    mechanism: Literal["vacancy", "interstitial"] = Field(
        description="Defect that carries most of the current."
    )


class DefectConductivity(BaseModel):
    """Conductivity of a crystal from the energies and barriers of its defects."""

    defect_fraction: float = Field(
        description="Vacancies due to dopants, as a fraction of the mobile ions."
    )
    points: list[DefectConductivityPoint] = Field(description="Values by ascending temperature.")
    sigma_300K: Estimate = Field(description="Conductivity at 300 K in mS/cm.")
    activation_energy: LinearEstimate = Field(
        description="-d ln(sigma T) / d(1/kT) at 300 K in eV, with the potential's error."
    )
    frenkel_energy_eV: float = Field(
        description="Lowest energy of a separated Frenkel pair in eV: lowest empty minus highest "
        "occupied site energy."
    )
    schottky_energy_eV: float | None = Field(
        None, description="Energy of a Schottky defect in eV; None if it was not computed."
    )
    formation_error_eV: float = Field(description="Standard error of formation energies in eV.")
    barrier_error_eV: float = Field(description="Standard error of barriers in eV.")
    error_source: ErrorSource = Field(
        "assumed",
        description="Where the standard errors are from: given in the settings; from the data card "
        "of the potential, its differences from its teacher; or assumed.",
    )
    mechanisms: list[str] = Field(description="Mechanisms whose barriers were computed.")
    n_assumed_frequencies: int = Field(
        description="Distinct hops over a barrier with the assumed attempt frequency of 1e13 Hz."
    )
    n_unconverged_hops: int = Field(
        description="Distinct hops that did not converge and are excluded."
    )
    n_skipped_hops: int = Field(
        0, description="Distinct hops that were not computed, which count as closed."
    )


def conductivity_from_defects(
    document: DefectDoc,
    charge: float,
    settings: DefectConductivitySettings | None = None,
) -> DefectConductivity:
    """Compute the conductivity of a crystal from a study of its defects.

    Concentrations: ``c_v c_i = K(T)`` of the Frenkel pair, with the site energies from far pairs;
    ``c_v^n c_a = exp(-E_S / kT)`` of the Schottky defect with anion vacancies a, if its energy is
    known; and charge neutrality with `defect_fraction`. Defects are assumed dilute and
    non-interacting.

    Parameters
    ----------
    document : DefectDoc
        Defects of a crystal, with far pairs and at least one barrier network.
    charge : float
        Charge of the mobile ion in e.
    settings : DefectConductivitySettings, optional

    Raises
    ------
    InputError
        If the document lacks pairs or barriers, or no network of hops percolates.
    """
    settings = settings or DefectConductivitySettings()
    networks = {network.mechanism: network for network in document.networks}
    if not networks or document.unit_cell is None:
        raise InputError(
            f"The conductivity of {document.formula_pretty} from its defects needs the barriers of "
            "a crystal: compute defects with barriers."
        )
    if not any(network.percolation for network in networks.values()):
        raise InputError(
            f"No path of hops percolates through {document.formula_pretty}: allow longer hops or "
            "more sites, or check the hops that did not converge."
        )
    energies = site_energies(document)
    model = _DefectModel(
        document.unit_cell,
        document.mobile_species,
        charge,
        networks,
        energies,
        document.schottky_energy_eV,
        settings.defect_fraction,
        potential_errors(document.provenance.potential, settings),
    )
    reference = model.point(ROOM_K)
    return DefectConductivity(
        defect_fraction=settings.defect_fraction,
        points=[model.point(t) for t in sorted({*settings.temperatures_K})],
        sigma_300K=reference.conductivity,
        activation_energy=LinearEstimate(
            value=model.activation_energy_eV(), error=model.energy_error_eV(reference)
        ),
        frenkel_energy_eV=min(energies.empty.values()) - max(energies.occupied.values()),
        schottky_energy_eV=document.schottky_energy_eV,
        formation_error_eV=model.errors.formation_eV,
        barrier_error_eV=model.errors.barrier_eV,
        error_source=model.errors.source,
        mechanisms=sorted(networks),
        n_assumed_frequencies=sum(
            hop.counts and hop.has_barrier and hop.attempt_frequency_Hz is None
            for network in networks.values()
            for hop in network.hops
        ),
        n_unconverged_hops=sum(network.n_unconverged for network in networks.values()),
        n_skipped_hops=sum(network.n_skipped for network in networks.values()),
    )


@dataclass(frozen=True)
class _Concentrations:
    """Defects per mobile ion, vacant fraction of the anion sites, and ``d ln c / d(-E / kT)``."""

    fractions: dict[Mechanism, float]
    anion_vacancies: float
    formation_weights: dict[Mechanism, float]


@dataclass(frozen=True)
class _DefectModel:
    """Dilute vacancies and interstitial ions of a crystal.

    Attributes
    ----------
    cell : Structure
        Unit cell.
    mobile : str
        Element of the mobile ion.
    charge : float
        Its charge in e.
    networks : dict
        Barrier network by mechanism.
    energies : SiteEnergies
    schottky_eV : float or None
        Energy of a Schottky defect.
    defect_fraction : float
        Vacancies due to dopants, per mobile ion.
    errors : PotentialErrors
    """

    cell: Structure
    mobile: str
    charge: float
    networks: dict[Mechanism, BarrierNetwork]
    energies: SiteEnergies
    schottky_eV: float | None
    defect_fraction: float
    errors: PotentialErrors

    def concentrations(self, temperature_K: float) -> _Concentrations:
        """Solve the mass-action laws and charge neutrality."""
        energies, excess = self.energies, self.defect_fraction
        log_pairs = log_interstitial_fraction(
            list(energies.occupied.values()),
            list(energies.empty.values()),
            temperature_K,
            list(energies.occupied_weights.values()),
            list(energies.empty_weights.values()),
        )
        log_schottky, n = -math.inf, 1
        if self.schottky_eV is not None:
            n = round(self.cell.composition.reduced_composition[self.mobile])
            log_schottky = -self.schottky_eV / (KB_EV_PER_K * temperature_K)
        log_v = log_vacancy_fraction(2 * log_pairs, excess, log_schottky, n)
        # Ratios to the vacancies: the fractions themselves may underflow.
        interstitials = math.exp(2 * (log_pairs - log_v))
        anions = math.exp(log_schottky - (n + 1) * log_v)
        # d ln c / d(-E / kT) of neutrality, all formation energies together.
        share = (interstitials + anions) / (1.0 + interstitials + n * anions)
        vacancies = math.exp(log_v)
        return _Concentrations(
            {"vacancy": vacancies, "interstitial": interstitials * vacancies},
            anions * vacancies,
            {"vacancy": share, "interstitial": 1.0 - share},
        )

    def point(self, temperature_K: float) -> DefectConductivityPoint:
        """Return concentrations, diffusivities and conductivity at a temperature."""
        cell, found = self.cell, self.concentrations(temperature_K)
        fractions = found.fractions
        diffusivities = {
            name: network_walk(network, cell.lattice.matrix, temperature_K).isotropic_cm2_s
            for name, network in self.networks.items()
        }
        density = cell.composition[self.mobile] / cell.volume
        factor = NERNST_EINSTEIN * self.charge**2 * density / temperature_K
        sigma = {name: factor * fractions[name] * d for name, d in diffusivities.items()}
        point = DefectConductivityPoint(
            temperature_K=temperature_K,
            conductivity=Estimate(
                value=sum(sigma.values()), relative_error=0.0, degrees_of_freedom=math.inf
            ),
            vacancy_fraction=fractions["vacancy"],
            interstitial_fraction=fractions["interstitial"],
            anion_vacancy_fraction=found.anion_vacancies,
            vacancy_diffusivity_cm2_s=diffusivities.get("vacancy"),
            interstitial_diffusivity_cm2_s=diffusivities.get("interstitial"),
            mechanism=max(sigma, key=lambda name: sigma[name]),
        )
        error = self.energy_error_eV(point) / (KB_EV_PER_K * temperature_K)
        point.conductivity = point.conductivity.model_copy(update={"relative_error": error})
        return point

    def activation_energy_eV(self, step_K: float = 1.0) -> float:
        """Return the slope -d ln(sigma T) / d(1/kT) at the reference temperature in eV."""
        ends = (ROOM_K - step_K, ROOM_K + step_K)
        values = [self.point(t).conductivity.value * t for t in ends]
        inverse = [1.0 / (KB_EV_PER_K * t) for t in ends]
        return float(-np.diff(np.log(values))[0] / np.diff(inverse)[0])

    def energy_error_eV(self, point: DefectConductivityPoint) -> float:
        """Return the standard error of the activation energy in eV.

        Formation energies are in error together. They count by half for intrinsic Frenkel pairs,
        and not at all for vacancies that dopants fix.
        """
        weight = self.concentrations(point.temperature_K).formation_weights[point.mechanism]
        return math.hypot(weight * self.errors.formation_eV, self.errors.barrier_eV)
