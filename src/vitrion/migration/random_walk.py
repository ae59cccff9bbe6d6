"""Long-time diffusivity of a carrier that hops on a periodic network of sites, solved exactly.

The carrier is a Markov chain in continuous time that obeys detailed balance. Let ``c = p_i w`` be
the equilibrium flux through a jump (occupation of the start times rate, the same in both
directions) and ``d`` its vector. The diffusivity tensor is

    D = sum_jumps c (d + u_end - u_start) (d + u_end - u_start)^T,

summed once over the jumps of a cell, where the vectors ``u``, one for each site, minimize the
trace. With ``u = 0`` it is the uncorrelated walk; the minimum takes out the jumps that are undone.
This is Kirchhoff's problem of a resistor network under unit fields, equivalent to the correlation
term of A. R. Allnatt and A. B. Lidiard, Atomic Transport in Solids, Cambridge University Press
(1993), chapter 5, and to the variational principle of D. R. Trinkle, Phys. Rev. Lett. 121, 235901
(2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vitrion.errors import InputError
from vitrion.transport.constants import KB_EV_PER_K

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from vitrion.migration.network import Image

CM2_PER_A2 = 1e-16


@dataclass(frozen=True)
class Jump:
    """A jump of the carrier from site ``start`` to the copy of site ``end`` in cell ``image``.

    Attributes
    ----------
    start, end : int
        Sites.
    image : tuple of three int
        Lattice vector of the copy of ``end``, in units of the cell.
    saddle_eV : float
        Energy of the saddle point, on the scale of the site energies.
    frequency_Hz : float
        Attempt frequency, the same in both directions.
    """

    start: int
    end: int
    image: Image
    saddle_eV: float
    frequency_Hz: float


@dataclass(frozen=True)
class Walk:
    """Diffusivity of a carrier at one temperature.

    Attributes
    ----------
    diffusivity_cm2_s : (3, 3) array
        Tensor in Cartesian axes.
    uncorrelated_cm2_s : (3, 3) array
        Tensor without the correlation of successive jumps.
    occupation : (n,) array
        Equilibrium probability of each site; sums to 1.
    """

    diffusivity_cm2_s: NDArray[np.float64]
    uncorrelated_cm2_s: NDArray[np.float64]
    occupation: NDArray[np.float64]

    @property
    def isotropic_cm2_s(self) -> float:
        """Third of the trace: the diffusivity averaged over orientations."""
        return float(np.trace(self.diffusivity_cm2_s)) / 3.0


def random_walk(
    places: ArrayLike,
    site_energies_eV: Sequence[float],
    jumps: Sequence[Jump],
    matrix: ArrayLike,
    temperature_K: float,
) -> Walk:
    """Solve the random walk of one carrier on a periodic network.

    Rates follow transition-state theory: from site ``i``, a jump has the rate
    ``frequency * exp(-(saddle - energy_i) / kT)``. Sites that no jump joins to the rest
    hold their share of the carriers and do not move them.

    Parameters
    ----------
    places : (n, 3) array
        Fractional coordinates of the sites.
    site_energies_eV : (n,) sequence
        Energy of the carrier at rest on each site.
    jumps : sequence of Jump
        Each jump once, in either direction.
    matrix : (3, 3) array
        Lattice vectors as rows, A.
    temperature_K : float

    Returns
    -------
    Walk

    Raises
    ------
    InputError
        If a jump names a site that does not exist or a saddle point below one of its sites, or the
        temperature is not positive.
    """
    energies = np.asarray(site_energies_eV, dtype=float)
    _check(energies, jumps, temperature_K)
    beta = 1.0 / (KB_EV_PER_K * temperature_K)
    boltzmann = np.exp(-beta * (energies - energies.min()))
    occupation = boltzmann / boltzmann.sum()
    places, matrix = np.asarray(places, dtype=float), np.asarray(matrix, dtype=float)
    if not jumps:
        return Walk(np.zeros((3, 3)), np.zeros((3, 3)), occupation)
    starts = np.array([jump.start for jump in jumps])
    ends = np.array([jump.end for jump in jumps])
    images = np.array([jump.image for jump in jumps], dtype=float)
    vectors = (places[ends] + images - places[starts]) @ matrix
    saddles = np.array([jump.saddle_eV for jump in jumps]) - energies.min()
    frequencies = np.array([jump.frequency_Hz for jump in jumps])
    # The square root of the flux, so that networks of very unequal rates keep their precision.
    roots = np.sqrt(frequencies / boltzmann.sum()) * np.exp(-0.5 * beta * saddles)
    uncorrelated = roots[:, None] * vectors
    correlated = _corrected(uncorrelated, roots, starts, ends, len(energies))
    return Walk(
        correlated.T @ correlated * CM2_PER_A2,
        uncorrelated.T @ uncorrelated * CM2_PER_A2,
        occupation,
    )


def _corrected(
    uncorrelated: NDArray[np.float64],
    roots: NDArray[np.float64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    n_sites: int,
) -> NDArray[np.float64]:
    """Return ``roots (d + u_end - u_start)``, (m, 3), for the ``u`` that minimize its square.

    Rates of one network may differ by twenty orders of magnitude. Householder QR with column
    pivoting is accurate row by row where the rows are sorted by size: A. J. Cox and N. J. Higham,
    in Numerical Analysis 1997, Addison Wesley Longman (1998), p. 57.
    """
    inner = np.arange(len(starts))
    system = np.zeros((len(starts), n_sites))
    np.add.at(system, (inner, ends), roots)
    np.add.at(system, (inner, starts), -roots)
    graph = coo_matrix((np.ones(len(starts)), (starts, ends)), shape=(n_sites, n_sites))
    _, part = connected_components(graph, directed=False)
    # Only differences of u matter, so one site of each component stays at 0.
    _, fixed = np.unique(part, return_index=True)
    free = np.setdiff1d(np.arange(n_sites), fixed)
    if not len(free):
        return uncorrelated
    order = np.argsort(-roots, kind="stable")
    q, r, columns = qr(system[np.ix_(order, free)], mode="economic", pivoting=True)
    known = np.abs(np.diag(r)) > 0
    shifts = np.zeros((len(free), 3))
    rank = int(known.sum())
    found = solve_triangular(r[:rank, :rank], -(q[:, :rank].T @ uncorrelated[order]))
    shifts[columns[:rank]] = found
    everywhere = np.zeros((n_sites, 3))
    everywhere[free] = shifts
    return uncorrelated + roots[:, None] * (everywhere[ends] - everywhere[starts])


def _check(energies: NDArray[np.float64], jumps: Sequence[Jump], temperature_K: float) -> None:
    if not temperature_K > 0:
        raise InputError(f"Temperature {temperature_K:g} K must be above 0 K.")
    for jump in jumps:
        if not (0 <= jump.start < len(energies) and 0 <= jump.end < len(energies)):
            raise InputError(
                f"A jump leads from site {jump.start} to site {jump.end}; the network has sites 0 "
                f"to {len(energies) - 1}."
            )
        if jump.saddle_eV < max(energies[jump.start], energies[jump.end]) - 1e-6:
            raise InputError(
                f"The saddle point of the jump from site {jump.start} to site {jump.end} "
                f"({jump.saddle_eV:.3f} eV) lies below one of its sites."
            )
