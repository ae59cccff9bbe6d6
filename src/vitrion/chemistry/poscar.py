"""The lattice of POSCAR and XDATCAR files."""

from __future__ import annotations

import numpy as np

from vitrion.errors import InputError

NO_ELEMENTS = (
    "names no elements (VASP 4): add a line with the elements above the line with their numbers of "
    "atoms"
)
"""What is wrong with a file of VASP 4, and what to do."""


def scaling_factors(line: str, vectors: np.ndarray) -> np.ndarray:
    """Return the factors of the x, y and z components of the lattice vectors, shape (3,).

    One number is a common factor or, if it is negative, the volume of the cell in A3; three numbers
    are the factors of the Cartesian components (VASP wiki, POSCAR).

    Parameters
    ----------
    line : str
        Second line of the file.
    vectors : ndarray, shape (3, 3)
        Lattice vectors in rows, before scaling.

    Raises
    ------
    InputError
        If the line holds other numbers, or the vectors have no volume to scale.
    """
    try:
        factors = np.array([float(word) for word in line.split()])
    except ValueError:
        factors = np.empty(0)
    if len(factors) == 1 and factors[0] < 0.0:
        volume = abs(np.linalg.det(vectors))
        factors = np.cbrt(-factors / volume) if volume else np.empty(0)
    if len(factors) not in {1, 3} or not np.isfinite(factors).all() or not (factors > 0.0).all():
        raise InputError(
            f"The scaling factor '{line.strip()[:60]}' of the lattice must be a positive number, "
            "minus the volume of the cell in A3, or three positive numbers for x, y and z."
        )
    return factors * np.ones(3)
