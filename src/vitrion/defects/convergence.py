"""Convergence of defect energies with the size of the supercell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vitrion.defects.document import ConvergencePoint
from vitrion.defects.energies import defect_energies
from vitrion.defects.host import repeat_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.defects.energies import Defect, EnergySettings
    from vitrion.defects.host import Host
    from vitrion.defects.operations import DefectOperation
    from vitrion.relaxation.relaxers import Relaxer
    from vitrion.runtime.cache import ResultCache


def check_convergence(
    host: Host,
    defects: Sequence[Defect],
    operations: Sequence[DefectOperation],
    relax: Relaxer,
    settings: EnergySettings,
    sides_A: Sequence[float],
    *,
    cache: ResultCache | None = None,
    context: str = "",
) -> list[ConvergencePoint]:
    """Recompute the lowest defect of each kind in other supercells of the crystal.

    Parameters
    ----------
    host : Host
        Of a crystal.
    defects, operations : sequences
        Results in ``host``, in the same order. Of pairs only the closest near one is compared,
        because a far pair differs between cells.
    relax, settings, cache, context
        As in :func:`vitrion.defects.energies.defect_energies`.
    sides_A : sequence of float
        Minimum distances between opposite faces of the other supercells in A.

    Returns
    -------
    list of ConvergencePoint
        By defect and size, including the size of ``host``; repeated sizes and defects that
        recombined or did not converge are omitted.
    """
    chosen = _lowest(defects, operations)
    points = {
        (operation.label, len(host.structure)): defect.record.energy_eV
        for operation, defect in chosen
    }
    for side in sides_A:
        other = repeat_host(host.unit_cell, host.mobile, relax, side, host.group)
        if other.repeats == host.repeats:
            continue
        moved = [transfer(operation, host, other) for operation, _ in chosen]
        found = defect_energies(other, moved, relax, settings, cache=cache, context=context)
        for defect in found:
            if defect.record.counts:
                points[defect.record.label, len(other.structure)] = defect.record.energy_eV
    return [
        ConvergencePoint(label=label, n_atoms=n_atoms, energy_eV=energy)
        for (label, n_atoms), energy in sorted(points.items())
    ]


def supercell_error(points: Sequence[ConvergencePoint]) -> float | None:
    """Return the largest difference in eV between a defect's two largest supercells."""
    labels = {point.label for point in points}
    sizes = [
        sorted((p.n_atoms, p.energy_eV) for p in points if p.label == label) for label in labels
    ]
    differences = [abs(found[-1][1] - found[-2][1]) for found in sizes if len(found) > 1]
    return max(differences, default=None)


def transfer(operation: DefectOperation, host: Host, other: Host) -> DefectOperation:
    """Return the operation in another supercell, at the same distances from the origin."""
    ratio = np.array(host.repeats) / np.array(other.repeats)
    removed = [
        other.nearest_ion(host.structure.frac_coords[k] * ratio)[0] for k in operation.remove
    ]
    added = []
    for place in operation.add:
        # The image nearest to its ion, not across the faces of the original cell.
        base = host.structure.frac_coords[operation.remove[0]] if operation.remove else np.zeros(3)
        delta = np.array(place) - base
        x, y, z = (base + delta - np.round(delta)) * ratio
        added.append((float(x), float(y), float(z)))
    return replace(operation, remove=tuple(removed), add=tuple(added))


def _lowest(
    defects: Sequence[Defect], operations: Sequence[DefectOperation]
) -> list[tuple[DefectOperation, Defect]]:
    """Return the lowest interstitial and vacancy, and the closest near pair that stays apart."""
    counted = [(e, d) for e, d in zip(operations, defects, strict=True) if d.record.counts]
    chosen = []
    for kind in ("interstitial", "vacancy"):
        of_kind = [pair for pair in counted if pair[0].kind == kind]
        if of_kind:
            chosen.append(min(of_kind, key=lambda pair: pair[1].record.energy_eV))
    pairs = [pair for pair in counted if pair[0].separation == "near"]
    if pairs:
        chosen.append(min(pairs, key=lambda pair: pair[1].record.pair_distance_A or 0.0))
    return chosen
