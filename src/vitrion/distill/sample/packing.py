"""Random cells of whole ions at a given volume per atom, without overlaps.

Ions are placed and rotated at random; a soft repulsion between ions and stiff springs within them
remove overlaps.
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

_SQRT3 = 3**-0.5
_TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * _SQRT3
_TRIANGLE = np.array([[0, 1, 0], [0.75**0.5, -0.5, 0], [-(0.75**0.5), -0.5, 0]])
_AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])


def _around(center: str, ligands: str, directions: np.ndarray, length: float) -> Atoms:
    symbols = [center, *ligands]
    return Atoms(symbols, np.vstack([[0, 0, 0], np.asarray(directions)[: len(ligands)] * length]))


def _diphosphate() -> Atoms:
    left = _TETRAHEDRON * 1.55
    shift = left[0] * 2.0
    return Atoms("POOOOPOOO", np.vstack([[0, 0, 0], left, shift, shift - left[1:]]))


# Building blocks of the training set of the shipped student, not only ions; bond lengths in A are
# close to the bond lengths in crystals. Elements and other ions: see fragment().
FRAGMENTS: dict[str, Atoms] = {
    "PO2F2": _around("P", "OOFF", _TETRAHEDRON, 1.53),
    "PO3F": _around("P", "OOOF", _TETRAHEDRON, 1.54),
    "PO4": _around("P", "OOOO", _TETRAHEDRON, 1.55),
    "PO3": _around("P", "OOO", _TRIANGLE, 1.48),
    "POF3": _around("P", "OFFF", _TETRAHEDRON, 1.51),
    "PF3": _around("P", "FFF", _TETRAHEDRON, 1.58),
    "PF6": _around("P", "FFFFFF", _AXES, 1.63),
    "P2O7": _diphosphate(),
    "CO3": _around("C", "OOO", _TRIANGLE, 1.29),
    "CO2": Atoms("COO", [[0, 0, 0], [1.17, 0, 0], [-1.17, 0, 0]]),
    "O2": Atoms("OO", [[0, 0, 0], [1.5, 0, 0]]),
}

# Contact radii in A: ions, except that equal charges are kept further apart (see _contact). Other
# elements use the contact radii of glass packing.
_RADIUS = {"Li": 0.70, "C": 1.3, "P": 1.5, "O": 1.3, "F": 1.25}
_CATIONS = {"Li", "P", "C"}


def fragment(name: str) -> Atoms:
    """Return a building block: one of ``FRAGMENTS``, an element, or a polyanion of common salts.

    Raises
    ------
    InputError
        If the name is unknown.
    """
    if name in FRAGMENTS:
        return FRAGMENTS[name]
    try:
        ion = known_ion(name)
    except InputError as exc:
        known = sorted(FRAGMENTS.keys() | KNOWN_POLYANIONS)
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
