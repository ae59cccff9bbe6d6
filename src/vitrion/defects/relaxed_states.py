"""Distinct states of relaxed defects: duplicates, and multiplicities after relaxation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import minimum_image, wrap
from vitrion.defects.symmetry import orbit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.defects.document import DefectRecord
    from vitrion.defects.energies import Defect
    from vitrion.defects.host import Host
    from vitrion.defects.sites import Site

SAME_PLACE_A, SAME_ENERGY_EV = 0.5, 0.02
"""Largest distance between ions, and difference of energies, of one relaxed state."""


def mark_duplicates(defects: Sequence[Defect], host: Host) -> None:
    """Mark defects that relaxed to the same state as one of lower energy.

    Two defects are the same if they have the same vacancy and equal numbers of interstitial ions,
    each interstitial ion is within 0.5 A of one of the other defect (without a vacancy up to a
    symmetry operation of the crystal), and the energies agree within 0.02 eV.
    """
    ordered = sorted(defects, key=lambda defect: defect.record.energy_eV)
    distinct: list[DefectRecord] = []
    for defect in ordered:
        record = defect.record
        if not record.converged or record.recombined or not record.interstitial_frac_coords:
            continue
        for other in distinct:
            if (
                record.energy_eV - other.energy_eV < SAME_ENERGY_EV
                and other.kind == record.kind
                and other.vacancy == record.vacancy
                and _same_place(record, other, host)
            ):
                record.duplicate_of = other.label
                break
        else:
            distinct.append(record)


def relaxed_sites(host: Host, sites: Sequence[Site], defects: Sequence[Defect]) -> list[Site]:
    """Return the sites where their interstitials relaxed; the weights of these are set.

    A site beside a symmetry element may relax onto it, to a state of lower multiplicity. Sites
    without an interstitial that counts stay, also if several ions left their sites.
    """
    found = list(sites)
    for defect in defects:
        record = defect.record
        if record.kind != "interstitial" or record.site is None or not record.counts:
            continue
        ions = _unit_cell(record, host)
        site = replace(sites[record.site], n_states=_count_states(ions, host))
        if len(ions) == 1:
            matrix = host.unit_cell.lattice.matrix
            site = replace(site, orbit=orbit(wrap(ions[0]), host.group, matrix, SAME_PLACE_A))
        found[record.site] = site
        record.weight = float(site.multiplicity)
    return found


def _count_states(ions: NDArray[np.float64], host: Host) -> int:
    """Return the number of images of a state under the symmetry operations of the unit cell."""
    matrix = host.unit_cell.lattice.matrix
    images = host.group.images_of(ions)
    return round(len(images) / sum(_coincide(image, ions, matrix) for image in images))


def _same_place(first: DefectRecord, second: DefectRecord, host: Host) -> bool:
    if first.vacancy is not None:
        a, b = np.array(first.interstitial_frac_coords), np.array(second.interstitial_frac_coords)
        return _coincide(a, b, host.structure.lattice.matrix)
    other, matrix = _unit_cell(second, host), host.unit_cell.lattice.matrix
    images = host.group.images_of(_unit_cell(first, host))
    return any(_coincide(image, other, matrix) for image in images)


def _unit_cell(record: DefectRecord, host: Host) -> NDArray[np.float64]:
    """Return the ions off the regular sites, fractional in the unit cell."""
    return np.array(record.interstitial_frac_coords) * np.array(host.repeats)


def _coincide(a: NDArray[np.float64], b: NDArray[np.float64], matrix: NDArray[np.float64]) -> bool:
    """Whether ``a`` and ``b`` have equal numbers of points, each near one of the other."""
    if len(a) != len(b):
        return False
    gaps = minimum_image(np.repeat(a, len(b), axis=0), np.tile(b, (len(a), 1)), matrix)
    near = np.linalg.norm(gaps, axis=1).reshape(len(a), len(b)) < SAME_PLACE_A
    return bool(near.any(axis=1).all() and near.any(axis=0).all())
