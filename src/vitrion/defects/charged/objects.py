"""Defects of the mobile ion as objects of pymatgen-analysis-defects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrion.chemistry.charges import MOBILE_CHARGES
from vitrion.chemistry.geometry import indices_of, site_symbols
from vitrion.chemistry.structures import without_site_properties
from vitrion.defects.sites import candidate_sites
from vitrion.defects.symmetry import SpaceGroup, site_orbits
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.analysis.defects.core import Defect
    from pymatgen.core import Structure

    from vitrion.defects.sites import Site


def charged_defects(
    unit_cell: Structure,
    mobile: str,
    *,
    sites: Sequence[Site] | None = None,
    charges: Sequence[int] | None = None,
    symprec_A: float = 0.01,
    min_radius_A: float = 1.4,
    max_sites: int | None = None,
) -> list[Defect]:
    """Return the distinct vacancies and interstitials of the mobile ion with their charges.

    Parameters
    ----------
    unit_cell : Structure
        Of a crystal.
    mobile : str
        Element.
    sites : sequence of Site, optional
        Interstitial sites; by default the voids of the crystal.
    charges : sequence of int, optional
        Charges of the interstitial; the vacancy has the opposite charges. By default the charge of
        the ion and 0.
    symprec_A, min_radius_A, max_sites
        As in :func:`vitrion.defects.sites.candidate_sites`.

    Returns
    -------
    list of Defect
        Vacancies first.

    Raises
    ------
    InputError
        If pymatgen-analysis-defects is not installed, the ion is not in the crystal, or its charge
        is not known and none are given.
    """
    try:
        from pymatgen.analysis.defects.core import Interstitial, Vacancy
    except ImportError as exc:
        raise InputError(
            "Charged defects need pymatgen-analysis-defects: run 'pip install vitrion[charged]'."
        ) from exc
    from pymatgen.core import PeriodicSite

    symbols = site_symbols(unit_cell)
    if mobile not in symbols:
        raise InputError(f"The crystal does not contain {mobile}: name the mobile species.")
    ion_charge = MOBILE_CHARGES.get(mobile)
    if charges is None:
        if ion_charge is None:
            raise InputError(f"The charge of the {mobile} ion is unknown: set charges.")
        charges = (ion_charge, 0)
    group = SpaceGroup.of(unit_cell, symprec_A)
    if sites is None:
        sites = candidate_sites(unit_cell, group, min_radius_A=min_radius_A, max_sites=max_sites)
    matrix = unit_cell.lattice.matrix
    plain = without_site_properties(unit_cell)
    plain.remove_oxidation_states()
    ions = plain.frac_coords[indices_of(symbols, mobile)]
    oxidation = ion_charge or max(charges, key=abs)
    vacancies = [
        Vacancy(
            structure=plain.copy(),
            site=PeriodicSite(mobile, orbit[0], plain.lattice),
            multiplicity=len(orbit),
            oxi_state=-oxidation,
            user_charges=[-charge for charge in charges],
        )
        for orbit in site_orbits(ions, group, matrix)
    ]
    interstitials = [
        Interstitial(
            structure=plain.copy(),
            site=PeriodicSite(mobile, site.frac, plain.lattice),
            multiplicity=site.multiplicity,
            oxi_state=oxidation,
            equivalent_sites=[PeriodicSite(mobile, frac, plain.lattice) for frac in site.orbit],
            user_charges=list(charges),
        )
        for site in sites
    ]
    return [*vacancies, *interstitials]
