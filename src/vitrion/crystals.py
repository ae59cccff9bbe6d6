"""Known crystals of the Li-C-O-F-P system, from published cells (starting points only).

The lattice parameters are experimental ones from the literature named beside each; before they
are used as references they are relaxed with the potential at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase.build import bulk
from ase.spacegroup import crystal

if TYPE_CHECKING:
    from ase import Atoms


def known_crystals() -> dict[str, Atoms]:
    """Primitive or conventional cells by name (6 to 32 atoms)."""
    return {
        # Rocksalt, antifluorite and bcc: a from the CRC Handbook.
        "LiF": bulk("LiF", "rocksalt", a=4.026, cubic=True),
        "Li2O": crystal(
            ["O", "Li"],
            [(0, 0, 0), (0.25, 0.25, 0.25)],
            spacegroup=225,
            cellpar=[4.62] * 3 + [90] * 3,
        ),
        "Li": bulk("Li", "bcc", a=3.49, cubic=True),
        # Zabuyelite: Effenberger and Zemann, Z. Kristallogr. 150, 133 (1979).
        "Li2CO3": crystal(
            ["Li", "C", "O", "O"],
            [
                (0.1965, 0.4488, 0.8346),
                (0, 0.0657, 0.25),
                (0, 0.3217, 0.25),
                (0.1458, 0.9343, 0.3127),
            ],
            spacegroup=15,
            cellpar=[8.359, 4.977, 6.194, 90, 114.72, 90],
        ),
        # beta-Li3PO4: Keffer et al., Inorg. Chem. 6, 119 (1967).
        "Li3PO4": crystal(
            ["P", "O", "O", "O", "Li", "Li"],
            [
                (0, 0.8243, 0),
                (0.2091, 0.6864, 0.8952),
                (0, 0.1052, 0.8992),
                (0, 0.8178, 0.3172),
                (0.2480, 0.3281, 0.9880),
                (0.5, 0.8432, 0.9910),
            ],
            spacegroup=31,
            cellpar=[6.115, 5.239, 4.855, 90, 90, 90],
        ),
        # Na3As type: Nazri, Solid State Ionics 34, 97 (1989).
        "Li3P": crystal(
            ["P", "Li", "Li"],
            [(1 / 3, 2 / 3, 0.25), (0, 0, 0.25), (1 / 3, 2 / 3, 0.583)],
            spacegroup=194,
            cellpar=[4.273, 4.273, 7.594, 90, 90, 120],
        ),
        # Foppl, Z. Anorg. Allg. Chem. 291, 12 (1957).
        "Li2O2": crystal(
            ["Li", "Li", "O"],
            [(0, 0, 0), (1 / 3, 2 / 3, 0.75), (1 / 3, 2 / 3, 0.149)],
            spacegroup=194,
            cellpar=[3.183, 3.183, 7.726, 90, 90, 120],
        ),
        # NaPF6 type stands for the salt: PF6 octahedra on a rocksalt lattice.
        "LiPF6": crystal(
            ["Li", "P", "F"],
            [(0, 0, 0), (0.5, 0.5, 0.5), (0.286, 0, 0)],
            spacegroup=225,
            cellpar=[7.5] * 3 + [90] * 3,
            primitive_cell=True,
        ),
        # Dry ice: Simon and Peters, Acta Cryst. B 36, 2750 (1980).
        "CO2": crystal(
            ["C", "O"],
            [(0, 0, 0), (0.1185, 0.1185, 0.1185)],
            spacegroup=205,
            cellpar=[5.62] * 3 + [90] * 3,
        ),
        "graphite": crystal(
            ["C", "C"],
            [(0, 0, 0.25), (1 / 3, 2 / 3, 0.25)],
            spacegroup=194,
            cellpar=[2.464, 2.464, 6.711, 90, 90, 120],
        ),
    }
