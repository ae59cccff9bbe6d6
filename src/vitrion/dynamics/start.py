"""Initial state of a run: arrays from a structure, and initial velocities.

Velocities travel between jobs as the site property ``velocities`` of a pymatgen Structure, in A/fs
(the unit of a POSCAR; ASE's own unit is A/10.18 fs). A run uses, in this order: the velocities of
the previous run's checkpoint if the structure is its last one, the velocities of the structure, or
Maxwell-Boltzmann velocities from the seed. Velocities that are all zero count as absent: files and
calculators write zeros for unknown velocities, and a thermostat that scales velocities cannot heat
a system from 0 K. In each case the motion of the center of mass is removed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms, units
from ase.geometry import complete_cell

from vitrion.chemistry.structures import check_ordered
from vitrion.dynamics.checkpoint import FILE_NAME, Checkpoint, Start, read_checkpoint
from vitrion.dynamics.state import remove_drift
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Structure

VELOCITIES = "velocities"
SAME_POSITION_A = 1e-3
ROUNDING = 1e-12


def read_start(
    structure: Structure | Atoms, fix_center_of_mass: bool, previous: Path | None = None
) -> Start:
    """Convert a structure to the initial state of a run.

    Parameters
    ----------
    structure : Structure or Atoms
        Ordered; velocities are the site property in A/fs, or the momenta of the Atoms.
    fix_center_of_mass : bool
        Whether to remove the drift of the center of mass.
    previous : Path, optional
        Directory of an earlier run, whose last velocities are used if its last positions equal the
        structure.

    Returns
    -------
    Start
        With NaN velocities if they must be drawn: none are known, or they vanish after removing
        the drift.

    Raises
    ------
    InputError
        If the structure is disordered or has no cell, or its velocities are incomplete or not
        finite.
    """
    start = _from_atoms(structure) if isinstance(structure, Atoms) else _from_structure(structure)
    if not start.cell.any():
        raise InputError(
            "The atoms have no cell: add one, for instance with ASE's atoms.center(vacuum=10)."
        )
    # In ASE a slab may lack the lattice vector along which it is not periodic.
    start = replace(start, cell=np.array(complete_cell(start.cell), dtype=np.float64))
    velocities = start.velocities
    if previous is not None and (previous / FILE_NAME).is_file():
        carried = _last_velocities(read_checkpoint(previous / FILE_NAME), start)
        velocities = velocities if carried is None else carried
    largest = np.abs(velocities).max(initial=0.0)
    if fix_center_of_mass:
        velocities = remove_drift(velocities, start.masses[:, None])
    if np.abs(velocities).max(initial=0.0) <= ROUNDING * largest:
        velocities = np.full_like(velocities, np.nan)
    return Start(start.numbers, start.masses, start.pbc, start.positions, start.cell, velocities)


def _from_atoms(atoms: Atoms) -> Start:
    known = atoms.has("momenta")
    velocities = atoms.get_velocities() if known else np.full((len(atoms), 3), np.nan)
    if known and not np.isfinite(velocities).all():
        raise InputError("The velocities of the atoms are not finite: correct or remove them.")
    return Start(
        numbers=atoms.numbers.astype(np.int64),
        masses=atoms.get_masses(),
        pbc=np.array(atoms.pbc, dtype=bool),
        positions=atoms.positions.astype(np.float64),
        cell=np.array(atoms.cell, dtype=np.float64),
        velocities=velocities,
    )


def _from_structure(structure: Structure) -> Start:
    check_ordered(structure)
    return Start(
        numbers=np.array([site.specie.Z for site in structure], dtype=np.int64),
        masses=np.array([float(site.specie.atomic_mass) for site in structure]),
        pbc=np.array(structure.lattice.pbc, dtype=bool),
        positions=np.array(structure.cart_coords, dtype=np.float64),
        cell=np.array(structure.lattice.matrix, dtype=np.float64),
        velocities=_site_velocities(structure),
    )


def _site_velocities(structure: Structure) -> np.ndarray:
    """Return the velocities in ASE's units, NaN if the structure has none."""
    rows = structure.site_properties.get(VELOCITIES)
    if rows is None or all(row is None for row in rows):
        return np.full((len(structure), 3), np.nan)
    try:
        velocities = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        velocities = np.zeros(0)
    if velocities.shape != (len(structure), 3) or not np.isfinite(velocities).all():
        raise InputError(
            "The site property 'velocities' must hold three finite numbers in A/fs for "
            "every site: correct or remove it."
        )
    return velocities / units.fs


def _last_velocities(checkpoint: Checkpoint, start: Start) -> np.ndarray | None:
    """Return the velocities of a checkpoint if its positions equal the start, else None."""
    state = checkpoint.state
    if not np.array_equal(checkpoint.start.numbers, start.numbers):
        return None
    if not np.allclose(state.cell, start.cell, rtol=0, atol=SAME_POSITION_A):
        return None
    moved = start.positions - state.positions
    if start.pbc.any():
        images = np.round(np.linalg.solve(start.cell.T, moved.T).T)
        images[:, ~start.pbc] = 0
        moved = moved - images @ start.cell
    return state.velocities if np.abs(moved).max() < SAME_POSITION_A else None
