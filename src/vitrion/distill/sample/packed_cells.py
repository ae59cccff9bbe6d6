"""Starts of dynamics for any composition: packed cells and crystals, with defects and strains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from vitrion.amorphous.contents import fewest_atoms
from vitrion.amorphous.pack import pack
from vitrion.amorphous.volume import crystal_volume_per_atom
from vitrion.chemistry.charges import default_mobile_species
from vitrion.chemistry.formulas import parse_composition
from vitrion.distill.sample.sampling import strained_and_rattled, with_random_defect
from vitrion.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Composition

    from vitrion.distill.sample.sampling_settings import SamplingSettings

VOLUMES = (0.95, 1.4)
"""Smallest and largest volume of a packed cell over the estimated volume of the crystal."""

MIXED_SHARE = 0.3
"""Share of packed cells that mix two of the given compositions."""

STRAIN = 0.02

WIDENINGS = (1.0, 1.1, 1.25, 1.5, 2.0)
"""Factors on the volume of a cell that are tried until a packing is found."""

NARROWEST_A = 5.0
"""Smallest side of a packed cell."""

PRESSED = (0.6, 1.0)
"""Distances of pressed pairs over the sum of the covalent radii."""


@dataclass(frozen=True)
class Subject:
    """What a student is made for.

    Attributes
    ----------
    formulas : tuple of str
    crystals : dict of str to Atoms
    mobile : str
        Element that is removed and added; empty if none moves.
    """

    formulas: tuple[str, ...]
    crystals: dict[str, Atoms] = field(default_factory=dict)
    mobile: str = ""

    @property
    def elements(self) -> list[int]:
        """Atomic numbers of all compositions and crystals, ascending."""
        from pymatgen.core import Composition

        found = {el.Z for formula in self.formulas for el in Composition(formula)}
        return sorted(found | {int(z) for atoms in self.crystals.values() for z in atoms.numbers})


def usual_mobile(formulas: tuple[str, ...]) -> str:
    """Return the usual mobile species of the first composition that has one, else nothing."""
    for formula in formulas:
        try:
            return default_mobile_species(parse_composition(formula))
        except InputError:
            continue
    return ""


def packed_cell(
    formulas: tuple[str, ...],
    n_atoms: int,
    rng: np.random.Generator,
    *,
    volume: float | None = None,
) -> Atoms:
    """Pack a cell of one composition, or of two of them.

    Parameters
    ----------
    formulas
        Compositions to draw from.
    n_atoms
        Atoms of the cell, at least: more if an ion needs a wider cell.
    rng
        Draws composition, volume and positions.
    volume
        Volume over the estimated volume of the crystal; None draws it from ``VOLUMES``.

    Raises
    ------
    InputError
        If no packing is found at twice the volume.
    """
    composition = _drawn_composition(formulas, rng)
    factor = rng.uniform(*VOLUMES) if volume is None else volume
    seed = int(rng.integers(2**31))
    crystal = crystal_volume_per_atom(composition)
    for widening in WIDENINGS:
        volume_per_atom = crystal * factor * widening
        try:
            cell = pack(
                composition,
                n_atoms=fewest_atoms(composition, n_atoms, volume_per_atom, NARROWEST_A),
                volume_per_atom_A3=volume_per_atom,
                min_side_A=NARROWEST_A,
                seed=seed,
            )
            break
        except InputError:
            if widening == WIDENINGS[-1]:
                raise
    atoms = cell.structure.to_ase_atoms(msonable=False)
    atoms.info = {"config_type": "packed"}
    return atoms


def packed_atoms(formula: str, n_atoms: int) -> int:
    """Return the number of atoms of a packed cell at the volume of the crystal."""
    composition = parse_composition(formula)
    volume = crystal_volume_per_atom(composition)
    fewest = fewest_atoms(composition, n_atoms, volume, NARROWEST_A)
    unit = round(composition.num_atoms)
    return -(-fewest // unit) * unit


def draw_cell(
    subject: Subject, settings: SamplingSettings, rng: np.random.Generator
) -> tuple[Atoms, float]:
    """Draw a start of dynamics and its temperature in K.

    Some cells lose or gain mobile ions; all have a small strain. Temperatures are uniform in the
    logarithm, up to 1.2 times the highest temperature of use.
    """
    if subject.crystals and rng.random() < settings.crystal_share:
        name = str(rng.choice(sorted(subject.crystals)))
        atoms = enlarged(subject.crystals[name], settings.n_atoms // 2)
        label = f"crystal:{name}"
    else:
        atoms = packed_cell(subject.formulas, settings.n_atoms, rng)
        label = "packed"
    if subject.mobile in atoms.symbols and rng.random() < settings.defect_share:
        atoms, defect = with_random_defect(atoms, subject.mobile, rng)
        label += f":{defect}"
    atoms = strained_and_rattled(atoms, rng, STRAIN, 0.0)
    low, high = np.log(settings.coldest_K), np.log(1.2 * settings.hottest_K)
    temperature = float(np.exp(rng.uniform(low, high)))
    atoms.info = {"config_type": label, "temperature_K": round(temperature)}
    return atoms, temperature


def pressed(atoms: Atoms, rng: np.random.Generator, number: int) -> Atoms:
    """Return a copy in which two atoms are closer than a bond, to teach the repulsion.

    Parameters
    ----------
    atoms
        Periodic cell.
    rng
        Draws the pair of atoms and its distance, ``PRESSED`` times the sum of the covalent radii.
    number
        Pairs of elements are taken in turn.
    """
    kinds = sorted(set(atoms.get_chemical_symbols()))
    pairs = [(a, b) for k, a in enumerate(kinds) for b in kinds[k:]]
    first, second = pairs[number % len(pairs)]
    symbols = np.array(atoms.get_chemical_symbols())
    i = int(rng.choice(np.flatnonzero(symbols == first)))
    others = np.flatnonzero((symbols == second) & (np.arange(len(atoms)) != i))
    out = atoms.copy()
    if not len(others):
        return out
    vectors = atoms.get_distances(i, others, mic=True, vector=True)
    lengths = np.linalg.norm(vectors, axis=1)
    nearest = int(lengths.argmin())
    wanted = rng.uniform(*PRESSED) * sum(
        covalent_radii[atomic_numbers[symbol]] for symbol in (first, second)
    )
    move = vectors[nearest] * (1 - wanted / lengths[nearest])
    out.positions[i] += move / 2
    out.positions[others[nearest]] -= move / 2
    return out


def enlarged(atoms: Atoms, fewest: int) -> Atoms:
    """Return a copy repeated along its shortest vectors until it holds enough atoms."""
    out = atoms.copy()
    while len(out) < fewest:
        repeats = [1, 1, 1]
        repeats[int(out.cell.lengths().argmin())] = 2
        out = out.repeat(repeats)
    return out


def _drawn_composition(formulas: tuple[str, ...], rng: np.random.Generator) -> Composition:
    if len(formulas) > 1 and rng.random() < MIXED_SHARE:
        first, second = rng.choice(len(formulas), 2, replace=False)
        weights = rng.integers(1, 3, 2).tolist()
        total = parse_composition(formulas[first]) * weights[0]
        return parse_composition(total + parse_composition(formulas[second]) * weights[1])
    return parse_composition(formulas[int(rng.integers(len(formulas)))])
