"""Assemble the document of relaxed defects: formation energies, distributions, equilibrium."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vitrion.defects.document import DefectDoc, FrenkelEquilibrium
from vitrion.defects.energy_distributions import summarize
from vitrion.defects.statistics import log_interstitial_fraction
from vitrion.documents.provenance import Provenance
from vitrion.landscape.site_energies import site_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.defects.document import DefectRecord, EnergyDistribution, Reservoir
    from vitrion.defects.energies import Defect
    from vitrion.defects.host import Host
    from vitrion.defects.sites import Site
    from vitrion.landscape.study_settings import DefectSettings
    from vitrion.potentials import PotentialSpec

A3_PER_CM3 = 1e24


def assemble(
    host: Host,
    sites: Sequence[Site],
    defects: Sequence[Defect],
    settings: DefectSettings,
    *,
    reservoir: Reservoir | None = None,
    potential: PotentialSpec | str | None = None,
    material_id: str | None = None,
) -> DefectDoc:
    """Assemble the defects of one host into a document.

    Parameters
    ----------
    host : Host
    sites : sequence of Site
    defects : sequence of Defect
        Relaxed, duplicates marked.
    settings : DefectSettings
    reservoir : Reservoir, optional
        Without it interstitials and vacancies have no formation energy.
    potential : PotentialSpec or str, optional
    material_id : str, optional

    Returns
    -------
    DefectDoc
    """
    records = [defect.record for defect in defects]
    for record in records:
        if record.charge_transferred and reservoir is not None:
            mu = reservoir.chemical_potential_eV
            record.formation_energy_eV = record.energy_eV - record.charge_transferred * mu
    is_crystal = host.phase == "crystalline"
    pairs = [r for r in records if r.kind == "frenkel"]
    near = [r for r in pairs if r.separation == "near"]
    far = [r for r in pairs if r.separation == "far"]
    temperatures = settings.temperatures_K
    document = DefectDoc.from_structure(
        host.structure,
        material_id=material_id,
        phase=host.phase,
        mobile_species=host.mobile,
        unit_cell=host.unit_cell if is_crystal else None,
        supercell=host.repeats,
        host_energy_eV=host.energy_eV,
        host_max_force_eV_per_A=host.max_force_eV_per_A,
        sites=[site.document() for site in sites],
        records=records,
        relaxed_structures={defect.record.label: defect.structure for defect in defects},
        reservoir=reservoir,
        interstitial_energy_eV=distribution(
            [r for r in records if r.kind == "interstitial"], temperatures
        ),
        vacancy_energy_eV=distribution([r for r in records if r.kind == "vacancy"], temperatures),
        near_frenkel_energy_eV=distribution(near, temperatures),
        frenkel_energy_eV=distribution(far, temperatures),
        provenance=Provenance.collect(potential, seeds={"rattle": settings.seed}),
    )
    document.equilibrium = equilibrium(document, temperatures)
    return document


def distribution(
    records: Sequence[DefectRecord], temperatures_K: Sequence[float]
) -> EnergyDistribution | None:
    """Summarize the energies of distinct defects, weighted by multiplicity; None if empty."""
    counted = [record for record in records if record.counts]
    return summarize([_energy(r) for r in counted], [r.weight for r in counted], temperatures_K)


def equilibrium(document: DefectDoc, temperatures_K: Sequence[float]) -> list[FrenkelEquilibrium]:
    """Return the fraction of ions on interstitial sites from the site energies of far pairs."""
    if document.frenkel_energy_eV is None or document.structure is None:
        return []
    cell = document.structure if document.unit_cell is None else document.unit_cell
    density = cell.composition[document.mobile_species] / cell.volume * A3_PER_CM3
    sites = site_energies(document)
    shares = [
        math.exp(
            log_interstitial_fraction(
                list(sites.occupied.values()),
                list(sites.empty.values()),
                temperature,
                list(sites.occupied_weights.values()),
                list(sites.empty_weights.values()),
            )
        )
        for temperature in temperatures_K
    ]
    return [
        FrenkelEquilibrium(temperature_K=t, fraction=x, concentration_cm3=x * density)
        for t, x in zip(temperatures_K, shares, strict=True)
    ]


def _energy(record: DefectRecord) -> float:
    known = record.formation_energy_eV
    return record.energy_eV if known is None else known
