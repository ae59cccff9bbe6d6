"""Plan the contents of a packed cell and validate the request before packing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrion.amorphous.packmol import contact_radius
from vitrion.amorphous.volume import check_volume_per_atom, default_volume_per_atom
from vitrion.chemistry.decomposition import decompose_into_ions
from vitrion.chemistry.formulas import parse_composition, usual_formula
from vitrion.chemistry.ions import Ion, known_ion, read_ion
from vitrion.chemistry.volumes import crystal_volume_per_atom
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Composition

    from vitrion.chemistry.formulas import CompositionLike


@dataclass(frozen=True)
class PackingPlan:
    """Ions to pack and the edge of the cube in A."""

    ions: list[tuple[Ion, int]]
    unit: Literal["ions", "atoms"]
    side_A: float

    @property
    def symbols(self) -> list[str]:
        """Element of each atom, ion by ion."""
        return [symbol for ion, n in self.ions for _ in range(n) for symbol in ion.symbols]


def ions_and_unit(
    composition: Composition,
    unit: Literal["ions", "atoms"] | None,
    named: Mapping[str, int] | None = None,
) -> tuple[list[tuple[Ion, int]], Literal["ions", "atoms"]]:
    """Return the ions and counts of one formula unit, and whether they are ions or atoms.

    Parameters
    ----------
    composition : Composition
    unit : str or None
        None for ions if any are known.
    named : mapping of str to int, optional
        Formulas, names or SMILES of the ions and their numbers, in place of known ions.

    Raises
    ------
    InputError
        If ions are requested and none are known, or the named ions are another composition.
    """
    if named:
        return _named_ions(composition, named), "ions"
    ions = ions_of(composition) if unit != "atoms" else None
    if unit == "ions" and ions is None:
        raise InputError(
            f"{usual_formula(composition)} does not decompose into known ions: name the ions, "
            "pack atoms, or provide a crystal to melt."
        )
    if ions is not None and (unit == "ions" or any(len(ion) > 1 for ion, _ in ions)):
        return ions, "ions"
    return [(known_ion(el.symbol), round(n)) for el, n in composition.items()], "atoms"


def _named_ions(composition: Composition, named: Mapping[str, int]) -> list[tuple[Ion, int]]:
    """Return named ions with their numbers."""
    ions = [(read_ion(name), int(n)) for name, n in named.items()]
    total = _content(ions)
    if total.reduced_composition != composition.reduced_composition:
        raise InputError(
            f"The ions {', '.join(named)} make {total.reduced_formula}, not "
            f"{composition.reduced_formula}: change their numbers."
        )
    return ions


def _content(ions: Sequence[tuple[Ion, int]]) -> Composition:
    """Return the elements of ions with their numbers."""
    from pymatgen.core import Composition

    amounts: Counter[str] = Counter()
    for ion, n in ions:
        for symbol in ion.symbols:
            amounts[symbol] += n
    return Composition(amounts)


def plan_composition(
    composition: CompositionLike,
    *,
    n_atoms: int = 72,
    unit: Literal["ions", "atoms"] | None = None,
    volume_per_atom_A3: float | None = None,
    min_side_A: float = 6.0,
    ions: Mapping[str, int] | None = None,
) -> PackingPlan:
    """Plan the packing of a composition without packing; see :func:`vitrion.amorphous.pack.pack`.

    Raises
    ------
    InputError
        As :func:`~vitrion.amorphous.pack.pack`, except for a density that is too high for packmol.
    """
    per_formula, unit = ions_and_unit(parse_composition(composition), unit, ions)
    return plan_ions(per_formula, unit, n_atoms, volume_per_atom_A3, min_side_A)


def plan_ions(
    per_formula: list[tuple[Ion, int]],
    unit: Literal["ions", "atoms"],
    n_atoms: int,
    volume_per_atom: float | None,
    min_side: float,
) -> PackingPlan:
    """Plan the packing of ions; see :func:`vitrion.amorphous.pack.pack_ions`."""
    _check_request(per_formula, n_atoms, neutral=unit == "ions")
    formula_units = -(-n_atoms // sum(len(ion) * n for ion, n in per_formula))
    ions = [(ion, n * formula_units) for ion, n in per_formula if n]
    composition = _content(ions)
    if volume_per_atom is None:
        volume_per_atom = default_volume_per_atom(composition)
    check_volume_per_atom(composition, volume_per_atom)
    total = sum(len(ion) * n for ion, n in ions)
    side = (volume_per_atom * total) ** (1 / 3)
    _check_side(ions, side, min_side, total)
    return PackingPlan(ions, unit, side)


def ions_of(composition: Composition) -> list[tuple[Ion, int]] | None:
    """Return the known ions of one formula unit, or None if it has no known ions."""
    decomposition = decompose_into_ions(composition)
    if decomposition is None:
        return None
    return [(known_ion(formula), n) for formula, n in decomposition.ions.items()]


def _check_request(ions: Sequence[tuple[Ion, int]], n_atoms: int, *, neutral: bool) -> None:
    if n_atoms < 1 or any(n < 0 for _, n in ions) or not any(n > 0 for _, n in ions):
        raise InputError("The numbers of atoms and of ions in a cell must be positive.")
    charges = [ion.charge for ion, n in ions if n]
    total = sum(ion.charge * n for ion, n in ions if ion.charge is not None)
    if neutral and None not in charges and total:
        named = ", ".join(f"{n} {ion.formula}" for ion, n in ions)
        raise InputError(
            f"The ions {named} have a total charge of {total:+d}: it must be zero: "
            "change their numbers."
        )


def _check_side(
    packed: Sequence[tuple[Ion, int]], side: float, min_side: float, n_atoms: int
) -> None:
    least = _least_side(packed, min_side)
    if side < least:
        needed = int(np.ceil(n_atoms * (least / side) ** 3))
        raise InputError(
            f"A cell of {n_atoms} atoms is {side:.1f} A wide, less than the {least:.1f} A that the "
            f"potential's cutoff and the ions need: request at least {needed} atoms "
            "(--glass-atoms, n_atoms)."
        )


def _least_side(packed: Sequence[tuple[Ion, int]], min_side: float) -> float:
    """Return the smallest side of a cell that holds the largest ion beside its image, in A."""
    largest = max(packed, key=lambda item: item[0].diameter_A)[0]
    ends = 2 * max(contact_radius(s) for s in largest.symbols)
    return max(min_side, largest.diameter_A + ends if len(largest) > 1 else 0.0)


def fewest_atoms(
    composition: Composition | str, n_atoms: int, volume_per_atom_A3: float, min_side_A: float
) -> int:
    """Return ``n_atoms``, or more if the cell is otherwise too narrow for its ions.

    Parameters
    ----------
    composition
        Packed as ions if they are known; see :func:`vitrion.amorphous.pack.pack`.
    n_atoms
        Atoms of the cell, at least.
    volume_per_atom_A3
        Volume per atom of the cell.
    min_side_A
        Smallest side of the cell for other reasons.
    """
    per_formula, _ = ions_and_unit(parse_composition(composition), None, None)
    needed = _least_side(per_formula, min_side_A) ** 3 / volume_per_atom_A3
    return max(n_atoms, int(np.ceil((1 + 1e-9) * needed)))


def check_cooled_width(composition: Composition, n_atoms: int, min_side_A: float) -> None:
    """Check that a cubic cell stays wide enough when it shrinks to the density of the crystal.

    Raises
    ------
    InputError
        If opposite faces come closer than ``min_side_A``, the cutoff of the potential.
    """
    side = (n_atoms * crystal_volume_per_atom(composition)) ** (1 / 3)
    if side < min_side_A:
        needed = int(np.ceil(n_atoms * (min_side_A / side) ** 3))
        raise InputError(
            f"A cell of {n_atoms} atoms can shrink to {side:.1f} A on cooling, less than the "
            f"potential's cutoff of {min_side_A:.1f} A: request at least {needed} atoms "
            "(--glass-atoms, n_atoms)."
        )
