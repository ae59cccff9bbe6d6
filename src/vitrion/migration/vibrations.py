"""Harmonic vibrations of a stationary point, and the attempt frequency of a hop.

G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957): the rate of a hop is
``nu exp(-E / kT)`` with ``nu`` the product of the 3N - 3 frequencies at the minimum over the
product of the 3N - 4 real frequencies at the saddle point.

Modes below 0.5 THz, such as librations in open frameworks, count as 0.5 THz at both points: they
are not harmonic, their computed frequencies are uncertain, and their contributions nearly cancel.
R. F. Ribeiro et al., J. Phys. Chem. B 115, 14556 (2011) treat soft modes of molecules likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import units

from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

ASSUMED_HZ = 1e13
"""Attempt frequency in Hz if the harmonic one is unavailable."""

_HZ_PER_ROOT = np.sqrt(units._e / units._amu) * 1e10 / (2 * np.pi)
"""Hz of a mode whose eigenvalue is 1 eV/(A2 u)."""

_SOFTEST = 1e-3
"""Smallest eigenvalue in eV/(A2 u) that a mode counts with: 0.5 THz."""

LONGEST_STEP_A = 0.1
"""Largest displacement in A of an atom in a Newton step."""


@dataclass(frozen=True)
class StationaryPoint:
    """A minimum or a saddle point with its harmonic vibrations.

    Attributes
    ----------
    positions_A : (n, 3) array
    energy_eV : float
    max_force_eV_per_A : float
    order : int
        Number of unstable modes: 0 at a minimum, 1 at a saddle point of a hop.
    log_frequencies : float
        Sum of ``ln(frequency / Hz)`` over the stable modes.
    n_soft : int
        Number of modes that count as 0.5 THz.
    """

    positions_A: NDArray[np.float64]
    energy_eV: float
    max_force_eV_per_A: float
    order: int
    log_frequencies: float
    n_soft: int


def force_constants(atoms: Atoms, displacement_A: float = 0.01) -> NDArray[np.float64]:
    """Return the matrix of force constants by central differences of the forces.

    Parameters
    ----------
    atoms : Atoms
        With a calculator; it is not changed.
    displacement_A : float

    Returns
    -------
    (3n, 3n) array
        Symmetric, eV/A2, with the sum rule of translations enforced.
    """
    work = atoms.copy()
    work.calc = atoms.calc
    n = 3 * len(work)
    start = work.positions.copy()
    matrix = np.empty((n, n))
    for k in range(n):
        moved = start.ravel().copy()
        moved[k] += displacement_A
        work.positions = moved.reshape(-1, 3)
        ahead = work.get_forces().ravel()
        moved[k] -= 2 * displacement_A
        work.positions = moved.reshape(-1, 3)
        behind = work.get_forces().ravel()
        matrix[k] = (behind - ahead) / (2 * displacement_A)
    matrix = 0.5 * (matrix + matrix.T)
    # Moving all atoms together costs nothing: the translations are projected out.
    rigid = np.tile(np.eye(3), (len(work), 1)) / np.sqrt(len(work))
    rest = np.eye(n) - rigid @ rigid.T
    return rest @ matrix @ rest


def stationary_point(
    atoms: Atoms,
    order: Literal[0, 1],
    *,
    along: NDArray[np.float64] | None = None,
    fmax_eV_per_A: float = 0.01,
    max_iterations: int = 12,
) -> StationaryPoint:
    """Converge a geometry to a stationary point of given order and return its vibrations.

    From a relaxed geometry or the climbing image of a band, Newton's method with the full matrix of
    force constants converges in a few iterations.

    Parameters
    ----------
    atoms : Atoms
        With a calculator; it is not changed.
    order : 0 or 1
        Of a minimum or of a saddle point.
    along : (n, 3) array, optional
        Direction of the hop, by which its mode is chosen among unstable ones; None is the softest.
    fmax_eV_per_A : float
        Largest force at the end.
    max_iterations : int
        Matrices of force constants computed at most.

    Raises
    ------
    SimulationError
        If the forces do not vanish, or the number of unstable modes is not ``order``.
    """
    work = atoms.copy()
    work.calc = atoms.calc
    forces, step, longest_A = work.get_forces(), np.zeros((len(work), 3)), LONGEST_STEP_A
    for _ in range(max_iterations):
        matrix = force_constants(work)
        if np.abs(forces).max() <= fmax_eV_per_A:
            break
        for _ in range(4):
            last, step = step, _newton_step(matrix, forces, order, along, longest_A)
            if np.sum(last * step) < 0.0:  # back and forth
                longest_A *= 0.5
            work.positions += step
            before, forces = np.abs(forces).max(), work.get_forces()
            if np.abs(forces).max() <= fmax_eV_per_A or np.abs(forces).max() > 0.7 * before:
                break
    found = np.abs(forces).max()
    if found > fmax_eV_per_A:
        raise SimulationError(
            f"The stationary point did not converge: the largest force is {found:.3f} eV/A, above "
            f"{fmax_eV_per_A:g} eV/A."
        )
    values, _ = _modes(matrix, work.get_masses())
    unstable, log_frequencies, n_soft = _vibrations(values)
    if unstable != order:
        raise SimulationError(
            f"The stationary point has {unstable} unstable modes; a "
            f"{'saddle point' if order else 'minimum'} has {order}."
        )
    return StationaryPoint(
        work.positions.copy(),
        float(work.get_potential_energy()),
        float(found),
        unstable,
        log_frequencies,
        n_soft,
    )


def mode_off_ridge(
    values: NDArray[np.float64], modes: NDArray[np.float64], along: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the displacements (n, 3) of the softest unstable mode other than the hop's.

    Parameters
    ----------
    values : (k,) array
        Eigenvalues in eV/(A2 u), ascending.
    modes : (3n, k) array
        Displacements of the modes.
    along : (n, 3) array
        Direction of the hop, by which its mode is chosen among unstable ones.

    Returns
    -------
    (n, 3) array or None
        None if there is at most one unstable mode.
    """
    unstable = int(np.count_nonzero(values < -_SOFTEST))
    if unstable < 2:
        return None
    hop = _followed(values, modes, along)
    return modes[:, 1 if hop == 0 else 0].reshape(-1, 3)


def attempt_frequency(minimum: StationaryPoint, saddle: StationaryPoint) -> float:
    """Return Vineyard's attempt frequency in Hz of a hop from a minimum over a saddle point."""
    return float(np.exp(minimum.log_frequencies - saddle.log_frequencies))


def _newton_step(
    matrix: NDArray[np.float64],
    forces: NDArray[np.float64],
    order: int,
    along: NDArray[np.float64] | None,
    longest_A: float,
) -> NDArray[np.float64]:
    """Return displacements (n, 3): uphill along the mode of a hop if order is 1, else downhill."""
    values, modes = np.linalg.eigh(matrix)
    steps = modes.T @ forces.ravel()
    translations = np.argsort(np.abs(values))[:3]
    steps[translations] = 0.0
    steps /= np.maximum(np.abs(values), 0.05)
    if order:
        steps[_followed(values, modes, along)] *= -1.0
    step = (modes @ steps).reshape(-1, 3)
    length = float(np.linalg.norm(step, axis=1).max())
    return step * min(1.0, longest_A / max(length, 1e-12))


def _followed(
    values: NDArray[np.float64],
    modes: NDArray[np.float64],
    along: NDArray[np.float64] | None,
) -> int:
    """Return the unstable mode that is most along a direction, or the softest mode."""
    unstable = int(np.count_nonzero(values < -_SOFTEST))
    if along is None or unstable < 2:
        return 0
    return int(np.argmax(np.abs(modes[:, :unstable].T @ along.ravel())))


def _modes(
    matrix: NDArray[np.float64], masses_u: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues in eV/(A2 u), ascending, and the displacements of the modes, unscaled."""
    scale = 1.0 / np.sqrt(np.repeat(masses_u, 3))
    values, modes = np.linalg.eigh(matrix * scale[:, None] * scale[None, :])
    return values, modes * scale[:, None]


def _vibrations(values: NDArray[np.float64]) -> tuple[int, float, int]:
    """Return the number of unstable modes, sum ln(frequency / Hz) of the others, number of soft."""
    values = np.delete(values, np.argsort(np.abs(values))[:3])  # translations
    soft = np.abs(values) < _SOFTEST
    values[soft] = _SOFTEST
    stable = values[values > 0]
    log_frequencies = float(np.log(np.sqrt(stable) * _HZ_PER_ROOT).sum())
    return int((values < 0).sum()), log_frequencies, int(soft.sum())
