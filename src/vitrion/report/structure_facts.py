"""Lattice, symmetry, sites and coordination of a structure, and its files."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vitrion.chemistry.bonds import strip_properties
from vitrion.polymorphs.describe import anion_shells, shell_name
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
    symmetry = symmetry_of(structure)
    facts = [
        ("a, b, c", ", ".join(f"{length:.3f}" for length in lattice.abc) + " \u00c5"),
        ("\u03b1, \u03b2, \u03b3", ", ".join(f"{a:.2f}\u00b0" for a in lattice.angles)),
        ("volume", f"{lattice.volume:.2f} \u00c5\u00b3"),
        ("density", f"{float(structure.density):.3f} g/cm\u00b3"),
        ("atoms", str(len(structure))),
    ]
    if states := oxidation_states(structure.composition.reduced_formula):
        facts.append(("oxidation states", states))
    if symmetry is not None:
        group = f"{screw(symmetry.symbol)} ({symmetry.number}), within {TOLERANCE_A} \u00c5"
        facts.insert(0, ("space group", group))
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


class Symmetry(NamedTuple):
    """Space group and Wyckoff positions, such as "4e", of the sites of a structure.

    The multiplicity of a Wyckoff position counts the sites of the conventional cell.
    """

    number: int
    symbol: str
    wyckoffs: list[str]


def symmetry_of(structure: Structure) -> Symmetry | None:
    """Return the symmetry within :data:`TOLERANCE_A`; None if it is not determined."""
    return _symmetry(
        tuple(map(tuple, structure.lattice.matrix.tolist())),
        tuple(map(tuple, structure.frac_coords.tolist())),
        tuple(site.specie.symbol for site in structure),
    )


@lru_cache(maxsize=256)  # a page has the structure in its viewer and among its downloads
def _symmetry(
    lattice: tuple[tuple[float, ...], ...],
    places: tuple[tuple[float, ...], ...],
    symbols: tuple[str, ...],
) -> Symmetry | None:
    import spglib

    _, kinds = np.unique(symbols, return_inverse=True)
    try:
        found = spglib.get_symmetry_dataset((lattice, places, kinds.tolist()), symprec=TOLERANCE_A)
    except spglib.SpglibError:
        found = None
    if found is None:
        return None
    orbits = np.asarray(found.crystallographic_orbits)
    cells = len(found.std_types) / len(symbols)
    counts = np.bincount(orbits)[orbits] * cells
    positions = [f"{n:.0f}{letter}" for n, letter in zip(counts, found.wyckoffs, strict=True)]
    return Symmetry(int(found.number), str(found.international), positions)


def site_rows(structure: Structure) -> list[list[Any]]:
    """Return the row of each site: see :data:`SITE_HEADS`."""
    rows = []
    symmetry = symmetry_of(structure)
    wyckoffs = [None] * len(structure) if symmetry is None else symmetry.wyckoffs
    columns = structure, wyckoffs, anion_shells(structure)
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
