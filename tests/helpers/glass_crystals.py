"""Crystals of many kinds for the tests, from their space groups."""

from functools import cache

from pymatgen.core import Lattice, Structure

_ENTRIES = {
    "rock salt": ("Fm-3m", Lattice.cubic(4.03), ["Li", "F"], [[0] * 3, [0.5] * 3]),
    "cesium chloride": ("Pm-3m", Lattice.cubic(4.12), ["Cs", "Cl"], [[0] * 3, [0.5] * 3]),
    "antifluorite": ("Fm-3m", Lattice.cubic(4.62), ["O", "Li"], [[0] * 3, [0.25] * 3]),
    "copper": ("Fm-3m", Lattice.cubic(3.61), ["Cu"], [[0] * 3]),
    "iron": ("Im-3m", Lattice.cubic(2.87), ["Fe"], [[0] * 3]),
    "silicon": ("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0] * 3]),
    "rutile": (
        "P4_2/mnm",
        Lattice.tetragonal(4.59, 2.96),
        ["Ti", "O"],
        [[0] * 3, [0.305, 0.305, 0]],
    ),
    "quartz": (
        "P3_221",
        Lattice.hexagonal(4.916, 5.405),
        ["Si", "O"],
        [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]],
    ),
    "wurtzite": (
        "P6_3mc",
        Lattice.hexagonal(3.25, 5.21),
        ["Zn", "O"],
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]],
    ),
    "perovskite": (
        "Pm-3m",
        Lattice.cubic(3.9),
        ["Sr", "Ti", "O"],
        [[0.5] * 3, [0] * 3, [0.5, 0, 0]],
    ),
    "calcite": (
        "R-3c",
        Lattice.hexagonal(4.99, 17.06),
        ["Ca", "C", "O"],
        [[0] * 3, [0, 0, 0.25], [0.257, 0, 0.25]],
    ),
    "garnet": (  # 80 atoms in the primitive cell
        "Ia-3d",
        Lattice.cubic(12.0),
        ["Y", "Al", "Al", "O"],
        [[0.125, 0, 0.25], [0] * 3, [0.375, 0, 0.25], [-0.0306, 0.0512, 0.1500]],
    ),
    "olivine": (
        "Pnma",
        Lattice.orthorhombic(10.33, 6.01, 4.69),
        ["Li", "Fe", "P", "O", "O", "O"],
        [
            [0, 0, 0],
            [0.282, 0.25, 0.975],
            [0.095, 0.25, 0.418],
            [0.097, 0.25, 0.743],
            [0.457, 0.25, 0.206],
            [0.166, 0.047, 0.285],
        ],
    ),
}

NAMES = tuple(_ENTRIES)


def crystal(name, *, primitive=False):
    return _crystal(name, primitive).copy()


@cache  # space groups of many operations take a second to make
def _crystal(name, primitive):
    structure = Structure.from_spacegroup(*_ENTRIES[name])
    return structure.get_primitive_structure() if primitive else structure


def displaced(structure, width_A, rng):
    """Return the structure with Gaussian displacements of every coordinate."""
    positions = structure.cart_coords + rng.normal(0, width_A, (len(structure), 3))
    return Structure(structure.lattice, structure.species, positions, coords_are_cartesian=True)
