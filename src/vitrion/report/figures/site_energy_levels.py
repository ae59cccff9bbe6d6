"""Figure of the site energies of crystal and glass."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError
from vitrion.materials.material import material_formula
from vitrion.report.palette import numbered_dash
from vitrion.report.panels import Axis, Curve, Figure, FilledBand, Line, Mark, Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vitrion.landscape.document import SiteEnergyLandscapeDoc
    from vitrion.materials.material import MaterialReport

BROADENING_EV = 0.06
MARGIN_EV = 0.4
PERIODS = 3
NO_TICKS: tuple[tuple[float, str], ...] = ()


def landscapes_of(reports: Sequence[MaterialReport]) -> Figure | None:
    """Describe the landscapes of materials on one scale; None without landscapes."""
    known = [(r.label, r.landscape) for r in reports if r.landscape is not None]
    if not known:
        return None
    return landscape_figure([d for _, d in known], titles=[name for name, _ in known])


def landscape_figure(
    documents: Sequence[SiteEnergyLandscapeDoc], *, titles: Sequence[str] | None = None
) -> Figure:
    """Describe landscapes side by side on one energy scale.

    Each upper panel shows the energies of occupied and empty sites as lines and as densities, and
    their gap. For a landscape with barriers, a lower panel shows the percolating path relative to
    its lowest site.

    Parameters
    ----------
    documents : sequence of SiteEnergyLandscapeDoc
        Landscapes, such as of a crystal and its glass.
    titles : sequence of str, optional
        Default: formula and phase.

    Raises
    ------
    InputError
        If no landscape is given.
    """
    if not documents:
        raise InputError("A figure needs at least one landscape.")
    names = titles or [f"{material_formula(d)}, {d.phase}" for d in documents]
    energies = np.concatenate([_all_energies(document) for document in documents])
    limits = float(energies.min() - MARGIN_EV), float(energies.max() + MARGIN_EV)
    rows = [tuple(_levels(d, n, limits) for d, n in zip(documents, names, strict=True))]
    heights = [
        float(_path(network.path)[1].max())
        for document in documents
        for network in document.networks
        if network.path
    ]
    if heights:
        pairs = zip(documents, names, strict=True)
        rows.append(
            tuple(
                _paths(document, name, max(heights))
                for document, name in pairs
                if any(network.path for network in document.networks)
            )
        )
    return Figure(
        "landscape",
        "Site-energy landscape",
        "Energies of occupied (left) and empty (right) sites of each material, as lines and as "
        "densities, relative to the highest occupied site; the gap of several replicas has its "
        "95 % interval. Below, the percolating path of the ion. A flat landscape has a small gap, "
        "overlapping densities and low barriers.",
        tuple(rows),
    )


def _levels(document: SiteEnergyLandscapeDoc, name: str, limits: tuple[float, float]) -> Panel:
    grid = np.linspace(*limits, 300)
    marks: list[Mark] = []
    sets = (
        ("occupied", -1.0, document.occupied_energies_eV),
        ("empty", 1.0, document.empty_energies_eV),
    )
    for kind, side, replicas in sets:
        energies = np.fromiter(chain.from_iterable(replicas), dtype=float)
        if not len(energies):
            continue
        area = side * _density(energies, grid)
        marks.append(
            FilledBand(grid, np.zeros_like(grid), area, kind, 0.35, group=kind, upright=True)
        )
        x = np.tile([0.0, side, np.nan], len(energies))
        faded = max(0.25, min(1.0, 3 / len(energies)))
        y = np.repeat(energies, 3)
        marks.append(Curve(x, y, kind, kind, width=1.0, opacity=faded, group=kind))
    marks.append(Line(0.0, color="ink", dash="solid"))
    # The side of the occupied sites is empty above zero: place for the note.
    value, _, interval = document.landscape_gap_eV.estimate.text.partition(" (")
    note = f"gap {value} eV" + (f"\n({interval}" if interval else "")
    note += f"\noverlap {document.landscape_overlap.mean:.2f}"
    x_axis = Axis("", limits=(-1.15, 1.15), ticks=NO_TICKS)
    y_axis = Axis(f"{document.mobile_species} site energy (eV)", limits=limits)
    return Panel(x_axis, y_axis, tuple(marks), name, note)


def _paths(document: SiteEnergyLandscapeDoc, name: str, highest_eV: float) -> Panel:
    marks: list[Mark] = []
    for index, network in enumerate(network for network in document.networks if network.path):
        dash = numbered_dash(index)
        x, y = _path(network.path)
        marks.append(Curve(x, y, network.mechanism, "ink", dash, group=f"path {index}"))
    return Panel(
        Axis("hops along the percolating path", ticks=NO_TICKS),
        Axis("energy above the lowest site (eV)", limits=(-0.05 * highest_eV, 1.1 * highest_eV)),
        tuple(marks),
        name,
    )


def _path(path: Sequence[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Repeat a periodic path, and connect minima and maxima by half periods of a cosine."""
    sites, saddles = np.array(path, dtype=float).T
    sites, saddles = np.tile(sites - sites.min(), PERIODS), np.tile(saddles - sites.min(), PERIODS)
    turns = np.empty(2 * len(saddles) + 1)
    turns[:-1:2], turns[1::2], turns[-1] = sites, saddles, sites[0]
    share = np.linspace(0, 1, 24, endpoint=False)
    weight = 0.5 - 0.5 * np.cos(np.pi * share)
    y = (turns[:-1, None] + np.diff(turns)[:, None] * weight).ravel()
    x = (np.arange(len(turns) - 1)[:, None] + share).ravel() / 2
    return np.append(x, (len(turns) - 1) / 2), np.append(y, turns[-1])


def _density(energies: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sum of Gaussians of fixed width, scaled to a maximum of 0.9."""
    density = np.exp(-0.5 * ((grid[:, None] - energies) / BROADENING_EV) ** 2).sum(axis=1)
    return 0.9 * density / density.max()


def _all_energies(document: SiteEnergyLandscapeDoc) -> NDArray[np.float64]:
    replicas = (*document.occupied_energies_eV, *document.empty_energies_eV)
    return np.fromiter(chain.from_iterable(replicas), dtype=float)
