"""Pack whole ions or atoms at random into the initial cell of a melt.

The packing determines the material: packed from Li+ and PO2F2-, LiPO2F2 keeps every PO2F2 through
a melt at 1500 K; packed from atoms it becomes a mixture of PO3F, POF3 and unbound F.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrion.amorphous.cell import PackedCell, shortest_contact
from vitrion.amorphous.contents import (
    PackingPlan,
    plan_composition,
    plan_ions,
)
from vitrion.amorphous.packmol import run_packmol
from vitrion.chemistry.bonds import find_bonds
from vitrion.chemistry.elements import bonds_covalently
from vitrion.chemistry.geometry import site_symbols
from vitrion.chemistry.ions import Ion, known_ion
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike


CONTACT_SCALES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
"""Factors on the contact radii, tried in this order until packmol succeeds."""

TRIES_PER_SCALE = 2


def pack(
    composition: CompositionLike,
    *,
    n_atoms: int = 72,
    unit: Literal["ions", "atoms"] | None = None,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
    seed: int = 0,
    ions: Mapping[str, int] | None = None,
) -> PackedCell:
    """Pack a composition at random into a periodic cube.

    Parameters
    ----------
    composition : Composition or str
        Such as ``"LiPO2F2"``.
    n_atoms : int
        Least number of atoms; the cell holds whole formula units.
    unit : str, optional
        ``"ions"`` or ``"atoms"``. By default ions if the composition has known polyanions.
    volume_per_atom_A3 : float, optional
        See :mod:`vitrion.amorphous.volume` for the default.
    min_side_A : float
        Minimum edge of the cell in A: the cutoff of the potential, to exclude interactions of an
        atom with its own image.
    seed : int
    ions : mapping of str to int, optional
        Formulas, names or SMILES of ions and their numbers in one formula unit.

    Returns
    -------
    PackedCell
        The same for the same arguments.

    Raises
    ------
    InputError
        If ions are requested and none are known, the volume is out of range, the cell is too
        small, or packmol finds no packing at this density.
    """
    plan = plan_composition(
        composition,
        n_atoms=n_atoms,
        unit=unit,
        volume_per_atom_A3=volume_per_atom_A3,
        min_side_A=min_side_A,
        ions=ions,
    )
    return _place(plan, seed)


def pack_ions(
    ions: Sequence[tuple[Ion | str, int]] | Mapping[str, int],
    *,
    n_atoms: int = 72,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
    seed: int = 0,
    unit: Literal["ions", "atoms"] = "ions",
) -> PackedCell:
    """Pack ions in given proportions into a periodic cube.

    Parameters
    ----------
    ions : sequence of (Ion or str, int), or mapping of str to int
        Ions, or formulas of known ions, and their numbers in one formula unit.
    n_atoms, volume_per_atom_A3, min_side_A, seed
        As in :func:`pack`.
    unit : str
        ``unit`` of the result.

    Returns
    -------
    PackedCell

    Raises
    ------
    InputError
        As :func:`pack`; also if the charges of the ions are known and do not add up to zero.
    """
    items = ions.items() if isinstance(ions, Mapping) else ions
    per_formula = [(known_ion(i) if isinstance(i, str) else i, int(n)) for i, n in items]
    return _place(plan_ions(per_formula, unit, n_atoms, volume_per_atom_A3, min_side_A), seed)


def _place(plan: PackingPlan, seed: int) -> PackedCell:
    from pymatgen.core import Lattice, Structure

    symbols = plan.symbols
    volume_per_atom = plan.side_A**3 / len(symbols)
    bounds = np.cumsum([0] + [len(ion) for ion, n in plan.ions for _ in range(n)])
    groups = [tuple(range(a, b)) for a, b in pairwise(bounds.tolist())]
    tries = np.random.SeedSequence(seed).generate_state(len(CONTACT_SCALES) * TRIES_PER_SCALE)
    for k, packmol_seed in enumerate(tries):
        scale = CONTACT_SCALES[k // TRIES_PER_SCALE]
        positions = run_packmol(plan.ions, plan.side_A, scale=scale, seed=int(packmol_seed))
        if positions is None:
            continue
        structure = Structure(
            Lattice.cubic(plan.side_A),
            symbols,
            positions,
            coords_are_cartesian=True,
            to_unit_cell=True,
        )
        if plan.unit == "ions" and not _ions_are_apart(structure, groups):
            continue
        return PackedCell(
            structure=structure,
            unit=plan.unit,
            ions=groups if plan.unit == "ions" else [],
            volume_per_atom_A3=volume_per_atom,
            shortest_contact_A=shortest_contact(structure, groups),
            seed=seed,
        )
    raise InputError(
        f"Packmol found no packing at {volume_per_atom:.1f} A3 per atom: set a larger volume."
    )


def _ions_are_apart(structure: Structure, groups: list[tuple[int, ...]]) -> bool:
    """Whether the molecules found by distance equal the packed ions."""
    found = {tuple(sites.tolist()) for sites in find_bonds(structure).molecules()}
    symbols = site_symbols(structure)
    return all(
        group in found for group in groups if all(bonds_covalently(symbols[i]) for i in group)
    )
