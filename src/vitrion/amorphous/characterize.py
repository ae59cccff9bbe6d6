"""Characterize a glass: distances, coordination, speciation, density, long-range order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitrion.amorphous.order import LongRangeOrder, long_range_order
from vitrion.amorphous.pair_distributions import (
    MAX_FRAMES,
    PairDistributions,
    pair_distributions,
)
from vitrion.amorphous.speciation import Speciation, speciate
from vitrion.uncertainty import ReplicaMean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from vitrion.dynamics.trajectory import Trajectory

DENSITY_BLOCKS = 4
"""Number of blocks of the equilibration run from which the density error is estimated."""


@dataclass(frozen=True)
class GlassCharacter:
    """Structural analysis of one cell.

    Attributes
    ----------
    order : LongRangeOrder
        With the verdict ``order.is_amorphous``.
    distributions : PairDistributions
    speciation : Speciation
    density_g_per_cm3 : float
    """

    order: LongRangeOrder
    distributions: PairDistributions
    speciation: Speciation
    density_g_per_cm3: float


def characterize(
    structure: Structure,
    frames: Sequence[Structure] = (),
    *,
    formers: Sequence[str] | None = None,
    mobile: tuple[str, ...] | None = None,
) -> GlassCharacter:
    """Characterize a structure that may be a glass.

    Parameters
    ----------
    structure : Structure
        Long-range order, speciation and density are computed for this structure.
    frames : sequence of Structure
        Equilibrium frames over which the pair distributions are averaged; if empty, the
        structure alone is used.
    formers : sequence of str, optional
        See :func:`vitrion.amorphous.speciation.speciate`.
    mobile : tuple of str, optional
        See :func:`vitrion.amorphous.order.long_range_order`.

    Returns
    -------
    GlassCharacter
    """
    return GlassCharacter(
        order=long_range_order(structure, mobile=mobile),
        distributions=pair_distributions(frames or [structure]),
        speciation=speciate(structure, formers=formers),
        density_g_per_cm3=float(structure.density),
    )


def equilibrium_frames(trajectory: Trajectory, *, skip: float = 0.5) -> list[Structure]:
    """Return at most 100 evenly spaced frames after the skipped start of a trajectory.

    Parameters
    ----------
    trajectory : Trajectory
    skip : float
        Fraction of the frames skipped at the start.
    """
    first = int(skip * trajectory.n_frames)
    count = min(MAX_FRAMES, trajectory.n_frames - first)
    kept = np.linspace(first, trajectory.n_frames - 1, count).round().astype(int)
    return [trajectory.structure(int(frame)) for frame in kept]


def mean_density(frames: Sequence[Structure]) -> tuple[float, float | None]:
    """Return the mean density in g/cm3 and its standard error from blocks of frames.

    The error is None for fewer than two frames per block.
    """
    densities = np.array([float(frame.density) for frame in frames])
    if len(densities) < 2 * DENSITY_BLOCKS:
        return float(densities.mean()), None
    blocks = [float(block.mean()) for block in np.array_split(densities, DENSITY_BLOCKS)]
    return float(densities.mean()), ReplicaMean.of(blocks).error
