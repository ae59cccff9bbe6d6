"""The start of a glass: whole ions packed at random, atoms packed at random, or a crystal to melt.

The start decides the material: packed from Li+ and whole PO2F2-, LiPO2F2 keeps every PO2F2 through
a melt at 1500 K; packed from atoms it becomes a scramble of PO3F, POF3 and loose F.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrion.amorphous.bonds import bonds_covalently, find_bonds, formula_of, site_symbols
from vitrion.amorphous.ions import Ion, known_ion
from vitrion.amorphous.packmol import contact_radius, run_packmol
from vitrion.amorphous.volume import check_volume_per_atom, default_volume_per_atom
from vitrion.chemistry import decompose_into_ions, parse_composition
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Composition, Structure

PackingUnit = Literal["ions", "atoms", "crystal"]

CONTACT_SCALES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
"""Factors on the contact radii, tried in this order until packmol succeeds."""

TRIES_PER_SCALE = 2


@dataclass(frozen=True)
class PackedCell:
    """A start for the melt.

    Attributes
    ----------
    structure : Structure
        Cubic if packed; molecules may lie across the cell's faces.
    unit : str
        What was packed: ``"ions"``, ``"atoms"`` or ``"crystal"`` (nothing was: to be melted).
    ions : list of tuple of int
        Site indices of each packed ion; of each molecule found, for a crystal; empty for atoms.
    volume_per_atom_A3 : float
    shortest_contact_A : float
        Shortest periodic distance between atoms of different ions.
    seed : int or None
        None for a crystal.
    """

    structure: Structure
    unit: PackingUnit
    ions: list[tuple[int, ...]]
    volume_per_atom_A3: float
    shortest_contact_A: float
    seed: int | None

    def ion_counts(self) -> dict[str, int]:
        """Return how many ions of each formula were packed."""
        symbols = site_symbols(self.structure)
        counts: dict[str, int] = {}
        for sites in self.ions:
            formula = formula_of(symbols[list(sites)].tolist())
            counts[formula] = counts.get(formula, 0) + 1
        return counts


def pack(
    composition: Composition | str,
    *,
    n_atoms: int = 72,
    unit: Literal["ions", "atoms"] | None = None,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
    seed: int = 0,
) -> PackedCell:
    """Pack a composition at random into a periodic cube.

    Parameters
    ----------
    composition : Composition or str
        Such as ``"LiPO2F2"``.
    n_atoms : int
        Least number of atoms; the cell holds whole formula units.
    unit : str, optional
        ``"ions"`` or ``"atoms"``. By default whole ions where the composition has known polyanions.
    volume_per_atom_A3 : float, optional
        See :mod:`vitrion.amorphous.volume` for the default.
    min_side_A : float
        Least edge of the cell; the cutoff of the potential, so that no atom sees its own image.
    seed : int

    Returns
    -------
    PackedCell
        The same for the same arguments.

    Raises
    ------
    InputError
        If ions are asked for and none are known, the volume is absurd, the cell is too small, or
        nothing can be packed that densely.
    """
    formula = parse_composition(composition) if isinstance(composition, str) else composition
    formula = parse_composition(formula.formula)
    per_formula = ions_of(formula) if unit != "atoms" else None
    if unit is None:
        unit = "ions" if per_formula and any(len(ion) > 1 for ion, _ in per_formula) else "atoms"
    if unit == "ions":
        if per_formula is None:
            raise InputError(
                f"{formula.reduced_formula} is not made of known ions: name the ions, or pack "
                "atoms, or give a crystal to melt."
            )
    else:
        per_formula = [(known_ion(el.symbol), round(n)) for el, n in formula.items()]
    return pack_ions(
        per_formula,
        n_atoms=n_atoms,
        volume_per_atom_A3=volume_per_atom_A3,
        min_side_A=min_side_A,
        seed=seed,
        unit=unit,
    )


def pack_ions(
    ions: Sequence[tuple[Ion | str, int]] | Mapping[str, int],
    *,
    n_atoms: int = 72,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
    seed: int = 0,
    unit: Literal["ions", "atoms"] = "ions",
) -> PackedCell:
    """Pack the ions given, in the proportions given, into a periodic cube.

    Parameters
    ----------
    ions : sequence of (Ion or str, int), or mapping of str to int
        Ions, or formulas of known ones, and how many make one formula unit.
    n_atoms, volume_per_atom_A3, min_side_A, seed
        As in :func:`pack`.
    unit : str
        What the result calls the packed units.

    Returns
    -------
    PackedCell

    Raises
    ------
    InputError
        As :func:`pack`; also if the charges of the ions are known and do not add up to zero.
    """
    from pymatgen.core import Composition

    items = ions.items() if hasattr(ions, "items") else ions
    per_formula = [(known_ion(i) if isinstance(i, str) else i, int(n)) for i, n in items]
    _check_request(per_formula, n_atoms, neutral=unit == "ions")
    atoms_per_formula = sum(len(ion) * n for ion, n in per_formula)
    formula_units = -(-n_atoms // atoms_per_formula)
    packed = [(ion, n * formula_units) for ion, n in per_formula if n]
    symbols = [s for ion, n in packed for _ in range(n) for s in ion.symbols]

    composition = Composition("".join(symbols))
    if volume_per_atom_A3 is None:
        volume_per_atom_A3 = default_volume_per_atom(composition)
    check_volume_per_atom(composition, volume_per_atom_A3)
    side = (volume_per_atom_A3 * len(symbols)) ** (1 / 3)
    _check_side(packed, side, min_side_A, len(symbols))
    return _place(packed, symbols, side, unit, seed)


def melt_start(
    crystal: Structure,
    *,
    n_atoms: int = 72,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
) -> PackedCell:
    """Make a near-cubic supercell of a crystal, to be melted.

    Parameters
    ----------
    crystal : Structure
        Ordered.
    n_atoms, min_side_A
        As in :func:`pack`; the least distance of opposite faces stands for the edge.
    volume_per_atom_A3 : float, optional
        Volume to scale the cell to; by default the crystal's own.

    Returns
    -------
    PackedCell

    Raises
    ------
    InputError
        If the crystal is disordered, the volume is absurd, or the cell comes out too small.
    """
    if not crystal.is_ordered:
        raise InputError("A crystal with partial occupancies cannot be melted: order it first.")
    repeats = np.ones(3, dtype=int)
    while (np.prod(repeats) * len(crystal) < n_atoms) or (
        min(face_distances(crystal) * repeats) < min_side_A
    ):
        repeats[np.argmin(face_distances(crystal) * repeats)] += 1
    structure = crystal.copy(site_properties={})
    structure.remove_oxidation_states()
    structure.make_supercell(np.diag(repeats))
    if volume_per_atom_A3 is not None:
        check_volume_per_atom(structure.composition, volume_per_atom_A3)
        structure.scale_lattice(volume_per_atom_A3 * len(structure))
    ions = [tuple(sites.tolist()) for sites in find_bonds(structure).molecules()]
    return PackedCell(
        structure=structure,
        unit="crystal",
        ions=ions,
        volume_per_atom_A3=structure.volume / len(structure),
        shortest_contact_A=shortest_contact(structure, ions),
        seed=None,
    )


def replica_seeds(seed: int, n_replicas: int) -> list[int]:
    """Return independent seeds for the replicas of a glass, spawned from one."""
    children = np.random.SeedSequence(seed).spawn(n_replicas)
    return [int(child.generate_state(1)[0] >> 1) for child in children]


def ions_of(composition: Composition) -> list[tuple[Ion, int]] | None:
    """Return the known ions of one formula unit, or None where there are none."""
    decomposition = decompose_into_ions(composition)
    if decomposition is None:
        return None
    return [(known_ion(formula), n) for formula, n in decomposition.ions.items()]


def face_distances(structure: Structure) -> NDArray[np.float64]:
    """Return the distances in A between opposite faces of the cell, shape (3,)."""
    inverse = np.linalg.inv(structure.lattice.matrix)
    return 1 / np.linalg.norm(inverse, axis=0)


def shortest_contact(structure: Structure, ions: Sequence[Sequence[int]]) -> float:
    """Return the shortest periodic distance in A between atoms of different ions or images."""
    radius = 2.5
    labels = np.arange(len(structure)) + len(ions)
    for k, sites in enumerate(ions):
        labels[list(sites)] = k
    while True:
        first, second, _, distances = structure.get_neighbor_list(radius)
        # Within one ion only the image of an atom itself counts as a contact.
        apart = (labels[first] != labels[second]) | (first == second)
        if apart.any():
            return float(distances[apart].min())
        radius *= 1.5


def _check_request(ions: Sequence[tuple[Ion, int]], n_atoms: int, *, neutral: bool) -> None:
    if n_atoms < 1 or any(n < 0 for _, n in ions) or not any(n > 0 for _, n in ions):
        raise InputError("A cell needs a positive number of atoms and of ions.")
    charges = [ion.charge for ion, n in ions if n]
    total = sum(ion.charge * n for ion, n in ions if ion.charge is not None)
    if neutral and None not in charges and total:
        named = ", ".join(f"{n} {ion.formula}" for ion, n in ions)
        raise InputError(f"The ions {named} carry a charge of {total:+d}: balance them.")


def _check_side(
    packed: Sequence[tuple[Ion, int]], side: float, min_side: float, n_atoms: int
) -> None:
    largest = max(packed, key=lambda item: item[0].diameter_A)[0]
    ends = 2 * max(contact_radius(s) for s in largest.symbols)
    least = max(min_side, largest.diameter_A + ends if len(largest) > 1 else 0.0)
    if side < least:
        needed = int(np.ceil(n_atoms * (least / side) ** 3))
        raise InputError(
            f"A cell of {n_atoms} atoms is {side:.1f} A wide, less than the {least:.1f} A that the "
            f"potential's cutoff and the ions need: ask for at least {needed} atoms."
        )


def _place(
    packed: Sequence[tuple[Ion, int]],
    symbols: list[str],
    side: float,
    unit: PackingUnit,
    seed: int,
) -> PackedCell:
    from pymatgen.core import Lattice, Structure

    bounds = np.cumsum([0] + [len(ion) for ion, n in packed for _ in range(n)])
    groups = [tuple(range(a, b)) for a, b in pairwise(bounds.tolist())]
    tries = np.random.SeedSequence(seed).generate_state(len(CONTACT_SCALES) * TRIES_PER_SCALE)
    for k, packmol_seed in enumerate(tries):
        scale = CONTACT_SCALES[k // TRIES_PER_SCALE]
        positions = run_packmol(packed, side, scale=scale, seed=int(packmol_seed))
        if positions is None:
            continue
        structure = Structure(
            Lattice.cubic(side), symbols, positions, coords_are_cartesian=True, to_unit_cell=True
        )
        if unit == "ions" and not _ions_are_apart(structure, groups):
            continue
        return PackedCell(
            structure=structure,
            unit=unit,
            ions=groups if unit == "ions" else [],
            volume_per_atom_A3=side**3 / len(symbols),
            shortest_contact_A=shortest_contact(structure, groups),
            seed=seed,
        )
    raise InputError(
        f"Nothing can be packed at {side**3 / len(symbols):.1f} A3 per atom: give a larger volume."
    )


def _ions_are_apart(structure: Structure, groups: list[tuple[int, ...]]) -> bool:
    """Whether the molecules found by distance are exactly the ions that were packed."""
    found = {tuple(sites.tolist()) for sites in find_bonds(structure).molecules()}
    symbols = site_symbols(structure)
    return all(
        group in found for group in groups if all(bonds_covalently(symbols[i]) for i in group)
    )
