"""Measure the speed of force evaluations on this machine."""

from __future__ import annotations

import math
import time
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from vitrion.dynamics.forces import force_provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase.calculators.calculator import Calculator

JITTER_A = 0.02
"""Standard deviation of the random displacements in A from the start, about a step of dynamics."""


def seconds_per_force_call(
    calculator: Calculator,
    symbols: Sequence[str],
    volume_per_atom_A3: float,
    *,
    measure_s: float = 1.0,
    seed: int = 0,
) -> float:
    """Return the time of one evaluation of energy and forces in s, if no other program runs.

    It is the time of the fastest evaluation: other programs make the others slower. On the CPU,
    which calculators use with one thread, it is the time of the processor. The atoms are
    placed on random points of a slightly distorted simple cubic grid, at the given density, so that
    they have about as many neighbors as in the material.

    Parameters
    ----------
    calculator : Calculator
    symbols : sequence of str
        Element of each atom.
    volume_per_atom_A3 : float
        Volume per atom in A3.
    measure_s : float
        Duration of the measurement in s, after one evaluation that is not counted.
    seed : int
    """
    rng = np.random.default_rng(seed)
    numbers = np.array([atomic_numbers[symbol] for symbol in rng.permutation(list(symbols))])
    n_atoms = len(numbers)
    side = (volume_per_atom_A3 * n_atoms) ** (1 / 3)
    points = np.ceil(n_atoms ** (1 / 3) - 1e-9)
    grid = rng.permutation(list(product(np.arange(points), repeat=3)))[:n_atoms]
    positions = grid * side / points + rng.normal(scale=0.1, size=(n_atoms, 3))
    cell = np.eye(3) * side
    provider = force_provider(calculator, numbers, (True, True, True))
    provider.evaluate(positions, cell, False)
    is_on_gpu = "cuda" in getattr(calculator, "evaluation", "")
    clock = time.perf_counter if is_on_gpu else time.thread_time
    until, fastest = time.perf_counter() + measure_s, math.inf
    while math.isinf(fastest) or time.perf_counter() < until:
        # From the start each time: a random walk would bring atoms together.
        moved = positions + rng.normal(scale=JITTER_A, size=positions.shape)
        began = clock()
        provider.evaluate(moved, cell, False)
        fastest = min(fastest, clock() - began)
    return fastest
