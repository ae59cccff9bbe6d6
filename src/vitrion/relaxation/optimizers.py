"""Optimizers that turn forces into moves, one step at a time.

The caller evaluates the forces, so that many crystals can share one call of the potential.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_MOVE_A = 0.2
"""Longest move of one atom in one step."""


@dataclass
class Fire:
    """Fast inertial relaxation engine.

    E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006), with the parameters of ASE. The longest
    move of one atom is limited, not the length of the whole step, so a large cell is not slower
    than a small one.
    """

    timestep: float = 0.1
    longest_timestep: float = 1.0
    mixing: float = 0.1
    downhill: int = 0
    velocity: NDArray[np.float64] | None = field(default=None, repr=False)

    GROW, SHRINK, MIXING, MIXING_SHRINK, PATIENCE = 1.1, 0.5, 0.1, 0.99, 5

    def move(self, forces: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next move (n, 3) in A for forces (n, 3) in eV/A."""
        if self.velocity is None:
            self.velocity = np.zeros_like(forces)
        if np.vdot(forces, self.velocity) > 0:
            norm = np.sqrt(np.vdot(self.velocity, self.velocity) / np.vdot(forces, forces))
            self.velocity = (1 - self.mixing) * self.velocity + self.mixing * norm * forces
            if self.downhill > self.PATIENCE:
                self.timestep = min(self.timestep * self.GROW, self.longest_timestep)
                self.mixing *= self.MIXING_SHRINK
            self.downhill += 1
        else:
            self.velocity = np.zeros_like(forces)
            self.mixing, self.downhill = self.MIXING, 0
            self.timestep *= self.SHRINK
        self.velocity = self.velocity + self.timestep * forces
        return limit_move(self.timestep * self.velocity)


@dataclass
class Lbfgs:
    """Quasi-Newton optimizer with limited memory.

    J. Nocedal, Math. Comput. 35, 773 (1980), without line search and with the parameters of ASE:
    the first Hessian is ``STIFFNESS`` times the identity. Steps of negative curvature are left out
    of the memory, so that every move goes downhill.
    """

    memory: int = 100
    steps: deque[tuple[NDArray[np.float64], NDArray[np.float64]]] = field(
        default_factory=deque, repr=False
    )
    last: tuple[NDArray[np.float64], NDArray[np.float64]] | None = field(default=None, repr=False)

    STIFFNESS = 70.0
    """In eV/A2."""

    def move(self, forces: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next move (n, 3) in A for forces (n, 3) in eV/A."""
        if self.last is not None:
            moved, before = self.last
            change = before - forces
            if np.vdot(moved, change) > 0:
                self.steps.append((moved, change))
            if len(self.steps) > self.memory:
                self.steps.popleft()
        direction = forces.copy()
        shares = []
        for moved, change in reversed(self.steps):
            shares.append(np.vdot(moved, direction) / np.vdot(moved, change))
            direction -= shares[-1] * change
        direction /= self.STIFFNESS
        for (moved, change), share in zip(self.steps, reversed(shares), strict=True):
            direction += moved * (share - np.vdot(change, direction) / np.vdot(moved, change))
        move = limit_move(direction)
        self.last = move, forces.copy()
        return move


OPTIMIZERS: dict[str, type[Fire] | type[Lbfgs]] = {"fire": Fire, "lbfgs": Lbfgs}


def limit_move(move: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shorten a move so that no atom moves by more than ``LONGEST_MOVE_A``."""
    longest = float(np.linalg.norm(move, axis=1).max())
    return move if longest <= LONGEST_MOVE_A else move * (LONGEST_MOVE_A / longest)
