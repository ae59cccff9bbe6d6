"""The quantities of a material, with their public names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrion.uncertainty import Bound, Estimate, LinearEstimate, ReplicaMean, Uncertain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vitrion.defects.document import EnergyDistribution
    from vitrion.materials.material import MaterialReport


@dataclass(frozen=True)
class Quantity:
    """A quantity of a material.

    Attributes
    ----------
    key : str
        Public name, as in searches, tables and exports.
    name, unit : str
        Display name and unit.
    find : callable
        Function of a MaterialReport that returns the value, or None.
    """

    key: str
    name: str
    unit: str
    find: Callable[[MaterialReport], Uncertain | None]


def sigma_300K(material: MaterialReport) -> Estimate | Bound | None:
    """Return the conductivity in mS/cm at 300 K, or its bound."""
    return None if material.conductivity is None else material.conductivity.sigma_300K_or_bound


def activation_energy(material: MaterialReport) -> LinearEstimate | None:
    """Return the activation energy in eV."""
    document = material.conductivity
    if document is None:
        return None
    if document.route == "defects" and document.by_defects is not None:
        return document.by_defects.activation_energy
    fit = None if document.arrhenius is None else document.arrhenius.fit
    return None if fit is None else fit.activation_energy


def density(material: MaterialReport) -> LinearEstimate | None:
    """Return the density in g/cm3 of the relaxed glasses, or of the best crystal."""
    if material.amorphous_replicas and material.phase == "amorphous":
        return _mean([g.density_relaxed_g_per_cm3 for g in material.amorphous_replicas], material)
    if material.best_crystal is not None:
        return _exact(material.best_crystal.density_g_per_cm3)
    document = material.conductivity
    found = [] if document is None or document.density is None else [document.density]
    return _mean(found, material)


def energy(material: MaterialReport) -> LinearEstimate | None:
    """Return the energy in eV/atom of the best crystal, or of the relaxed glasses."""
    if material.best_crystal is not None:
        return _exact(material.best_crystal.energy_eV_per_atom)
    glasses = material.amorphous_replicas if material.phase == "amorphous" else ()
    energies = [glass.energy_eV_per_atom for glass in glasses]
    return _mean([energy for energy in energies if energy is not None], material)


def equilibrated_density(material: MaterialReport) -> LinearEstimate | None:
    """Return the density in g/cm3 of the glasses at the end of their equilibration."""
    found = [d for glass in material.amorphous_replicas if (d := glass.density_equilibrated)]
    if len(found) == 1:
        return found[0]
    return _mean([density.value for density in found], material)


def energy_above_hull(material: MaterialReport) -> LinearEstimate | None:
    """Return the energy in eV/atom of the best crystal above the hull of its references."""
    crystal = material.best_crystal
    if crystal is None or crystal.energy_above_hull_eV_per_atom is None:
        return None
    return _exact(crystal.energy_above_hull_eV_per_atom)


def _of_landscape(field: str) -> Callable[[MaterialReport], LinearEstimate | None]:
    def find(material: MaterialReport) -> LinearEstimate | None:
        mean: ReplicaMean | None = getattr(material.landscape, field, None)
        return None if mean is None else _of_phase(mean.estimate, material)

    return find


def _overlap(material: MaterialReport) -> LinearEstimate | None:
    fraction = _of_landscape("landscape_overlap")(material)
    return None if fraction is None else fraction.within(0, 1)


def _of_defects(
    kind: str, field: str, *, with_reservoir: bool = False
) -> Callable[[MaterialReport], LinearEstimate | None]:
    def find(material: MaterialReport) -> LinearEstimate | None:
        found: list[EnergyDistribution] = [
            getattr(document, kind)
            for document in material.defects
            if getattr(document, kind) is not None and (document.reservoir or not with_reservoir)
        ]
        return _mean([getattr(distribution, field) for distribution in found], material)

    return find


def _lowest_interstitial(material: MaterialReport) -> LinearEstimate | None:
    # Only the landscape subtracts the annealing of the host.
    from_landscape = _of_landscape("lowest_interstitial_energy_eV")(material)
    return from_landscape or _of_defects(
        "interstitial_energy_eV", "minimum_eV", with_reservoir=True
    )(material)


def _mean(values: Sequence[float], material: MaterialReport) -> LinearEstimate | None:
    """Return the mean over replicas; None without replicas."""
    return _of_phase(ReplicaMean.of(values).estimate, material) if values else None


def _of_phase(found: LinearEstimate, material: MaterialReport) -> LinearEstimate:
    """Return an estimate; a single crystal is exact, a single glass is not."""
    return found.or_exact if material.phase == "crystalline" else found


def _exact(value: float) -> LinearEstimate:
    return LinearEstimate(value=value, error=0.0)


QUANTITIES = (
    Quantity("sigma_300K", "conductivity at 300 K", "mS/cm", sigma_300K),
    Quantity("activation_energy_eV", "activation energy", "eV", activation_energy),
    Quantity(
        "frenkel_energy_eV",
        "Frenkel pair energy, mean",
        "eV",
        _of_defects("frenkel_energy_eV", "mean_eV"),
    ),
    Quantity(
        "lowest_frenkel_energy_eV",
        "Frenkel pair energy, lowest",
        "eV",
        _of_defects("frenkel_energy_eV", "minimum_eV"),
    ),
    Quantity(
        "ionic_interstitial_energy_eV",
        "interstitial ion in equilibrium with vacancies",
        "eV",
        _of_landscape("ionic_interstitial_energy_eV"),
    ),
    Quantity(
        "lowest_interstitial_energy_eV",
        "lowest interstitial energy at 0 V",
        "eV",
        _lowest_interstitial,
    ),
    Quantity(
        "vacancy_energy_eV",
        "vacancy energy at 0 V, mean",
        "eV",
        _of_defects("vacancy_energy_eV", "mean_eV", with_reservoir=True),
    ),
    Quantity(
        "landscape_gap_eV",
        "landscape gap, empty above occupied",
        "eV",
        _of_landscape("landscape_gap_eV"),
    ),
    Quantity("landscape_overlap", "landscape overlap, empty below occupied", "", _overlap),
    Quantity(
        "percolating_barrier_eV",
        "percolating barrier",
        "eV",
        _of_landscape("percolating_barrier_eV"),
    ),
    Quantity(
        "removal_spread_eV",
        "spread of removal energies",
        "eV",
        _of_landscape("removal_spread_eV"),
    ),
    Quantity("density_g_per_cm3", "density of the structure", "g/cm3", density),
    Quantity("energy_eV_per_atom", "energy", "eV/atom", energy),
)
"""All compared quantities."""

SUMMARIZED = (
    *QUANTITIES,
    Quantity(
        "interstitial_energy_eV",
        "interstitial energy at 0 V, mean",
        "eV",
        _of_defects("interstitial_energy_eV", "mean_eV", with_reservoir=True),
    ),
    Quantity(
        "density_equilibrated_g_per_cm3",
        "density of the equilibrated glass",
        "g/cm3",
        equilibrated_density,
    ),
    Quantity(
        "energy_above_hull_eV_per_atom", "energy above the hull", "eV/atom", energy_above_hull
    ),
)
"""All quantities of a summary."""


def quantities_of(material: MaterialReport) -> dict[str, Uncertain]:
    """Return the quantities of a summary that a material has, by their public names."""
    found = {quantity.key: quantity.find(material) for quantity in SUMMARIZED}
    return {name: value for name, value in found.items() if value is not None}
