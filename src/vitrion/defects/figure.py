"""One figure of landscapes side by side: peaks against plain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from vitrion.documents.landscape import SiteEnergyLandscapeDoc

OCCUPIED, EMPTY, PATH = "#1b6ca8", "#d1495b", "#444444"
BROADENING_EV = 0.06


def landscape_figure(
    documents: Sequence[SiteEnergyLandscapeDoc],
    path: str | Path | None = None,
    *,
    titles: Sequence[str] | None = None,
) -> Figure:
    """Draw landscapes side by side on one scale of energy.

    Each panel shows the energies of the occupied and of the empty sites as lines and as their
    density, and the gap between the two; where barriers are known, the easiest path across the cell
    is drawn over them, site by site, from the energy of the carrier at its lowest.

    Parameters
    ----------
    documents : sequence of SiteEnergyLandscapeDoc
        Such as a crystal and its glass.
    path : path, optional
        File to write; its ending gives the format.
    titles : sequence of str, optional
        By default formula and phase.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there is nothing to draw.
    """
    from matplotlib.figure import Figure

    if not documents:
        raise InputError("A figure needs at least one landscape.")
    has_paths = any(network.path for d in documents for network in d.networks)
    rows = 2 if has_paths else 1
    figure = Figure(figsize=(3.6 * len(documents), 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, len(documents), sharey="row", squeeze=False)
    for column, document in enumerate(documents):
        name = f"{document.formula_pretty}, {document.phase}"
        axes[0, column].set_title(titles[column] if titles else name)
        _draw_levels(axes[0, column], document)
        if has_paths:
            _draw_paths(axes[1, column], document)
    axes[0, 0].set_ylabel(f"{documents[0].mobile_species} site energy (eV)")
    axes[0, 0].legend(loc="upper left", frameon=False, fontsize="small")
    if has_paths:
        axes[1, 0].set_ylabel("energy along the easiest path (eV)")
    if path is not None:
        figure.savefig(path, dpi=200)
    return figure


def _draw_levels(axis: Axes, document: SiteEnergyLandscapeDoc) -> None:
    sets = (
        ("occupied", OCCUPIED, document.occupied_energies_eV),
        ("empty", EMPTY, document.empty_energies_eV),
    )
    values = np.concatenate([np.concatenate(replicas) for _, _, replicas in sets])
    grid = np.linspace(values.min() - 0.4, values.max() + 0.4, 400)
    for side, (name, color, replicas) in zip((-1, 1), sets, strict=True):
        energies = np.concatenate(replicas)
        axis.hlines(energies, 0, side, color=color, alpha=max(0.15, 2 / len(energies)), linewidth=1)
        axis.fill_betweenx(grid, side * _density(energies, grid), color=color, alpha=0.35, lw=0)
        axis.plot([], [], color=color, label=name)
    gap, error = document.gap_eV.mean, document.gap_eV.error
    label = f"gap {gap:.2f} eV" + (f" +- {error:.2f}" if error is not None else "")
    label += f"\noverlap {document.overlap.mean:.2f}"
    axis.text(
        0.97, 0.03, label, transform=axis.transAxes, ha="right", va="bottom", fontsize="small"
    )
    axis.axvline(0, color="black", linewidth=0.6)
    axis.set_xlim(-1.15, 1.15)
    axis.set_xticks([])


def _draw_paths(axis: Axes, document: SiteEnergyLandscapeDoc) -> None:
    for network in document.networks:
        if not network.path:
            continue
        sites, saddles = np.array(network.path).T
        sites, saddles = np.tile(sites, 3), np.tile(saddles, 3)
        x, y = _smooth_path(np.append(sites, sites[0]), saddles)
        axis.plot(x, y - sites.min(), color=PATH, linewidth=1.2, label=network.mechanism)
    axis.margins(y=0.16)
    axis.set_xlabel("hops along the path")
    axis.set_xticks([])
    if any(network.path for network in document.networks):
        axis.legend(loc="upper right", frameon=False, fontsize="small")


def _smooth_path(
    sites: NDArray[np.float64], saddles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join minima and maxima by half periods of a cosine."""
    turns = np.empty(2 * len(saddles) + 1)
    turns[::2], turns[1::2] = sites, saddles
    share = np.linspace(0, 1, 24, endpoint=False)
    weight = 0.5 - 0.5 * np.cos(np.pi * share)
    y = (turns[:-1, None] + np.diff(turns)[:, None] * weight).ravel()
    x = (np.arange(len(turns) - 1)[:, None] + share).ravel() / 2
    return np.append(x, (len(turns) - 1) / 2), np.append(y, turns[-1])


def _density(energies: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of Gaussians of fixed width, its highest point at 0.9."""
    density = np.exp(-0.5 * ((grid[:, None] - energies) / BROADENING_EV) ** 2).sum(axis=1)
    return 0.9 * density / density.max()
