"""Random cells of whole ions at a given volume per atom, without overlaps.

Ions are placed and rotated at random; a soft repulsion between ions and stiff springs within them
remove overlaps. Unlike the cells of :mod:`vitrion.amorphous.pack`, these need not be neutral
or cubic, nor as dilute as a liquid.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ase import Atoms
from scipy.optimize import minimize

from vitrion.amorphous.packmol import contact_radius
from vitrion.chemistry.charges import KNOWN_POLYANIONS
from vitrion.chemistry.elements import bonds_covalently
from vitrion.chemistry.ions import known_ion
from vitrion.errors import InputError

_TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)

MOLECULES: dict[str, Atoms] = {
    "POF3": Atoms("POFFF", [[0, 0, 0], *(1.51 * _TETRAHEDRON)]),
    "PF3": Atoms("PFFF", [[0, 0, 0], *(1.58 * _TETRAHEDRON[:3])]),
    "CO2": Atoms("COO", [[0, 0, 0], [1.17, 0, 0], [-1.17, 0, 0]]),
}
"""Neutral building blocks of the training set of the shipped student; ions: see `fragment`."""

# Contact radii in A: ions, except that equal charges are kept further apart (see _contact). Other
# elements use the contact radii of glass packing.
_RADIUS = {"Li": 0.70, "C": 1.3, "P": 1.5, "O": 1.3, "F": 1.25}
_CATIONS = {"Li", "P", "C"}


def fragment(name: str) -> Atoms:
    """Return a building block: a molecule of ``MOLECULES``, an element, or a known polyanion.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if name in MOLECULES:
        return MOLECULES[name]
    try:
        ion = known_ion(name)
    except InputError as exc:
        known = sorted(MOLECULES.keys() | KNOWN_POLYANIONS)
        raise InputError(
            f"The fragment '{name}' is unknown: name an element or one of {', '.join(known)}."
        ) from exc
    return Atoms(ion.symbols, ion.positions)


@lru_cache(maxsize=1024)
def _contact(first: str, second: str) -> float:
    if all(symbol in _CATIONS or not bonds_covalently(symbol) for symbol in (first, second)):
        return 2.7
    return sum(_RADIUS.get(symbol) or contact_radius(symbol) for symbol in (first, second))


def pack_fragments(
    ions: dict[str, int],
    volume_per_atom: float,
    seed: int,
    *,
    scale: float = 1.0,
    shear: float = 0.15,
) -> Atoms:
    """Pack whole ions at random into a periodic cell.

    Parameters
    ----------
    ions
        Number of each fragment, by a name of :func:`fragment`.
    volume_per_atom
        A3 per atom.
    seed
        Seed of the placement.
    scale
        Factor on the contact distances; below 1 leaves short contacts.
    shear
        Largest relative distortion of the cell from a cube.

    Returns
    -------
    Atoms
        Periodic cell with the array ``fragment`` (index of the ion of each atom).

    Raises
    ------
    InputError
        If a fragment is unknown or the volume is not positive.
    """
    if volume_per_atom <= 0:
        raise InputError("The volume per atom must be positive (A3).")
    rng = np.random.default_rng(seed)
    pieces = [fragment(name) for name, count in ions.items() for _ in range(count)]
    n_atoms = sum(len(piece) for piece in pieces)
    cell = np.eye(3) + rng.uniform(-shear, shear, (3, 3))
    cell *= (n_atoms * volume_per_atom / abs(np.linalg.det(cell))) ** (1 / 3)
    placed = [_turn(piece, rng) + rng.random(3) @ cell for piece in pieces]
    symbols = [symbol for piece in pieces for symbol in piece.get_chemical_symbols()]
    owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    positions = _remove_overlaps(np.vstack(placed), cell, symbols, owner, scale)
    atoms = Atoms(symbols, positions, cell=cell, pbc=True)
    atoms.set_array("fragment", owner)
    atoms.wrap()
    return atoms


def _turn(piece: Atoms, rng: np.random.Generator) -> np.ndarray:
    rotation, triangular = np.linalg.qr(rng.normal(size=(3, 3)))
    return piece.positions @ (rotation * np.sign(np.diag(triangular)))


def _remove_overlaps(
    start: np.ndarray, cell: np.ndarray, symbols: list[str], owner: np.ndarray, scale: float
) -> np.ndarray:
    """Minimize ``sum (contact - d)^2`` between ions plus springs that keep each ion's shape."""
    first, second = np.triu_indices(len(start), 1)
    bonded = owner[first] == owner[second]
    target = scale * np.array(
        [_contact(symbols[i], symbols[j]) for i, j in zip(first, second, strict=True)]
    )
    inner = start[first] - start[second]
    target[bonded] = np.linalg.norm(inner[bonded], axis=1)
    inverse = np.linalg.inv(cell)

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        positions = flat.reshape(-1, 3)
        vector = positions[first] - positions[second]
        image = np.round(vector @ inverse) @ cell
        vector = np.where(bonded[:, None], vector, vector - image)
        distance = np.maximum(np.linalg.norm(vector, axis=1), 1e-6)
        excess = distance - target
        active = bonded | (excess < 0)
        stiffness = np.where(bonded, 20.0, 1.0) * active
        pull = (2 * stiffness * excess / distance)[:, None] * vector
        gradient = np.zeros_like(positions)
        np.add.at(gradient, first, pull)
        np.add.at(gradient, second, -pull)
        return float(np.sum(stiffness * excess**2)), gradient.ravel()

    result = minimize(energy, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    return result.x.reshape(-1, 3)
