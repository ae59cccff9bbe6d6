"""Ions as rigid molecules: ideal geometries of known ions, others from crystals or SMILES.

Bond lengths are typical of crystalline salts, rounded to 0.01 A; angles follow the regular
polyhedron. The melt relaxes both. ``B12H12`` is an icosahedron; ``B10H10`` a square antiprism with
two caps, with bonds within a square, between the squares, to a cap, and to hydrogen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.chemistry.bonds import find_bonds, formula_of, is_endless, unwrap_molecule
from vitrion.chemistry.charges import ION_CHARGES, KNOWN_POLYANIONS, MOLECULAR_IONS
from vitrion.chemistry.facts import load_facts
from vitrion.chemistry.structures import check_ordered
from vitrion.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Molecule, Structure

_POLYANIONS: dict[str, dict[str, Any]] = load_facts("ions")["polyanions"]

CENTRAL_BOND_LENGTHS: dict[str, dict[str, float]] = {
    formula: facts["central_bonds_A"]
    for formula, facts in _POLYANIONS.items()
    if "central_bonds_A" in facts
}
"""Distance in A of each ligand from the central atom, which is the first in the formula."""


@dataclass(frozen=True)
class Ion:
    """A rigid ion or molecule.

    Attributes
    ----------
    formula : str
        Such as ``"PO2F2"`` or ``"Li"``.
    symbols : tuple of str, length n
    positions : ndarray, shape (n, 3)
        In A, relative to the mean position.
    charge : int or None
        In units of e; None if unknown.
    """

    formula: str
    symbols: tuple[str, ...]
    positions: NDArray[np.float64]
    charge: int | None = None

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def diameter_A(self) -> float:
        """Largest distance between two of its atoms in A."""
        return float(np.linalg.norm(self.positions[:, None] - self.positions, axis=-1).max())


def known_ion(formula: str) -> Ion:
    """Build an ion from its formula.

    Parameters
    ----------
    formula : str
        A polyanion of ``vitrion.chemistry.charges.KNOWN_POLYANIONS`` (``"PO2F2"``) or an element.

    Returns
    -------
    Ion

    Raises
    ------
    InputError
        If the formula is neither a known polyanion nor an element.
    """
    from pymatgen.core import Element

    charge = ION_CHARGES.get(formula)
    facts = _POLYANIONS.get(formula, {})
    if formula in CENTRAL_BOND_LENGTHS:
        symbols, positions = _central(formula)
    elif "bridged_pair" in facts:
        symbols, positions = _bridged(**facts["bridged_pair"])
    elif "bound_pair" in facts:
        symbols, positions = _directly_bound(**facts["bound_pair"])
    elif "cage_bonds_A" in facts:
        symbols, positions = _cage(formula)
    elif formula in MOLECULAR_IONS:
        facts = MOLECULAR_IONS[formula]
        symbols, positions = tuple(facts["symbols"]), np.array(facts["positions_A"])
    elif formula == "O2":
        symbols, positions = ("O", "O"), facts["bond_A"] * np.array([[0, 0, 0], [0, 0, 1.0]])
    elif Element.is_valid_symbol(formula):
        symbols, positions = (formula,), np.zeros((1, 3))
    else:
        raise InputError(
            f"The geometry of the ion '{formula}' is unknown: provide a molecule, a SMILES or a "
            f"crystal; known ions are {', '.join(KNOWN_POLYANIONS)}."
        )
    return Ion(formula, symbols, positions - positions.mean(axis=0), charge)


def ion_from_molecule(molecule: Molecule) -> Ion:
    """Create an ion with the geometry and charge of a pymatgen Molecule."""
    symbols = tuple(site.specie.symbol for site in molecule)
    positions = np.array(molecule.cart_coords)
    centered = positions - positions.mean(axis=0)
    return Ion(formula_of(symbols), symbols, centered, round(molecule.charge))


def ion_from_smiles(smiles: str, *, seed: int = 0) -> Ion:
    """Build an ion from a SMILES with RDKit, for example ``"[O-]S(=O)(=O)C(F)(F)F"``.

    Parameters
    ----------
    smiles : str
    seed : int
        Seed of RDKit's embedding.

    Returns
    -------
    Ion

    Raises
    ------
    InputError
        If RDKit is missing, the SMILES cannot be read, or no geometry is found.
    """
    try:
        from rdkit import Chem
        from rdkit.Chem import AllChem
        from rdkit.rdBase import BlockLogs
    except ImportError as exc:
        raise InputError("A SMILES needs RDKit: run 'pip install rdkit'.") from exc
    with BlockLogs():  # the error says it
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InputError(f"'{smiles}' is not a SMILES.")
    molecule = Chem.AddHs(molecule)
    if AllChem.EmbedMolecule(molecule, randomSeed=seed) != 0:
        raise InputError(f"RDKit finds no geometry for '{smiles}': provide a molecule instead.")
    if AllChem.UFFHasAllMoleculeParams(molecule):
        AllChem.UFFOptimizeMolecule(molecule)
    symbols = tuple(atom.GetSymbol() for atom in molecule.GetAtoms())
    positions = np.array(molecule.GetConformer().GetPositions())
    charge = Chem.GetFormalCharge(molecule)
    return Ion(formula_of(symbols), symbols, positions - positions.mean(axis=0), charge)


def read_ion(text: str) -> Ion:
    """Return the ion of a formula or of the name of a molecular ion (``TFSI``), else of a SMILES.

    Raises
    ------
    InputError
        If the text is neither, or a SMILES cannot be read.
    """
    from pymatgen.core import Element

    names = {str(facts["name"]): formula for formula, facts in MOLECULAR_IONS.items()}
    formula = names.get(text, text)
    if formula in KNOWN_POLYANIONS or Element.is_valid_symbol(formula):
        return known_ion(formula)
    return ion_from_smiles(text)


def ions_from_crystal(structure: Structure) -> list[tuple[Ion, int]]:
    """Extract the ions of a crystal with their geometry.

    Parameters
    ----------
    structure : Structure
        Ordered; covalent bonds are found by distance.

    Returns
    -------
    list of (Ion, int)
        One representative of each formula and its number in the cell.

    Raises
    ------
    InputError
        If the structure is disordered or has an extended covalent framework.
    """
    check_ordered(structure, "The crystal")
    bonds = find_bonds(structure)
    found: dict[str, tuple[Ion, int]] = {}
    for sites in bonds.molecules():
        positions = unwrap_molecule(bonds, sites)
        if is_endless(bonds, sites, positions):
            raise InputError(
                "The crystal has an extended covalent framework: pack atoms, or melt the crystal."
            )
        symbols = tuple(bonds.symbols[sites].tolist())
        formula = formula_of(symbols)
        charge = ION_CHARGES.get(formula)
        ion = Ion(formula, symbols, positions - positions.mean(axis=0), charge)
        kept, count = found.get(formula, (ion, 0))
        found[formula] = (kept, count + 1)
    return list(found.values())


def _directions(n_ligands: int) -> NDArray[np.float64]:
    """Return unit vectors to the corners of the regular polyhedron of 1, 2, 3, 4 or 6 ligands."""
    if n_ligands <= 2:
        return np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])[:n_ligands]
    if n_ligands == 3:
        angles = 2 * np.pi / 3 * np.arange(3)
        return np.stack([np.cos(angles), np.sin(angles), np.zeros(3)], axis=1)
    if n_ligands == 4:
        corners = np.array([[1.0, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]])
        return corners / np.sqrt(3)
    return np.concatenate([np.eye(3), -np.eye(3)])


def _central(formula: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    from pymatgen.core import Composition

    counts = {el.symbol: round(n) for el, n in Composition(formula).items()}
    lengths = CENTRAL_BOND_LENGTHS[formula]
    center = next(symbol for symbol in counts if counts[symbol] == 1 and symbol not in lengths)
    ligands = [symbol for symbol in lengths for _ in range(counts[symbol])]
    radii = np.array([lengths[symbol] for symbol in ligands])[:, None]
    return (center, *ligands), np.vstack([np.zeros(3), radii * _directions(len(ligands))])


def _tripod(axis_sign: int, bond: float, apex: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return three corners of a tetrahedron about ``apex``; the fourth is along -axis_sign z."""
    angles = 2 * np.pi / 3 * np.arange(3) + (np.pi / 3 if axis_sign > 0 else 0.0)
    radial = np.sqrt(8.0) / 3
    unit = np.stack(
        [radial * np.cos(angles), radial * np.sin(angles), np.full(3, axis_sign / 3)], axis=1
    )
    return apex + bond * unit


def _directly_bound(
    center: str, ligand: str, ligand_A: float, center_A: float
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    up, down = np.array([0, 0, center_A / 2]), np.array([0, 0, -center_A / 2])
    positions = np.vstack([up, down, _tripod(1, ligand_A, up), _tripod(-1, ligand_A, down)])
    return (center, center) + (ligand,) * 6, positions


def _bridged(
    center: str, ligand: str, terminal_A: float, bridge_A: float, angle_deg: float
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Join two tripods to a bridging ligand at the origin, staggered across the bridge."""
    half = np.radians(angle_deg) / 2
    symbols, positions = [ligand], [np.zeros(3)]
    for sign in (1, -1):
        # Rotation about y that maps the z axis to the direction from bridge to center.
        turn = sign * half
        rotation = np.array(
            [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
        )
        apex = np.array([0, 0, bridge_A])
        local = np.vstack([apex, _tripod(1, terminal_A, apex)])
        symbols += [center] + [ligand] * 3
        positions += list(local @ rotation.T)
    return tuple(symbols), np.array(positions)


def _cage(formula: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Build a boron cage at the origin with hydrogen pointing outward."""
    *bonds, outward = _POLYANIONS[formula]["cage_bonds_A"]
    boron = _icosahedron(*bonds) if formula == "B12H12" else _capped_antiprism(*bonds)
    hydrogen = boron * (1 + outward / np.linalg.norm(boron, axis=1, keepdims=True))
    return ("B",) * len(boron) + ("H",) * len(boron), np.vstack([boron, hydrogen])


def _icosahedron(edge: float) -> NDArray[np.float64]:
    golden = (1 + np.sqrt(5)) / 2
    corners = np.array([[0, a, b * golden] for a in (1, -1) for b in (1, -1)])
    return edge / 2 * np.vstack([np.roll(corners, turn, axis=1) for turn in range(3)])


def _capped_antiprism(square: float, between: float, cap: float) -> NDArray[np.float64]:
    radius = square / np.sqrt(2)
    half = np.sqrt(between**2 - (2 * radius * np.sin(np.pi / 8)) ** 2) / 2
    corners = []
    for sign in (1, -1):
        angles = np.pi / 2 * np.arange(4) + (np.pi / 4 if sign > 0 else 0.0)
        corners += [[radius * np.cos(a), radius * np.sin(a), sign * half] for a in angles]
        corners.append([0.0, 0.0, sign * (half + np.sqrt(cap**2 - radius**2))])
    return np.array(corners)
