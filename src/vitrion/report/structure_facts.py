"""Lattice, symmetry, sites and coordination of a structure, and its files."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.bonds import strip_properties
from vitrion.polymorphs.describe import anion_shells, shell_name, space_groups
from vitrion.report.typeset import screw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pymatgen.core import Structure

SITE_HEADS = ("site", "element", "Wyckoff", "x", "y", "z", "neighbors", "mean distance (A)")
TOLERANCE_A = 0.1
"""Tolerance of the space group in A."""

MAX_FORMULA_ATOMS = 25
"""Atoms of a reduced formula up to which oxidation states are assigned: the time is exponential."""


def facts_of(structure: Structure) -> dict[str, Any]:
    """Return lattice, space group, density, and the sites with their coordination.

    Returns
    -------
    dict
        ``lattice``: pairs of a label and a text; ``sites``: rows of :data:`SITE_HEADS`, with
        fractional coordinates.
    """
    lattice = structure.lattice
    groups = space_groups(structure, (TOLERANCE_A,))
    facts = [
        ("a, b, c", ", ".join(f"{length:.3f}" for length in lattice.abc) + " \u00c5"),
        ("\u03b1, \u03b2, \u03b3", ", ".join(f"{a:.2f}\u00b0" for a in lattice.angles)),
        ("volume", f"{lattice.volume:.2f} \u00c5\u00b3"),
        ("density", f"{float(structure.density):.3f} g/cm\u00b3"),
        ("atoms", str(len(structure))),
    ]
    if states := oxidation_states(structure.composition.reduced_formula):
        facts.append(("oxidation states", states))
    if groups:
        _, number, symbol = groups[0]
        facts.insert(0, ("space group", f"{screw(symbol)} ({number}), within {TOLERANCE_A} \u00c5"))
    return {"lattice": facts, "sites": site_rows(structure)}


@lru_cache(maxsize=1024)
def oxidation_states(formula: str) -> str | None:
    """Return the most common oxidation states that balance, such as "Li +1, F -1"; None if none."""
    from pymatgen.core import Composition

    composition = Composition(formula)
    if composition.num_atoms > MAX_FORMULA_ATOMS:
        return None
    guesses = composition.oxi_state_guesses()
    if not guesses:
        return None
    return ", ".join(f"{symbol} {state:+.3g}" for symbol, state in guesses[0].items())


def wyckoff_positions(structure: Structure) -> list[str | None]:
    """Return the Wyckoff position of each site, such as "4e"; None for all without a group.

    The multiplicity counts the sites of the conventional cell.
    """
    import spglib

    _, kinds = np.unique([site.specie.symbol for site in structure], return_inverse=True)
    cell = structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), kinds.tolist()
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=TOLERANCE_A)
    except spglib.SpglibError:
        found = None
    if found is None:
        return [None] * len(structure)
    orbits = np.asarray(found.crystallographic_orbits)
    cells = len(found.std_types) / len(structure)
    counts = np.bincount(orbits)[orbits] * cells
    return [f"{count:.0f}{letter}" for count, letter in zip(counts, found.wyckoffs, strict=True)]


def site_rows(structure: Structure) -> list[list[Any]]:
    """Return the row of each site: see :data:`SITE_HEADS`."""
    rows = []
    columns = structure, wyckoff_positions(structure), anion_shells(structure)
    for number, (site, wyckoff, shell) in enumerate(zip(*columns, strict=True), start=1):
        around = shell_name(structure[neighbor].specie.symbol for neighbor, _, _ in shell)
        mean = round(float(np.mean([d for _, d, _ in shell])), 3) if shell else None
        place = [round(float(x), 5) for x in site.frac_coords % 1.0]
        rows.append([number, site.specie.symbol, wyckoff, *place, around, mean])
    return rows


def structure_files(structure: Structure, sites: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Return the structure as CIF, POSCAR, and its :func:`site_rows` as CSV, by suffix."""
    from pymatgen.io.cif import CifWriter
    from pymatgen.io.vasp import Poscar

    plain = strip_properties(structure)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(SITE_HEADS)
    writer.writerows(sites)
    return {
        ".cif": str(CifWriter(plain)),
        ".vasp": Poscar(plain.get_sorted_structure()).get_str(significant_figures=10),
        "_sites.csv": table.getvalue(),
    }
