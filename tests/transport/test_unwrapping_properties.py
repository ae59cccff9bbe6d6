"""Random walks wrapped into random triclinic cells are recovered, whatever the cell does."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from ase.data import atomic_masses, atomic_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrion.errors import InputError
from vitrion.transport.displacements import Tracker

SYMBOLS = ["O", "Li", "P", "Li", "O", "Li"]
IONS = np.array([symbol == "Li" for symbol in SYMBOLS])
MASSES = np.array([atomic_masses[atomic_numbers[symbol]] for symbol in SYMBOLS])
FRAMES = 40
EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True)


class Walk(NamedTuple):
    """A walk: cells, unwrapped positions in A, and the motion of the ions against the rest."""

    cells: np.ndarray
    positions: np.ndarray
    motion: np.ndarray

    def wrapped(self) -> np.ndarray:
        fractional = np.einsum("tai,tij->taj", self.positions, np.linalg.inv(self.cells))
        return np.einsum("tai,tij->taj", fractional % 1.0, self.cells)


def relative(positions):
    """Displacements of the ions, less the displacement of the others' center of mass."""
    weights = np.where(IONS, 0.0, MASSES)
    center = np.einsum("a,tai->ti", weights / weights.sum(), positions)
    moved = positions[:, IONS] - center[:, None]
    return moved - moved[0]


@st.composite
def cells(draw):
    """Rows of lattice vectors between 4 and 15 A, tilted by up to 0.9 of a vector's length."""
    lengths = st.floats(4.0, 15.0)
    tilts = st.floats(-0.9, 0.9)
    a, b, c = draw(lengths), draw(lengths), draw(lengths)
    return np.array(
        [[a, 0.0, 0.0], [draw(tilts) * a, b, 0.0], [draw(tilts) * a, draw(tilts) * b, c]]
    )


def walk(cell, seed, *, breathing=0.0, length=0.21):
    """Steps of up to twice `length` of the cell: of each atom, and of all atoms together."""
    rng = np.random.default_rng(seed)
    strain = breathing * rng.uniform(-1.0, 1.0, (FRAMES, 3, 3))
    boxes = cell @ (np.eye(3) + strain)
    steps = rng.uniform(-length, length, (FRAMES, len(SYMBOLS), 3))
    steps += rng.uniform(-length, length, (FRAMES, 1, 3))
    start = rng.uniform(-2.0, 3.0, (len(SYMBOLS), 3))
    # Scaled positions follow the cell: only steps within the cell of their frame are motion.
    scaled = start + np.cumsum(np.concatenate([np.zeros_like(steps[:1]), steps[1:]]), axis=0)
    travelled = np.cumsum(np.einsum("tai,tij->taj", steps[1:], boxes[1:]), axis=0)
    path = start @ boxes[0] + np.concatenate([np.zeros_like(travelled[:1]), travelled])
    positions = np.einsum("tai,tij->taj", scaled, boxes)
    return Walk(boxes, positions, relative(path))


def track(positions, boxes, *, wrapped=None, pieces=1):
    tracker = Tracker(SYMBOLS, ["Li"], 50.0, wrapped=wrapped)
    for start, end in pairwise(np.linspace(0, len(positions), pieces + 1).astype(int)):
        part = slice(start, end)
        tracker.add(positions[part], boxes if boxes.ndim == 2 else boxes[part])
    mobile = tracker.result().mobile
    return mobile - mobile[0]


SEEDS = st.integers(0, 2**32 - 1)
PIECES = st.integers(1, 9)


@EXAMPLES
@given(cells(), SEEDS, PIECES, st.sampled_from([True, None]))
def test_a_wrapped_walk_is_recovered(cell, seed, pieces, wrapped):
    made = walk(cell, seed)
    moved = track(made.wrapped(), cell, wrapped=wrapped, pieces=pieces)
    np.testing.assert_allclose(moved, made.motion, atol=1e-8)


@EXAMPLES
@given(cells(), SEEDS, PIECES)
def test_a_walk_in_a_breathing_cell_is_recovered(cell, seed, pieces):
    made = walk(cell, seed, breathing=0.01)
    moved = track(made.wrapped(), made.cells, wrapped=True, pieces=pieces)
    np.testing.assert_allclose(moved, made.motion, atol=1e-8)


@EXAMPLES
@given(cells(), SEEDS, st.integers(1, FRAMES - 1), st.permutations(range(3)), st.integers(-1, 1))
def test_other_lattice_vectors_of_the_same_crystal_change_nothing(cell, seed, when, order, sign):
    """A flip: from one frame on, one vector is replaced by its sum with another one."""
    made = walk(cell, seed, length=0.1)
    basis = np.eye(3)
    basis[order[0], order[1]] = sign
    boxes = made.cells.copy()
    boxes[when:] = basis @ boxes[when:]
    flipped = made._replace(cells=boxes)
    moved = track(flipped.wrapped(), boxes, wrapped=True, pieces=3)
    np.testing.assert_allclose(moved, made.motion, atol=1e-8)


@EXAMPLES
@given(cells(), SEEDS, SEEDS, PIECES)
def test_a_drift_of_everything_is_removed(cell, seed, drift_seed, pieces):
    """Unwrapped positions may drift as far as they like."""
    made = walk(cell, seed)
    steps = np.random.default_rng(drift_seed).normal(scale=3.0, size=(FRAMES, 1, 3))
    drifted = made.positions + np.cumsum(steps, axis=0)
    moved = track(drifted, cell, wrapped=False, pieces=pieces)
    np.testing.assert_allclose(moved, made.motion, atol=1e-8)


@EXAMPLES
@given(cells(), SEEDS, st.floats(0.46, 0.5))
def test_a_step_of_half_a_cell_is_refused(cell, seed, jump):
    """Nothing tells in which direction such an atom moved."""
    made = walk(cell, seed, length=0.0)
    made.positions[FRAMES // 2 :, 1] += jump * cell[0]
    with pytest.raises(InputError, match="half a cell before frame 21"):
        track(made.wrapped(), cell, wrapped=True)
