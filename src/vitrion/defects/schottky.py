"""Schottky defect of a salt of two elements: a formula unit of vacancies far from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.geometry import site_symbols

if TYPE_CHECKING:
    from vitrion.defects.host import Host
    from vitrion.relaxation.relaxers import Relaxer


def schottky_energy(host: Host, relax: Relaxer) -> float | None:
    """Return the energy in eV of taking one formula unit out of a crystal.

    The energy is ``E(host without the unit) + E(unit in the crystal) - E(host)``: neutral, and
    without a reservoir.

    Returns
    -------
    float or None
        None for a glass, for more than one element besides the mobile one, for a formula with
        several atoms of that element (their vacancies are several kinds of defects), and if the
        relaxation does not converge.
    """
    counts = _unit(host)
    if counts is None:
        return None
    chosen = _far_apart(host, counts)
    holed = host.structure.copy()
    holed.remove_sites(chosen)
    relaxed = relax([holed])[0]
    if not relaxed.converged:
        return None
    unit_eV = host.energy_eV * len(chosen) / len(host.structure)
    return float(relaxed.energy_eV + unit_eV - host.energy_eV)


def _unit(host: Host) -> dict[str, int] | None:
    """Return the atoms of a formula unit, or None if the defect is not defined."""
    formula = host.structure.composition.reduced_composition
    counts = {element.symbol: round(n) for element, n in formula.items()}
    others = [n for symbol, n in counts.items() if symbol != host.mobile]
    return counts if host.phase == "crystalline" and others == [1] else None


def _far_apart(host: Host, counts: dict[str, int]) -> list[int]:
    """Choose sites one after the other, each as far as possible from those before it."""
    symbols = np.array(site_symbols(host.structure))
    distances = host.structure.distance_matrix
    chosen: list[int] = []
    for symbol, count in counts.items():
        for _ in range(count):
            free = np.setdiff1d(np.flatnonzero(symbols == symbol), chosen)
            nearest = distances[free][:, chosen].min(axis=1, initial=np.inf)
            chosen.append(int(free[np.argmax(np.round(nearest, 3))]))
    return chosen
