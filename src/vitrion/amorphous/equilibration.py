"""Equilibration of a melt: displacement of the framework against its neighbor distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vitrion.amorphous.speciation import default_formers
from vitrion.chemistry.elements import bonds_covalently

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.dynamics.trajectory import Trajectory


class MeltEquilibration(BaseModel):
    """Displacement of the framework in the melt, compared with its neighbor distance."""

    model_config = ConfigDict(frozen=True)

    framework: list[str] = Field(description="Elements of the framework.")
    duration_ps: float = Field(description="Time in the melt in ps.")
    msd_A2: float = Field(
        description="Mean square displacement of the framework from the first to the last frame of "
        "the melt in A2, without the drift of its center of mass."
    )
    neighbor_distance_A: float = Field(
        description="Mean distance in A between nearest framework atoms in the first frame."
    )
    equilibrated: bool = Field(
        description="Whether the MSD exceeds the square of the neighbor distance: the melt no "
        "longer depends on its initial structure."
    )


def framework_elements(symbols: tuple[str, ...]) -> list[str]:
    """Return the elements whose motion distinguishes a liquid from a solid.

    The centers of the polyanions, because their ligands also rotate in a solid; without polyanions
    the anions; in a metal all elements.
    """
    anions = sorted({s for s in symbols if bonds_covalently(s)})
    return list(default_formers(symbols)) or anions or sorted(set(symbols))


def melt_equilibration(trajectory: Trajectory) -> MeltEquilibration:
    """Measure the displacement of the framework over a trajectory of the melt.

    Parameters
    ----------
    trajectory : Trajectory
        Of the melt, at least two frames.

    Returns
    -------
    MeltEquilibration
    """
    symbols = np.array(trajectory.symbols)
    elements = framework_elements(trajectory.symbols)
    followed = np.isin(symbols, elements)
    last = trajectory.n_frames - 1
    ends = [_fractional(trajectory, frame)[followed] for frame in (0, last)]
    steps = (ends[1] - ends[0]) @ trajectory.cells(last)
    steps -= np.average(steps, axis=0, weights=trajectory.masses[followed])
    msd = float(np.mean(np.sum(steps**2, axis=1)))
    distance = neighbor_distance(trajectory.structure(0), elements)
    times = trajectory.times_ps()
    return MeltEquilibration(
        framework=elements,
        duration_ps=float(times[-1] - times[0]),
        msd_A2=msd,
        neighbor_distance_A=distance,
        equilibrated=msd > distance**2,
    )


def neighbor_distance(structure: Structure, elements: list[str]) -> float:
    """Return the mean distance in A from an atom of the given elements to its nearest neighbor.

    An image of the atom itself counts, for cells with one such atom.
    """
    kept = structure.copy()
    kept.remove_species([s for s in structure.symbol_set if s not in elements])
    radius = 4.0
    while True:
        first, _, _, distances = kept.get_neighbor_list(radius)
        if len(set(first.tolist())) == len(kept):
            break
        radius *= 1.5
    nearest = np.full(len(kept), np.inf)
    np.minimum.at(nearest, first, distances)
    return float(nearest.mean())


def _fractional(trajectory: Trajectory, frame: int) -> NDArray[np.float64]:
    return trajectory.positions(frame) @ np.linalg.inv(trajectory.cells(frame))
