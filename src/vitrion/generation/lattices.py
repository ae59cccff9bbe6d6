"""Cells of many shapes at a given volume, for generators that place atoms in a fixed lattice."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice

from vitrion.chemistry.geometry import face_distances
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

RATIOS = (0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0)
OBLIQUE = (75.0, 100.0, 110.0, 120.0)
THINNEST_A = 2.2
"""Minimum distance in A between opposite faces of a cell."""


def shapes() -> list[tuple[str, tuple[float, ...]]]:
    """Return seven kinds of cell with several axis ratios each.

    Returns
    -------
    list of (str, (6,) tuple)
        Name of the kind, and a, b, c (relative) and alpha, beta, gamma (degrees).
    """
    kinds: list[tuple[str, tuple[float, ...]]] = [("cubic", (1, 1, 1, 90, 90, 90))]
    uneven = [ratio for ratio in RATIOS if ratio != 1.0]
    kinds += [("tetragonal", (1, 1, c, 90, 90, 90)) for c in uneven]
    kinds += [("hexagonal", (1, 1, c, 90, 90, 120)) for c in RATIOS]
    kinds += [("rhombohedral", (1, 1, 1, t, t, t)) for t in (50.0, 60.0, 75.0, 100.0, 109.47)]
    pairs = [(b, c) for b, c in product(RATIOS, RATIOS) if 1.0 < b < c]
    kinds += [("orthorhombic", (1, b, c, 90, 90, 90)) for b, c in pairs]
    pairs = [(b, c) for b, c in product((0.65, 0.8, 1.25, 1.6), (0.8, 1.0, 1.25)) if b != c]
    kinds += [("monoclinic", (1, b, c, 90, t, 90)) for (b, c), t in product(pairs, OBLIQUE[1:])]
    angles = ((70.0, 80.0, 85.0), (75.0, 100.0, 95.0), (60.0, 80.0, 75.0), (100.0, 105.0, 95.0))
    ratios = ((1.2, 1.5), (0.85, 1.25), (1.1, 1.8))
    kinds += [("triclinic", (1, b, c, *t)) for (b, c), t in product(ratios, angles)]
    return kinds


def enumerate_lattices(volume: float, seed: int) -> Iterator[tuple[str, Lattice]]:
    """Yield an infinite sequence of Niggli-reduced cells of a volume.

    The sequence repeatedly visits the seven kinds in random order and yields the next member of
    each kind, so that a short sequence contains all kinds.

    Parameters
    ----------
    volume : float
        In A3.
    seed : int

    Raises
    ------
    InputError
        If no cell of this volume is thick enough for an atom.
    """
    rng = np.random.default_rng(seed)
    members: dict[str, list[Lattice]] = {}
    for kind, parameters in shapes():
        lattice = Lattice.from_parameters(*parameters)
        lattice = lattice.scale(volume).get_niggli_reduced_lattice()
        if min(face_distances(lattice.matrix)) > THINNEST_A:
            members.setdefault(kind, []).append(lattice)
    if not members:
        raise InputError(f"A cell volume of {volume:.1f} A3 is too small: increase the volume.")
    orders = {kind: rng.permutation(len(lattices)) for kind, lattices in members.items()}
    for turn in range(10**9):
        for kind in rng.permutation(sorted(members)).tolist():
            lattices = members[kind]
            yield kind, lattices[orders[kind][turn % len(lattices)]]
