"""Thermostats: functions that act on the velocities of a state for a given time.

Each takes (state, time, system, kT, rng), replaces the velocities and chain momenta of the state,
and returns the energy transferred to the bath, in ASE's units: eV, A, u, and A sqrt(u/eV) for
times. kT may change from call to call, as in a ramp; the conserved energy remains exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vitrion.dynamics.state import State, System, kinetic_energy, remove_drift

if TYPE_CHECKING:
    from vitrion.dynamics.md_settings import Thermostat

ThermostatFunction = Callable[[State, float, System, float, np.random.Generator], float]

# Fourth-order splitting, H. Yoshida, Phys. Lett. A 150, 262 (1990).
_ROOT = 2 ** (1 / 3)
_YOSHIDA = (1 / (2 - _ROOT), -_ROOT / (2 - _ROOT), 1 / (2 - _ROOT))


def none(*_: object) -> float:
    """Return zero and leave the velocities unchanged."""
    return 0.0


def bussi(state: State, time: float, system: System, kT: float, rng: np.random.Generator) -> float:
    """Rescale all velocities by one random factor so that the kinetic energy is canonical.

    Exact for any time: eq. (A7) of Bussi, Donadio, Parrinello, J. Chem. Phys. 126, 014101 (2007).
    It keeps the directions of the velocities and therefore hardly perturbs diffusion.
    """
    kinetic = kinetic_energy(state.velocities, system.masses)
    keep = math.exp(-time / system.coupling_time)
    mix = (1 - keep) * 0.5 * kT / kinetic
    normal = rng.standard_normal()
    others = rng.chisquare(system.n_dof - 1) if system.n_dof > 1 else 0.0
    factor = math.sqrt(keep + mix * (others + normal**2) + 2 * normal * math.sqrt(keep * mix))
    if normal + math.sqrt(keep / mix) < 0:
        factor = -factor
    state.velocities = factor * state.velocities
    return (1 - factor**2) * kinetic


def langevin(
    state: State, time: float, system: System, kT: float, rng: np.random.Generator
) -> float:
    """Solve friction and noise exactly (the O step of OBABO; Bussi, Parrinello, PRE 75, 056707).

    Every atom is coupled to the bath, which slows diffusion: for equilibration only.
    """
    before = kinetic_energy(state.velocities, system.masses)
    keep = math.exp(-time / system.coupling_time)
    noise = rng.standard_normal(state.velocities.shape)
    noise *= np.sqrt((1 - keep**2) * kT / system.masses)
    noise += keep * state.velocities
    state.velocities = remove_drift(noise, system.masses) if system.fix_center_of_mass else noise
    return before - kinetic_energy(state.velocities, system.masses)


def nose_hoover(
    state: State, time: float, system: System, kT: float, rng: np.random.Generator
) -> float:
    """Propagate a Nose-Hoover chain (Tuckerman et al., J. Phys. A 39, 5629 (2006)).

    The transferred energy is the integral of kT (n_dof d eta_1 + sum d eta_j). The chain has few
    links, for which Python floats are faster than arrays.
    """
    chain, masses = state.chain.tolist(), system.chain_masses.tolist()
    doubled = 2 * kinetic_energy(state.velocities, system.masses)
    scale, handed = 1.0, 0.0
    for weight in _YOSHIDA:
        h = weight * time
        for link in range(len(chain) - 1, -1, -1):
            _push(chain, masses, link, h / 2, doubled, system.n_dof, kT)
        rates = [momentum / mass for momentum, mass in zip(chain, masses, strict=True)]
        handed += h * kT * (system.n_dof * rates[0] + sum(rates[1:]))
        shrink = math.exp(-h * rates[0])
        scale *= shrink
        doubled *= shrink**2
        for link in range(len(chain)):
            _push(chain, masses, link, h / 2, doubled, system.n_dof, kT)
    state.velocities = scale * state.velocities
    state.chain = np.array(chain)
    return handed


def _push(
    chain: list[float],
    masses: list[float],
    link: int,
    h: float,
    doubled: float,
    n_dof: int,
    kT: float,
) -> None:
    """Advance one link of the chain in place by its force and the friction of the next link."""
    drag = 1.0
    if link + 1 < len(chain):
        drag = math.exp(-0.5 * h * chain[link + 1] / masses[link + 1])
    if link == 0:
        force = doubled - n_dof * kT
    else:
        force = chain[link - 1] ** 2 / masses[link - 1] - kT
    chain[link] = (chain[link] * drag + h * force) * drag


THERMOSTATS: dict[Thermostat | None, ThermostatFunction] = {
    None: none,
    "bussi": bussi,
    "langevin": langevin,
    "nose-hoover": nose_hoover,
}
