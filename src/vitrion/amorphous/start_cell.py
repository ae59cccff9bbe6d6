"""Initial cell of a melt: a packed composition or a supercell of a crystal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vitrion.amorphous.cell import PackedCell, shortest_contact
from vitrion.amorphous.pack import pack
from vitrion.amorphous.volume import check_volume_per_atom
from vitrion.chemistry.bonds import find_bonds, is_endless, strip_properties, unwrap_molecule
from vitrion.chemistry.geometry import face_distances
from vitrion.chemistry.structures import check_apart, check_ordered

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
    from vitrion.chemistry.formulas import CompositionLike


def start_cell(
    start: Structure | CompositionLike,
    settings: MeltQuenchSettings,
    min_side_A: float,
) -> PackedCell:
    """Create the initial cell of a melt: pack a composition, or build a supercell of a crystal.

    Parameters
    ----------
    start : Structure, Composition or str
    settings : MeltQuenchSettings
    min_side_A : float
        As in :func:`pack`.

    Raises
    ------
    InputError
        As :func:`pack` and :func:`melt_start`.
    """
    from pymatgen.core import Structure

    make = (
        partial(melt_start, start)
        if isinstance(start, Structure)
        else partial(pack, start, unit=settings.unit, seed=settings.seed, ions=settings.ions)
    )
    return make(
        n_atoms=settings.n_atoms,
        volume_per_atom_A3=settings.volume_per_atom_A3,
        min_side_A=min_side_A,
    )


def melt_start(
    crystal: Structure,
    *,
    n_atoms: int = 72,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
) -> PackedCell:
    """Build a near-cubic supercell of a crystal to melt.

    Parameters
    ----------
    crystal : Structure
        Ordered.
    n_atoms, min_side_A
        As in :func:`pack`, with the smallest distance of opposite faces as the edge.
    volume_per_atom_A3 : float, optional
        Volume to scale the cell to; by default the volume of the crystal.

    Returns
    -------
    PackedCell

    Raises
    ------
    InputError
        If the crystal is disordered or the volume is out of range.
    """
    check_apart(check_ordered(crystal, "The crystal to melt"), "The crystal to melt")
    volume = crystal.volume
    if volume_per_atom_A3 is not None:
        check_volume_per_atom(crystal.composition, volume_per_atom_A3)
        volume = volume_per_atom_A3 * len(crystal)
    sides = face_distances(crystal.lattice.matrix) * np.cbrt(volume / crystal.volume)
    repeats = np.ones(3, dtype=int)
    while (np.prod(repeats) * len(crystal) < n_atoms) or (min(sides * repeats) < min_side_A):
        repeats[np.argmin(sides * repeats)] += 1
    structure = strip_properties(crystal)
    structure.make_supercell(np.diag(repeats))
    bonds = find_bonds(structure)  # before they are stretched to the requested volume
    ions = [
        tuple(sites.tolist())
        for sites in bonds.molecules()
        if not is_endless(bonds, sites, unwrap_molecule(bonds, sites))
    ]
    structure.scale_lattice(volume * np.prod(repeats))
    return PackedCell(
        structure=structure,
        unit="crystal",
        ions=ions,
        volume_per_atom_A3=structure.volume / len(structure),
        shortest_contact_A=shortest_contact(structure, ions),
        seed=None,
    )


def replica_seeds(seed: int, n_replicas: int) -> list[int]:
    """Return independent seeds for the replicas of a glass, spawned from one seed."""
    children = np.random.SeedSequence(seed).spawn(n_replicas)
    return [int(child.generate_state(1)[0] >> 1) for child in children]
