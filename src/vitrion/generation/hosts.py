"""Hosts for inpainting: a relaxed structure without one species, symmetrized and reduced."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from vitrion.chemistry.formulas import usual_formula
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

TOLERANCES_A = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
MOST_CELLS = 12


@dataclass(frozen=True)
class InpaintingHost:
    """A framework from which a species was removed.

    Attributes
    ----------
    structure : Structure
        Niggli-reduced primitive cell of the symmetrized framework.
    insert : dict[str, int]
        Number of atoms to insert into this cell to restore the composition of the parent.
    space_group : str
        Hermann-Mauguin symbol of the framework.
    tolerance_A : float
        Tolerance in A at which the framework has this symmetry.
    """

    structure: Structure
    insert: dict[str, int]
    space_group: str
    tolerance_A: float


def make_hosts(
    structure: Structure,
    species: str,
    *,
    tolerances_A: Sequence[float] = TOLERANCES_A,
    allow_triclinic: bool = True,
) -> list[InpaintingHost]:
    """Remove a species and symmetrize the remaining framework at several tolerances.

    Parameters
    ----------
    structure : Structure
        Relaxed structure.
    species : str
        Element to remove, such as ``"Li"``.
    tolerances_A : sequence of float
        Tolerances of the search for symmetry, in A, ascending.
    allow_triclinic : bool
        Whether to return a framework that is P1 or P-1 at every tolerance.

    Returns
    -------
    list of InpaintingHost
        One host per distinct space group above P-1; the number of atoms to insert refers to the
        reduced cell. Hosts that need more than 12 reduced cells for a whole number of atoms are
        excluded.

    Raises
    ------
    InputError
        If the species is absent or the only one, or all hosts are excluded.
    """
    count = sum(site.specie.symbol == species for site in structure)
    if count == 0:
        raise InputError(
            f"{usual_formula(structure.composition)} does not contain {species}: choose a species "
            "of the structure."
        )
    if count == len(structure):
        raise InputError(f"The structure contains only {species}: the host would be empty.")
    framework = structure.copy()
    framework.remove_species([species])
    per_atom = Fraction(count, len(framework))
    hosts: dict[int, InpaintingHost | None] = {}
    for tolerance in tolerances_A:
        found = _symmetrized(framework, tolerance)
        if found is not None and found[2] > 2 and found[2] not in hosts:
            reduced, symbol, number = found
            hosts[number] = _host(reduced, species, per_atom, symbol, tolerance)
    if not hosts and allow_triclinic:
        reduced, symbol, _ = _symmetrized(framework, tolerances_A[0]) or (framework, "P1", 1)
        hosts[1] = _host(reduced, species, per_atom, symbol, tolerances_A[0])
    whole = [host for host in hosts.values() if host is not None]
    if hosts and not whole:
        raise InputError(
            f"No supercell of up to {MOST_CELLS} reduced cells holds the {species} of "
            f"{structure.composition.formula} as whole atoms: use a smaller parent."
        )
    return whole


def _symmetrized(framework: Structure, tolerance: float) -> tuple[Structure, str, int] | None:
    """Return the primitive cell with exact symmetry, its symbol and number; None if it fails."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            analyzer = SpacegroupAnalyzer(framework, symprec=tolerance, angle_tolerance=-1)
            primitive = analyzer.get_primitive_standard_structure()
    except (SymmetryUndeterminedError, ValueError, TypeError):
        return None
    # Symmetrizing must not lose atoms or merge them at a coarse tolerance.
    ratio = len(framework) / len(primitive)
    same_volume = np.isclose(framework.volume / ratio, primitive.volume, rtol=0.1)
    if not np.isclose(ratio, round(ratio)) or not same_volume or not primitive.is_valid(0.7):
        return None
    return primitive, analyzer.get_space_group_symbol(), analyzer.get_space_group_number()


def ordered_host(structure: Structure) -> InpaintingHost:
    """Return the fully occupied part of a disordered crystal and the atoms of the other sites.

    Partially occupied sites are removed; inpainting then places their atoms, not necessarily on the
    average sites.

    Parameters
    ----------
    structure : Structure
        Structure with partially occupied sites; it is not modified.

    Returns
    -------
    InpaintingHost
        The smallest multiple of the cell, along its shortest axis, that holds whole atoms.

    Raises
    ------
    InputError
        If no site is partially occupied, or no multiple of up to 12 cells holds whole atoms.
    """
    partial = [index for index, site in enumerate(structure) if not site.is_ordered]
    if not partial:
        raise InputError(
            "All sites of the structure are fully occupied: provide a structure with partial "
            "occupancies."
        )
    held = structure.composition.element_composition
    host = structure.copy()
    host.remove_sites(partial)
    host = host.remove_oxidation_states()
    missing = held - host.composition.element_composition
    amounts = {element.symbol: amount for element, amount in missing.items() if amount > 1e-3}
    for repeat in range(1, MOST_CELLS + 1):
        if all(abs(amount * repeat - round(amount * repeat)) < 0.02 for amount in amounts.values()):
            insert = {symbol: round(amount * repeat) for symbol, amount in amounts.items()}
            return InpaintingHost(repeat_shortest(host, repeat), insert, "as given", 0.0)
    raise InputError(
        f"No supercell of up to {MOST_CELLS} cells makes the partial occupancies whole atoms: "
        "round the occupancies."
    )


def _host(
    reduced: Structure, species: str, per_atom: Fraction, symbol: str, tolerance: float
) -> InpaintingHost | None:
    """Return the smallest multiple of the cell that takes whole atoms; None if it is too large."""
    from vitrion.generation.diffusion.training_crystals import niggli

    wanted = per_atom * len(reduced)
    repeat = wanted.denominator
    if repeat > MOST_CELLS:
        return None
    filled = niggli(repeat_shortest(reduced, repeat))
    return InpaintingHost(filled, {species: wanted.numerator}, symbol, tolerance)


def repeat_shortest(structure: Structure, times: int) -> Structure:
    """Return the cell repeated along its shortest axis."""
    shortest = int(np.argmin(structure.lattice.abc))
    scaling = [times if axis == shortest else 1 for axis in range(3)]
    return structure.make_supercell(scaling, in_place=False)
