"""Ridges: highest points of bands with a second unstable mode.

A band in a mirror plane of a crystal feels no force out of the plane, so it can relax to a point
that is a maximum in two directions. The saddle points beside it are lower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.migration.vibrations import mode_off_ridge

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

LANCZOS_STEPS = 30
"""Products with the matrix of force constants, each of two force calls."""

_DISPLACEMENT_A = 0.01
"""Largest displacement in A of an atom in the finite differences of forces."""

_STEP_A, _MAX_STEPS = 0.1, 10
"""Largest displacement in A of an atom in a step away from a ridge, and number of steps."""


def off_ridge(atoms: Atoms, along: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the displacement along the second unstable mode to the lowest energy.

    Parameters
    ----------
    atoms : Atoms
        The highest image of a band, with a calculator; it is not changed.
    along : (n, 3) array
        Direction of the hop, by which its mode is chosen among unstable ones.

    Returns
    -------
    (n, 3) array or None
        In A; None if there is no second unstable mode. The other side of the ridge is in the
        opposite direction.
    """
    work = atoms.copy()
    work.calc = atoms.calc
    mode = mode_off_ridge(*_softest_modes(work, along), along)
    if mode is None:
        return None
    step = mode * _STEP_A / float(np.linalg.norm(mode, axis=1).max())
    start, energies = work.positions.copy(), [work.get_potential_energy()]
    for k in range(1, _MAX_STEPS + 1):
        work.positions = start + k * step
        energies.append(work.get_potential_energy())
        if energies[-1] > energies[-2]:
            break
    return max(int(np.argmin(energies)), 1) * step


def _softest_modes(
    atoms: Atoms, along: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues in eV/(A2 u), ascending, and displacements of modes, (3n, k), by Lanczos.

    Every eigenvalue is an upper bound of one of the matrix of force constants, so a negative one is
    that of an unstable mode. The first vector contains the hop, and all other directions at random.
    """
    roots = np.sqrt(np.repeat(atoms.get_masses(), 3))
    rigid, _ = np.linalg.qr(np.tile(np.eye(3), (len(atoms), 1)) * roots[:, None])
    noise = np.random.default_rng(0).normal(size=len(roots))
    hop = along.ravel() * roots
    vector = hop / np.linalg.norm(hop) + noise / np.linalg.norm(noise)
    basis, products = np.empty((len(roots), 0)), np.empty((len(roots), 0))
    for _ in range(min(LANCZOS_STEPS, len(roots) - 3)):
        for known in (rigid, basis, rigid, basis):
            vector = vector - known @ (known.T @ vector)
        norm = float(np.linalg.norm(vector))
        if norm < 1e-6:
            break
        basis = np.column_stack([basis, vector / norm])
        vector = _product(atoms, basis[:, -1] / roots) / roots
        products = np.column_stack([products, vector])
    small = basis.T @ products
    values, vectors = np.linalg.eigh(0.5 * (small + small.T))
    return values, (basis @ vectors) / roots[:, None]


def _product(atoms: Atoms, mode: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of force constants times a displacement (3n,), in eV/A."""
    start = atoms.positions.copy()
    step = mode.reshape(-1, 3)
    scale = _DISPLACEMENT_A / float(np.linalg.norm(step, axis=1).max())
    atoms.positions = start + scale * step
    ahead = atoms.get_forces().ravel()
    atoms.positions = start - scale * step
    behind = atoms.get_forces().ravel()
    atoms.positions = start
    return (behind - ahead) / (2 * scale)
