"""Figures of the crystal search: candidates and progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.report.palette import numbered_symbol, series
from vitrion.report.panels import Axis, Curve, Figure, Line, Mark, Panel, Points
from vitrion.runtime.counts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.materials.material import MaterialReport
    from vitrion.polymorphs.document import Polymorph, PolymorphDoc

WINDOW_EV = 0.5
"""Candidates further above the lowest are omitted in the figure, not in the table."""


def candidate_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the crystals and the progress of a search; None without a search."""
    document = next((r.polymorphs for r in reports if r.polymorphs is not None), None)
    if document is None or not document.polymorphs:
        return None
    panels = [_energy_and_volume(document)]
    if any(energy is not None for energy in document.best_energy_eV_per_atom):
        panels.append(_course(document))
    return Figure(
        "candidates",
        "Candidate crystals",
        "Crystals by volume and energy; the size is the number of times found. Lowest energy "
        "against the number of relaxations: a search that still finds lower energies is not "
        "converged.",
        (tuple(panels),),
    )


def energy_of(crystal: Polymorph) -> float:
    """Return the energy in eV/atom above the hull, or above the lowest crystal without a hull."""
    above = crystal.energy_above_hull_eV_per_atom
    return crystal.energy_above_best_eV_per_atom if above is None else above


def _energy_and_volume(document: PolymorphDoc) -> Panel:
    on_hull = document.polymorphs[0].energy_above_hull_eV_per_atom is not None
    shown = [
        crystal
        for crystal in document.polymorphs
        if crystal.energy_above_best_eV_per_atom <= WINDOW_EV
    ]
    by_generator: dict[str, list[Polymorph]] = {}
    for crystal in shown:
        found = max(crystal.found_by.items(), key=lambda item: item[1], default=("", 0))[0]
        by_generator.setdefault(found, []).append(crystal)
    marks: list[Mark] = [Line(0.0, vertical=False, dash="dot")]
    for index, (generator, crystals) in enumerate(sorted(by_generator.items())):
        marks.append(
            Points(
                [crystal.volume_per_atom_A3 for crystal in crystals],
                [energy_of(crystal) for crystal in crystals],
                label=generator,
                color=series(index),
                symbol=numbered_symbol(index),
                sizes=[min(7.0 + 2.0 * crystal.times_found, 20.0) for crystal in crystals],
                notes=[_note(crystal) for crystal in crystals],
            )
        )
    above = "energy above hull (eV/atom)" if on_hull else "energy above the best (eV/atom)"
    return Panel(Axis("volume (A3/atom)"), Axis(above), tuple(marks), "crystals")


def _note(crystal: Polymorph) -> str:
    group = crystal.space_groups[-1].symbol if crystal.space_groups else "symmetry unknown"
    found = counted(crystal.times_found, "time")
    return f"{group}: {energy_of(crystal):z.3f} eV/atom, found {found}"


def _course(document: PolymorphDoc) -> Panel:
    steps = [
        (number, energy)
        for number, energy in enumerate(document.best_energy_eV_per_atom, start=1)
        if energy is not None
    ]
    numbers, energies = np.array(steps, dtype=float).T
    # The lowest crystal is relaxed further after the search, so it is not the reference here.
    energies -= energies.min()
    # The lowest energy is constant until a relaxation finds a lower one.
    curve = Curve(np.repeat(numbers, 2)[1:], np.repeat(energies, 2)[:-1], color="series-0")
    return Panel(Axis("relaxations"), Axis("above the lowest (eV/atom)"), (curve,), "search")
