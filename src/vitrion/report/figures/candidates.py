"""Figures of the search for crystals: the candidates, and how the search went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.report.palette import numbered_symbol, series
from vitrion.report.panels import Axis, Curve, Figure, Line, Mark, Panel, Points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.comparison.material import MaterialReport
    from vitrion.polymorphs.document import Polymorph, PolymorphDoc

WINDOW_EV = 0.5
"""Candidates further than this above the best are left out of the figure, not of the table."""


def candidate_figure(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the crystals that were found and the course of the search; None without one."""
    document = next((r.polymorphs for r in reports if r.polymorphs is not None), None)
    if document is None or not document.polymorphs:
        return None
    panels = [_energy_and_volume(document)]
    if any(energy is not None for energy in document.best_energy_eV_per_atom):
        panels.append(_course(document))
    return Figure(
        "candidates",
        "Candidate crystals",
        "Each crystal that was found, by volume and energy, larger the more often it was found; "
        "and the lowest energy against the number of relaxations: a search that keeps stepping "
        "down is not done.",
        (tuple(panels),),
    )


def energy_of(crystal: Polymorph) -> float:
    """Return the energy in eV/atom above the hull, or above the best where there is no hull."""
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
    return f"{group}: {energy_of(crystal):.3f} eV/atom, found {crystal.times_found} times"


def _course(document: PolymorphDoc) -> Panel:
    steps = [
        (number, energy)
        for number, energy in enumerate(document.best_energy_eV_per_atom, start=1)
        if energy is not None
    ]
    numbers, energies = np.array(steps, dtype=float).T
    # Not against the best crystal: that is relaxed further when the search is over.
    energies -= energies.min()
    # The lowest energy stays what it is until the next relaxation betters it.
    curve = Curve(np.repeat(numbers, 2)[1:], np.repeat(energies, 2)[:-1], color="series-0")
    return Panel(Axis("relaxations"), Axis("above the lowest (eV/atom)"), (curve,), "search")
