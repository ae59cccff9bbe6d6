"""Sites and barriers from dynamics: peaks and bottleneck of the ion density."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.species import element_symbol
from vitrion.errors import InputError
from vitrion.landscape.document import DensityBarrier
from vitrion.transport.density import density_map, percolation_barriers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vitrion.transport.displacements import Displacements

N_BLOCKS = 5


def mobile_motion(trajectory: Any, mobile: str) -> tuple[Displacements, float | None]:
    """Read the motion of the mobile ions off a trajectory, less the drift of the framework.

    Parameters
    ----------
    trajectory : path, Trajectory, or anything that the transport analysis reads
    mobile : str
        Element, such as ``Li`` or ``Li+``.

    Returns
    -------
    motion : Displacements
    temperature_K : float or None
        None if the trajectory does not state it.
    """
    from vitrion.transport.displacements import Tracker
    from vitrion.transport.io import open_frames

    stream = open_frames(trajectory)
    tracker = Tracker(
        stream.symbols,
        (element_symbol(mobile),),
        stream.frame_interval_fs or 1.0,
        wrapped=stream.wrapped,
    )
    for positions, cells in stream.chunks:
        tracker.add(positions, cells)
    return tracker.result(), stream.temperature_K


def density_barrier(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    temperature_K: float,
) -> DensityBarrier | None:
    """Find the bottleneck of -kT ln rho in the easiest direction, with its error.

    The error is a jackknife estimate over time blocks: the bottleneck has the lowest ion density,
    so single blocks would overestimate it, while samples without one block hardly do.

    Parameters
    ----------
    positions : (n_frames, n_ions, 3) array
        A, less the drift of the framework.
    cell : (3, 3) array
        Lattice vectors as rows, A.
    temperature_K : float

    Returns
    -------
    DensityBarrier or None
        None if no ion crossed the cell, and no two ions each crossed half of it.

    Raises
    ------
    InputError
        If there are fewer frames than blocks, or no temperature.
    """
    if temperature_K <= 0:
        raise InputError("A barrier from a density needs the temperature of the dynamics.")
    if len(positions) < 2 * N_BLOCKS:
        raise InputError(f"{len(positions)} frames are too few for {N_BLOCKS} blocks: run longer.")
    axes = _axes(positions, cell, temperature_K)
    seen = [value for value in axes if value is not None]
    if not seen:
        return None
    edges = np.linspace(0, len(positions), N_BLOCKS + 1).astype(int)
    values = []
    for start, stop in pairwise(edges):
        rest = np.concatenate([positions[:start], positions[stop:]])
        found = [value for value in _axes(rest, cell, temperature_K) if value is not None]
        if found:
            values.append(min(found))
    error = None
    if len(values) == N_BLOCKS:
        error = float(np.sqrt((N_BLOCKS - 1) * np.var(values)))
    return DensityBarrier(
        temperature_K=temperature_K,
        barrier_eV=min(seen),
        error_eV=error,
        axes_eV=axes,
        n_blocks=N_BLOCKS,
    )


def _axes(
    positions: NDArray[np.float64], cell: NDArray[np.float64], temperature_K: float
) -> list[float | None]:
    found = percolation_barriers(density_map(positions, cell), temperature_K)
    return [found.a_eV, found.b_eV, found.c_eV]
