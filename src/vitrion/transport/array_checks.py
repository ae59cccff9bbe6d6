"""Checks of the positions and cells that are given to the analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from vitrion.chemistry.geometry import face_distances, padded_points, wrap
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_VOLUME_A3 = 1.0
"""Least volume per atom; diamond has 5.7 A3."""

ONE_PLACE_A = 0.5
"""Extent of four or more atoms that are not positions, such as velocities."""

CLOSE_A = 0.5
"""Distance of two atoms that no solid has; O-H and H-H are 0.96 and 0.74 A."""

THINNEST_A = 1.0
"""Least distance of opposite faces of a cell; layers of atoms are about 2 A apart."""

SMALLEST_CELL_A = 3.0
"""Length of a cell that holds four or more atoms; fractional coordinates are much closer."""


def checked_positions(positions: Any) -> np.ndarray:
    """Return positions as an array of numbers.

    Raises
    ------
    InputError
        If they are not numbers.
    """
    found = np.asarray(positions)
    if found.dtype.kind in "fiu":
        return found
    try:
        if found.dtype.kind == "c":
            raise TypeError
        return found.astype(float)
    except (TypeError, ValueError):
        raise InputError(f"Positions must be numbers in A, not {found.dtype}.") from None


def checked_cells(cells: Any, n_frames: int) -> np.ndarray:
    """Return cells as an array of floats of the shape (3, 3) or (n_frames, 3, 3), in A.

    Raises
    ------
    InputError
        If they have another shape or no volume.
    """
    if isinstance(cells, (list, tuple)):
        cells = [getattr(cell, "matrix", cell) for cell in cells]  # of pymatgen Lattices
    cells = np.asarray(getattr(cells, "matrix", cells), dtype=float)
    if cells.shape == (3,):
        cells = np.diag(cells)
    if cells.shape not in {(3, 3), (n_frames, 3, 3)}:
        raise InputError(
            f"Cells must have the shape (3, 3) or ({n_frames}, 3, 3), not {cells.shape}."
        )
    if not np.isfinite(cells).all() or np.abs(np.linalg.det(cells)).min(initial=1.0) == 0.0:
        raise InputError("The trajectory has no periodic cell: give the lattice vectors in A.")
    return cells


def check_lengths(positions: np.ndarray, cell: np.ndarray) -> None:
    """Check the unit of the first frame.

    Parameters
    ----------
    positions : (n_atoms, 3) array
    cell : (3, 3) array

    Raises
    ------
    InputError
        If the atoms are too dense for lengths in A or the cell is too thin, the positions are
        fractional coordinates, or all atoms are at one place.
    """
    volume = abs(np.linalg.det(cell)) / len(positions)
    if volume < LEAST_VOLUME_A3:
        raise InputError(f"The cell has {volume:.2g} A3 per atom: give all lengths in A.")
    thickness = face_distances(cell).min()
    if thickness < THINNEST_A:
        raise InputError(f"The cell is {thickness:.2g} A thin: give all lengths in A.")
    if len(positions) >= 4 and np.ptp(positions, axis=0).max() < ONE_PLACE_A:
        raise InputError(
            f"All atoms of the first frame are within {ONE_PLACE_A} A: give Cartesian positions in "
            "A, not velocities or forces."
        )
    fractional = len(positions) >= 4 and positions.min() >= -0.5 and positions.max() <= 1.5
    if fractional and np.linalg.norm(cell, axis=1).min() > SMALLEST_CELL_A:
        raise InputError(
            "All positions of the first frame are between -0.5 and 1.5: give Cartesian positions "
            "in A, not fractional coordinates."
        )


def close_atoms(positions: np.ndarray, cell: np.ndarray, symbols: Sequence[str]) -> tuple[str, ...]:
    """Return a warning if atoms overlap: the cell or the unit of length may be wrong.

    Parameters
    ----------
    positions : (n_atoms, 3) array
    cell : (3, 3) array
    symbols : sequence of str
    """
    if not np.isfinite(positions).all():
        return ()
    points, owners = padded_points(wrap(positions @ np.linalg.inv(cell)), cell, CLOSE_A)
    tree = cKDTree(points)
    distances, neighbors = tree.query(points[: len(positions)], k=2, distance_upper_bound=CLOSE_A)
    i = int(np.argmin(distances[:, 1]))
    if not np.isfinite(distances[i, 1]):
        return ()
    j = next(int(owners[k]) for k in neighbors[i] if owners[k] != i)
    return (
        f"Atoms {i + 1} ({symbols[i]}) and {j + 1} ({symbols[j]}) of the first frame are "
        f"{distances[i, 1]:.2g} A apart: check the cell and the unit of length.",
    )
