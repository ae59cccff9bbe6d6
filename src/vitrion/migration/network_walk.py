"""Diffusivity of the carriers of a barrier network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError
from vitrion.migration.random_walk import Jump, random_walk
from vitrion.migration.vibrations import ASSUMED_HZ

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from vitrion.defects.document import BarrierNetwork, HopRecord
    from vitrion.migration.random_walk import Walk


def network_walk(network: BarrierNetwork, matrix: ArrayLike, temperature_K: float) -> Walk:
    """Solve the random walk of one carrier on a network of hops.

    A hop without a harmonic attempt frequency has 1e13 Hz. Vibrational entropies of the sites are
    left out: the frequency of a hop is the geometric mean of its two directions. Hops that did not
    relax count as closed, so the diffusivity is a lower bound if there are any.

    Parameters
    ----------
    network : BarrierNetwork
    matrix : (3, 3) array
        Lattice vectors of the unit cell as rows, A.
    temperature_K : float

    Raises
    ------
    InputError
        If the network does not hold the places of its sites.
    """
    if len(network.site_places) != len(network.site_energies_eV):
        raise InputError("The barrier network does not hold the places of its sites.")
    energies = np.array(network.site_energies_eV)
    jumps = [
        Jump(start, end, image, max(hop.saddle_energy_eV, energies[[start, end]].max()), frequency)
        for hop in network.hops
        if hop.converged
        for frequency in [_frequency(hop)]
        for start, end, image in hop.copies
    ]
    return random_walk(network.site_places, energies.tolist(), jumps, matrix, temperature_K)


def _frequency(hop: HopRecord) -> float:
    if hop.attempt_frequency_Hz is None or hop.backward_attempt_frequency_Hz is None:
        return ASSUMED_HZ
    return float(np.sqrt(hop.attempt_frequency_Hz * hop.backward_attempt_frequency_Hz))
