"""Paths whose diffusivities are known exactly, in A and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vitrion.migration.random_walk import CM2_PER_A2, Jump, random_walk

if TYPE_CHECKING:
    from collections.abc import Callable

HOP_A = 3.0


class Scenario(NamedTuple):
    """How to draw a set of paths, and the truth about them."""

    draw: Callable[[np.random.Generator], np.ndarray]
    diffusivity: float  # A2 a frame
    haven: float


def brownian(n_frames: int, n_ions: int, diffusivity: float = 1.0, vibration: float = 0.0):
    """Independent Brownian ions on which uncorrelated vibration (A, each axis) is laid."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        steps = rng.normal(scale=np.sqrt(2.0 * diffusivity), size=(n_frames, n_ions, 3))
        return np.cumsum(steps, axis=0) + rng.normal(scale=vibration + 1e-12, size=steps.shape)

    return Scenario(draw, diffusivity, 1.0)


def strings(n_frames: int, n_ions: int, correlation: float, size: int = 5):
    """Brownian ions with correlated motion, in strings of `size` with a pair correlation."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        shape = (n_frames, n_ions // size, size, 3)
        common = rng.normal(scale=np.sqrt(correlation), size=(*shape[:2], 1, 3))
        own = rng.normal(scale=np.sqrt(1.0 - correlation), size=shape)
        return np.cumsum(np.sqrt(2.0) * (common + own).reshape(n_frames, n_ions, 3), axis=0)

    return Scenario(draw, 1.0, 1.0 / (1.0 + (size - 1) * correlation))


def hopping(
    n_frames: int, n_ions: int, hops_per_ion: float, vibration: float = 0.3, undone: float = 0.0
):
    """Ions that hop on a cubic lattice at a Poisson rate, and vibrate.

    A fraction `undone` of the hops is reversed five frames later on average; `hops_per_ion`
    counts the others.
    """
    rate = hops_per_ion / n_frames

    def draw(rng: np.random.Generator) -> np.ndarray:
        steps = np.zeros((n_frames, n_ions, 3))
        count = rng.poisson(rate / (1.0 - undone) * n_frames * n_ions)
        when, who = rng.integers(0, n_frames, count), rng.integers(0, n_ions, count)
        axis, sign = rng.integers(0, 3, count), rng.choice([-HOP_A, HOP_A], count)
        np.add.at(steps, (when, who, axis), sign)
        back = when + 1 + rng.exponential(5.0, count).astype(int)
        returns = (rng.random(count) < undone) & (back < n_frames)
        np.add.at(steps, (back[returns], who[returns], axis[returns]), -sign[returns])
        return np.cumsum(steps, axis=0) + rng.normal(scale=vibration, size=steps.shape)

    return Scenario(draw, rate * HOP_A**2 / 6.0, 1.0)


def rattling(n_frames: int, n_ions: int, rate: float = 0.02):
    """Ions that hop to and fro between two sites: thousands of hops, no diffusion."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        paths = rng.normal(scale=0.3, size=(n_frames, n_ions, 3))
        paths[..., 0] += HOP_A * (np.cumsum(rng.random((n_frames, n_ions)) < rate, axis=0) % 2)
        return paths

    return Scenario(draw, 0.0, 1.0)


def subdiffusive(n_frames: int, n_ions: int, exponent: float):
    """Fractional Brownian motion: MSD proportional to t^exponent at all times."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        frequency = np.fft.rfftfreq(4 * n_frames)[1:]
        noise = rng.normal(size=(2, len(frequency), n_ions, 3))
        modes = (noise[0] + 1j * noise[1]) * frequency[:, None, None] ** (-0.5 * (exponent + 1.0))
        modes = np.concatenate([np.zeros((1, n_ions, 3)), modes])
        paths = np.fft.irfft(modes, n=4 * n_frames, axis=0)[:n_frames]
        return paths * np.sqrt(0.1 / np.mean(np.diff(paths, axis=0) ** 2))

    return Scenario(draw, 0.0, 1.0)


def confined(n_frames: int, n_ions: int, diffusivity: float, width_A: float = 12.0):
    """Brownian ions between walls: diffusion at first, and none in the end."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        steps = rng.normal(scale=np.sqrt(2.0 * diffusivity), size=(n_frames, n_ions, 3))
        free = (np.cumsum(steps, axis=0) + width_A * rng.random((1, n_ions, 3))) % (2 * width_A)
        return np.minimum(free, 2 * width_A - free)

    return Scenario(draw, 0.0, 1.0)


def ballistic(n_frames: int, n_ions: int, speed: float = 0.05):
    """Ions that fly straight on, in A a frame, and vibrate."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        flight = np.arange(n_frames)[:, None, None] * rng.normal(scale=speed, size=(1, n_ions, 3))
        return flight + rng.normal(scale=0.2, size=flight.shape)

    return Scenario(draw, 0.0, 1.0)


def in_crystal(
    paths: np.ndarray, cell: np.ndarray, rng: np.random.Generator, n_framework: int = 20
) -> tuple[np.ndarray, list[str]]:
    """Put lithium into a vibrating oxygen framework that drifts; return positions, symbols."""
    n_frames, n_ions = paths.shape[:2]
    start = rng.random((n_ions, 3)) @ cell
    framework = rng.random((n_framework, 3)) @ cell
    vibration = rng.normal(scale=0.1, size=(n_frames, n_framework, 3))
    vibration -= vibration.mean(axis=1, keepdims=True)
    drift = np.linspace(0.0, 5.0, n_frames)[:, None, None] * [1.0, -0.5, 0.2]
    positions = np.concatenate([paths - paths[0] + start, framework + vibration], axis=1) + drift
    return positions, ["Li"] * n_ions + ["O"] * n_framework


class Network(NamedTuple):
    """Sites of a periodic cubic lattice with random energies, and random saddle points."""

    rates: np.ndarray  # (n_sites, 6), per frame
    neighbors: np.ndarray  # (n_sites, 6)
    occupation: np.ndarray  # (n_sites,)
    diffusivity: float  # A2 per frame, exact


CLOSED = 40.0
"""Barrier in kT of a path without hops."""

DIRECTIONS = np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)])


def disordered_network(
    rng: np.random.Generator,
    side: int,
    site_spread: float,
    barrier_spread: float,
    rate: float,
    *,
    traps: float = 0.0,
    closed: float = 0.0,
) -> Network:
    """Draw a network; the spreads of sites and of barriers are in kT.

    A tenth of the sites are deeper by `traps` in kT, and the fraction `closed` of all paths between
    sites has no hops. `rate` is the number of hops per ion and frame in equilibrium. The
    diffusivity is that of :func:`vitrion.migration.random_walk.random_walk`, an exact solution.
    """
    n_sites = side**3
    energies = rng.normal(scale=site_spread, size=n_sites)
    if traps:
        energies[rng.random(n_sites) < 0.1] -= traps
    cells = np.stack(np.unravel_index(np.arange(n_sites), (side,) * 3), axis=1)
    neighbors = np.stack(
        [np.ravel_multi_index(((cells + d) % side).T, (side,) * 3) for d in DIRECTIONS], axis=1
    )
    half = np.abs(rng.normal(scale=barrier_spread, size=(n_sites, 3)))
    if closed:
        half[rng.random((n_sites, 3)) < closed] = CLOSED
    barriers = np.concatenate([half, half[neighbors[:, 3:], [0, 1, 2]]], axis=1)
    saddles = np.maximum(energies[:, None], energies[neighbors]) + barriers
    rates = np.exp(energies[:, None] - saddles)
    occupation = np.exp(-energies) / np.exp(-energies).sum()
    rates *= rate / (occupation @ rates.sum(axis=1))
    return Network(rates, neighbors, occupation, _exact(cells, rates, occupation, neighbors, side))


def _exact(
    cells: np.ndarray, rates: np.ndarray, occupation: np.ndarray, neighbors: np.ndarray, side: int
) -> float:
    """Return the diffusivity of the network in A2 per frame."""
    jumps = []
    for site, cell in enumerate(cells):
        for axis in range(3):
            flux = occupation[site] * rates[site, axis]
            wraps = (cell + DIRECTIONS[axis]) // side
            # At equal site energies and weights equal to the occupation, the flux is what counts.
            jumps.append(
                Jump(site, int(neighbors[site, axis]), tuple(int(w) for w in wraps), 0.0, flux)
            )
    n_sites = len(cells)
    found = random_walk(cells / side, np.zeros(n_sites), jumps, side * HOP_A * np.eye(3), 300.0)
    return found.isotropic_cm2_s * n_sites / CM2_PER_A2


def trapped(
    n_frames: int,
    n_ions: int,
    hops_per_ion: float,
    site_spread: float,
    barrier_spread: float,
    side: int = 4,
    vibration: float = 0.3,
) -> Callable[[np.random.Generator], tuple[np.ndarray, float]]:
    """Ions of a glass: each draw is another network, returned with its exact diffusivity.

    The ions do not see each other, and start in equilibrium. `hops_per_ion` counts all hops, also
    those that are undone.
    """

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, float]:
        network = disordered_network(
            rng, side, site_spread, barrier_spread, hops_per_ion / n_frames
        )
        return walk(network, n_frames, n_ions, rng, vibration), network.diffusivity

    return draw


def walk(
    network: Network, n_frames: int, n_ions: int, rng: np.random.Generator, vibration: float = 0.3
) -> np.ndarray:
    """Return the paths of ions that hop on a network, from equilibrium, and vibrate."""
    waiting = 1.0 / network.rates.sum(axis=1)
    ways = np.cumsum(network.rates, axis=1) * waiting[:, None]
    starts = rng.choice(len(network.occupation), size=n_ions, p=network.occupation)
    steps = np.zeros((n_frames, n_ions, 3))
    for ion, start in enumerate(starts):
        site, time = start, rng.exponential(waiting[start])
        while time < n_frames:
            way = min(int(np.searchsorted(ways[site], rng.random())), 5)
            steps[int(time), ion] += HOP_A * DIRECTIONS[way]
            site = network.neighbors[site, way]
            time += rng.exponential(waiting[site])
    return np.cumsum(steps, axis=0) + rng.normal(scale=vibration, size=steps.shape)
