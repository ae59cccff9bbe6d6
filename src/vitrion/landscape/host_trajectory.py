"""Check that a trajectory belongs to a structure or a supercell of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Composition

from vitrion.chemistry.formulas import usual_formula
from vitrion.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.transport.displacements import Displacements

MAX_STRAIN = 0.1
"""Largest strain of the cell of a trajectory relative to the structure; heat expands crystals."""

MAX_VIBRATION_A = 0.6
"""Root mean square displacement of framework atoms up to which they have fixed sites."""

MAX_OFFSET_A = 1.0
"""Largest mean distance in A of framework atoms with fixed sites from the structure."""


@dataclass(frozen=True)
class Repeat:
    """How the cell of a trajectory is made from the cell of a structure.

    Attributes
    ----------
    matrix : (3, 3) int array
        Lattice vectors of the trajectory in units of the lattice vectors of the structure, as rows.
    count : int
        Cells of the structure in one of the trajectory.
    """

    matrix: NDArray[np.int64]
    count: int

    def folded(self, cell: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cell of the structure within the (3, 3) cell of the trajectory, in A."""
        return np.linalg.inv(self.matrix) @ cell


def match_host(motion: Displacements, structure: Structure) -> Repeat:
    """Compare a trajectory with a structure.

    Parameters
    ----------
    motion : Displacements
        Of the trajectory.
    structure : Structure
        Its composition, cell and framework are compared, up to a repeat of the cell.

    Returns
    -------
    Repeat

    Raises
    ------
    InputError
        If the trajectory is of another composition, cell, or arrangement of atoms.
    """
    host = Counter(site.specie.symbol for site in structure)
    found = Counter([*motion.symbols, *motion.framework_symbols])
    count = sum(found.values()) // len(structure)
    if count < 1 or found != Counter({symbol: count * n for symbol, n in host.items()}):
        raise InputError(
            f"The trajectory holds {_formula(found)} and the structure {_formula(host)}: provide a "
            "trajectory of the structure, or of a supercell of it."
        )
    repeat = _repeat(np.asarray(motion.cell), structure.lattice.matrix, count)
    _check_framework(motion, structure, repeat)
    return repeat


def check_composition(motion: Displacements, formula: str) -> None:
    """Check that a trajectory has the composition of a reduced formula.

    Raises
    ------
    InputError
    """
    found = Composition(Counter([*motion.symbols, *motion.framework_symbols]))
    if found.reduced_formula != Composition(formula).reduced_formula:
        raise InputError(f"The trajectory is of {usual_formula(found)}, not of {formula}.")


def _formula(counts: Counter[str]) -> str:
    return "".join(f"{symbol}{n}" for symbol, n in sorted(counts.items()))


def _repeat(cell: NDArray[np.float64], lattice: NDArray[np.float64], count: int) -> Repeat:
    """Find the repeat in the same orientation, or along the lattice vectors of a turned cell."""
    oblique = np.rint(cell @ np.linalg.inv(lattice))
    lengths = np.linalg.norm(cell, axis=1), np.linalg.norm(lattice, axis=1)
    straight = np.diag(np.rint(lengths[0] / lengths[1]))
    for matrix in (oblique, straight):
        ideal = matrix @ lattice
        same_volume = abs(abs(np.linalg.det(matrix)) - count) < 1e-6
        # Lengths and angles do not depend on the orientation of the cells.
        difference = cell @ cell.T - ideal @ ideal.T
        scale = np.outer(*[np.linalg.norm(ideal, axis=1)] * 2)
        if same_volume and np.abs(difference / scale).max() < 2.0 * MAX_STRAIN:
            return Repeat(matrix.astype(np.int64), count)
    raise InputError(
        f"The cell of the trajectory ({_lengths(cell)} A) is neither the cell of the structure "
        f"({_lengths(lattice)} A) nor a supercell of {count} cells."
    )


def _lengths(cell: NDArray[np.float64]) -> str:
    return " x ".join(f"{length:.2f}" for length in np.linalg.norm(cell, axis=1))


def _check_framework(motion: Displacements, structure: Structure, repeat: Repeat) -> None:
    """Refuse a framework that vibrates about other sites than the structure's."""
    mean = motion.framework.mean(axis=0)
    if np.sqrt(np.mean(np.sum((motion.framework - mean) ** 2, axis=-1))) > MAX_VIBRATION_A:
        return  # a framework that moves has no sites
    fractional = mean @ np.linalg.inv(repeat.folded(np.asarray(motion.cell)))
    distances = [
        _nearest(fractional[np.array(motion.framework_symbols) == symbol], structure, symbol)
        for symbol in set(motion.framework_symbols)
    ]
    offset = float(np.mean(np.concatenate(distances)))
    if offset > MAX_OFFSET_A:
        raise InputError(
            f"The framework of the trajectory is {offset:.1f} A from the framework of the "
            "structure on average: use the same origin and lattice vectors for both."
        )


def _nearest(
    fractional: NDArray[np.float64], structure: Structure, symbol: str
) -> NDArray[np.float64]:
    sites = structure.frac_coords[[site.specie.symbol == symbol for site in structure]]
    distances = structure.lattice.get_all_distances(fractional, sites)
    return np.min(distances, axis=1)
