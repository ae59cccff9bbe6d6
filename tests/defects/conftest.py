"""A toy crystal whose energies can be computed by hand: fcc with a short-ranged pair potential."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.pair_potentials import VectorizedLennardJones
from vitrion.relaxation.relaxers import FixedCellRelaxer

LATTICE_A = 3.8


@pytest.fixture
def calculator() -> VectorizedLennardJones:
    return VectorizedLennardJones(sigma=2.42, epsilon=0.2, rc=4.6, smooth=True)


@pytest.fixture
def relax(calculator) -> FixedCellRelaxer:
    return FixedCellRelaxer(calculator, fmax_eV_per_A=0.02)


@pytest.fixture
def crystal() -> Structure:
    """Return fcc in which one sublattice is called Li and the rest Ar, all atoms alike."""
    return Structure(
        Lattice.cubic(LATTICE_A),
        ["Li", "Ar", "Ar", "Ar"],
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )


@pytest.fixture
def glass(relax) -> Structure:
    """Return a relaxed cell of atoms at random, 2 A apart at the start."""
    rng = np.random.default_rng(5)
    lattice = Lattice.cubic(7.6)
    points = [rng.random(3)]
    while len(points) < 24:
        point = rng.random(3)
        if lattice.get_all_distances(point, points).min() > 2.0:
            points.append(point)
    return relax([Structure(lattice, ["Li"] * 6 + ["Ar"] * 18, points)])[0].structure
