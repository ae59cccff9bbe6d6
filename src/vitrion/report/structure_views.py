"""Structures for the viewer of the page: atoms, bonds and cell, with whole molecular ions."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.amorphous.document import numbered
from vitrion.chemistry.bonds import find_bonds, is_endless, unwrap_molecule
from vitrion.chemistry.formulas import subscripted
from vitrion.polymorphs.describe import anion_shells
from vitrion.report.downloads import file_name
from vitrion.report.structure_facts import facts_of
from vitrion.report.typeset import screw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.chemistry.bonds import Bonds
    from vitrion.materials.material import MaterialReport

Place = tuple[int, tuple[int, ...]]

MAX_CRYSTALS = 6
EDGE = 0.02
"""Fractional distance to a face of the cell within which atoms are also drawn on the other face."""
MIN_CORNERS = 4
SHOWN_A = 8.0
"""Shorter cells are repeated to about this length (A)."""


def shown_structures(reports: Sequence[MaterialReport]) -> dict[str, Structure]:
    """Return the structures of these materials by name.

    The best crystals of a search, each replica of a glass, or else the structure of the
    conductivity or of the landscape.
    """
    found: dict[str, Structure] = {}
    for report in reports:
        if report.polymorphs is not None:
            for rank, crystal in enumerate(report.polymorphs.polymorphs[:MAX_CRYSTALS], start=1):
                group = crystal.space_groups[-1].symbol if crystal.space_groups else "crystal"
                found[f"{report.name} {rank}, {group}"] = crystal.structure
        for number, glass in numbered(report.glasses):
            if glass.structure is not None:
                found[f"{report.name} {number}"] = glass.structure
        if report.polymorphs is None and not report.glasses:
            others = (d.structure for d in report.documents if d.structure is not None)
            structure = next(others, None)
            if structure is not None:
                found[report.name] = structure
    return found


def structures_of(structures: Mapping[str, Structure]) -> list[dict[str, Any]]:
    """Return what the viewer needs of named structures, plain JSON; see :func:`scene`."""
    found = []
    for name, structure in structures.items():
        shown, _, group = name.partition(", ")
        made = scene(structure, ", ".join(filter(None, (subscripted(shown), screw(group)))))
        file = f"structures/{file_name(name)}"
        found.append(made | {"file": file, "facts": facts_of(structure)})
    return found


def scene(structure: Structure, name: str) -> dict[str, Any]:
    """Return atoms, bonds and cell of a structure.

    Coordinates are in A from the middle of the cell.

    Atoms outside the cell are drawn where they complete a covalent ion or lie on a face.

    Returns
    -------
    dict
        ``name``; ``elements`` (symbol, color, radius); ``atoms`` (index of the element, x, y, z);
        ``bonds`` (pairs of atoms); ``cell`` (vectors of the drawn cell); ``unit`` (vectors of
        the unit cell); ``polyhedra`` (index of the element, corners, triangles as corner numbers).
    """
    from ase.data import atomic_numbers, covalent_radii
    from ase.data.colors import jmol_colors

    unit = structure.lattice.matrix
    repeats = [max(1, min(3, round(SHOWN_A / length))) for length in structure.lattice.abc]
    if max(repeats) > 1:
        structure = structure.make_supercell(repeats, in_place=False)
        name = f"{name}, {' x '.join(map(str, repeats))} cells"
    bonds = find_bonds(structure)
    symbols = [str(symbol) for symbol in bonds.symbols]
    matrix = np.array(structure.lattice.matrix)
    fractional = structure.frac_coords % 1.0
    places, pairs = _places(matrix, fractional, bonds)
    kinds = list(dict.fromkeys(symbols))
    center = 0.5 * matrix.sum(axis=0)
    atoms = [
        [kinds.index(symbols[site]), *np.round((fractional[site] + image) @ matrix - center, 3)]
        for site, image in places
    ]
    elements = [
        {
            "symbol": kind,
            "color": [int(255 * part) for part in jmol_colors[atomic_numbers[kind]]],
            "radius": round(0.25 + 0.35 * float(covalent_radii[atomic_numbers[kind]]), 3),
        }
        for kind in kinds
    ]
    return {
        "name": name,
        "elements": elements,
        "atoms": [[int(kind), *map(float, xyz)] for kind, *xyz in atoms],
        "bonds": pairs,
        "cell": np.round(matrix, 3).tolist(),
        "unit": np.round(unit, 3).tolist(),
        "polyhedra": _polyhedra(structure, kinds, fractional @ matrix - center),
    }


def _polyhedra(
    structure: Structure, kinds: Sequence[str], places: NDArray[np.float64]
) -> list[list[Any]]:
    """Return the coordination polyhedra of the sites with at least four anions."""
    from scipy.spatial import ConvexHull, QhullError

    found = []
    for site, shell in enumerate(anion_shells(structure)):
        corners = np.array([places[site] + vector for _, _, vector in shell])
        if len(corners) < MIN_CORNERS:
            continue
        try:
            faces = ConvexHull(corners).simplices
        except QhullError:  # flat
            continue
        kind = kinds.index(structure[site].specie.symbol)
        found.append([kind, np.round(corners, 2).tolist(), faces.tolist()])
    return found


def _places(
    matrix: NDArray[np.float64], fractional: NDArray[np.float64], bonds: Bonds
) -> tuple[list[Place], list[list[int]]]:
    """Return the atoms to draw, as site and cell, and the pairs of them that are bound.

    Molecules are drawn whole, where their central atom lies in the cell; atoms of endless networks
    and single atoms where they lie, with the ligands of the atoms in the cell.
    """
    inverse = np.linalg.inv(matrix)
    steps: dict[int, list[Place]] = {}
    for first, second, vector in zip(bonds.first, bonds.second, bonds.vectors, strict=True):
        shift = np.rint(fractional[first] + vector @ inverse - fractional[second]).astype(int)
        steps.setdefault(int(first), []).append((int(second), tuple(shift.tolist())))
    numbers: dict[Place, int] = {}
    for molecule in bonds.molecules():
        unwrapped = unwrap_molecule(bonds, molecule)
        if len(molecule) > 1 and not is_endless(bonds, molecule, unwrapped):
            found = _whole(molecule, fractional, unwrapped @ inverse, steps)
        else:
            found = _with_ligands(molecule, fractional, steps)
        for place in found:
            numbers.setdefault(place, len(numbers))
    pairs = []
    for (site, image), number in numbers.items():
        for other, shift in steps.get(site, []):
            partner = numbers.get((other, _sum(image, shift)))
            if partner is not None and partner > number:
                pairs.append([number, partner])
    return list(numbers), pairs


def _whole(
    sites: NDArray[np.int_],
    fractional: NDArray[np.float64],
    unwrapped: NDArray[np.float64],
    steps: Mapping[int, list[Place]],
) -> list[Place]:
    """Return the atoms of a molecule, once for each image of its central atom in the cell.

    The images of its atoms follow from `unwrapped`, their fractional positions from the first.
    """
    center = max(range(len(sites)), key=lambda k: len(steps.get(int(sites[k]), [])))
    own = fractional[sites[0]] + unwrapped - fractional[sites]
    images = np.rint(own - own[center]).astype(int)
    return [
        (int(site), _sum(image, tuple(shift.tolist())))
        for image in _images(fractional[sites[center]])
        for site, shift in zip(sites, images, strict=True)
    ]


def _with_ligands(
    sites: NDArray[np.int_], fractional: NDArray[np.float64], steps: Mapping[int, list[Place]]
) -> list[Place]:
    """Return atoms in the cell and on its faces, and the ligands of those with several bonds."""
    found = [(int(site), image) for site in sites for image in _images(fractional[site])]
    for site, image in [*found]:
        bound = steps.get(site, [])
        found += [(other, _sum(image, shift)) for other, shift in bound if len(bound) > 1]
    return found


def _images(place: NDArray[np.float64]) -> list[tuple[int, ...]]:
    """Return the cells in which a place lies within the cell or on one of its faces."""
    return [*product(*((0, 1) if x < EDGE else (0, -1) if x > 1 - EDGE else (0,) for x in place))]


def _sum(image: tuple[int, ...], shift: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(image, shift, strict=True))
