"""The D3(BJ) dispersion correction that is added to the labels of a PBE teacher.

PBE lacks dispersion. D3 adds a pairwise energy with coefficients that depend on the coordination
of each atom: S. Grimme, S. Ehrlich, L. Goerigk, J. Comput. Chem. 32, 1456 (2011),
10.1002/jcc.21759. The program is simple-dftd3 (``pip install vitrion[distill]``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase.units import Bohr, Hartree

from vitrion.distill.data.frames import ENERGY, FORCES, STRESS
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

D3_ENERGY, D3_FORCES, D3_STRESS = "D3_energy", "D3_forces", "D3_stress"
"""Keys of the correction, stored in addition to the labels without it, in the same units."""


class Dispersion(NamedTuple):
    """Energy (eV), forces ``(n, 3)`` (eV/A) and stress ``(3, 3)`` (eV/A3, tension positive)."""

    energy_eV: float
    forces_eV_per_A: np.ndarray
    stress_eV_per_A3: np.ndarray


def damping_of(method: str) -> Any:
    """Return the damping parameters of a functional, by its name in simple-dftd3.

    Raises
    ------
    InputError
        If D3 has no parameters for it, or simple-dftd3 is not installed.
    """
    try:
        from dftd3.interface import RationalDampingParam
    except ImportError as exc:
        raise InputError(
            "D3 dispersion needs simple-dftd3: pip install 'vitrion[distill]'."
        ) from exc
    try:
        return RationalDampingParam(method=method, atm=False)
    except RuntimeError as exc:
        raise InputError(
            f"D3(BJ) has no parameters for the functional '{method}': name one such as pbe or "
            "r2scan."
        ) from exc


def d3_dispersion(atoms: Atoms, *, without: Sequence[str] = (), method: str = "pbe") -> Dispersion:
    """Compute the D3(BJ) correction of a cell, without three-body terms.

    Parameters
    ----------
    atoms
        A cell that is periodic in three directions, or a molecule (periodic in none).
    without
        Elements whose pairs are omitted. They still count in the coordination numbers of the
        other atoms.
    method
        Functional of the damping parameters, by its name in simple-dftd3.

    Returns
    -------
    Dispersion
        The stress of a molecule is zero.

    Raises
    ------
    InputError
        If the cell is periodic in one or two directions only, D3 has no parameters for the
        functional, or simple-dftd3 is not installed.
    """
    damping = damping_of(method)
    from dftd3.interface import DispersionModel

    periodic = bool(atoms.pbc.all())
    if atoms.pbc.any() and not periodic:
        raise InputError(
            f"The cell is periodic in {atoms.pbc.sum()} directions: "
            "D3 dispersion needs a cell periodic in three directions or in none."
        )
    ghosts = np.flatnonzero(np.isin(atoms.get_chemical_symbols(), list(without)))
    if len(ghosts) == len(atoms):
        return Dispersion(0.0, np.zeros((len(atoms), 3)), np.zeros((3, 3)))
    cell = (atoms.cell.array / Bohr, atoms.pbc) if periodic else (None, None)
    model = DispersionModel(atoms.numbers, atoms.positions / Bohr, *cell)
    if len(ghosts):
        model.set_ghost_atoms(ghosts)
    found = model.get_dispersion(damping, grad=True)
    stress = np.zeros((3, 3))
    if periodic:
        stress = found["virial"] * Hartree / atoms.get_volume()
    forces = -found["gradient"] * Hartree / Bohr
    return Dispersion(float(found["energy"]) * Hartree, forces, stress)


def add_dispersion(atoms: Atoms, method: str = "pbe") -> Atoms:
    """Return a copy of a labelled frame with the correction in addition to its labels.

    An existing correction is kept.
    """
    out = atoms.copy()
    if D3_ENERGY not in out.info:
        found = d3_dispersion(atoms, method=method)
        out.info[D3_ENERGY] = found.energy_eV
        out.arrays[D3_FORCES] = found.forces_eV_per_A
        out.info[D3_STRESS] = found.stress_eV_per_A3.reshape(9)
    return out


def with_dispersion(frames: Iterable[Atoms]) -> list[Atoms]:
    """Return copies of labelled frames whose labels include the D3 correction.

    Raises
    ------
    InputError
        If a frame lacks the correction.
    """
    out = []
    for atoms in frames:
        if D3_ENERGY not in atoms.info or D3_FORCES not in atoms.arrays:
            raise InputError(f"A frame of {atoms.symbols} lacks {D3_ENERGY}: add it first.")
        total = without_dispersion([atoms])[0]
        total.info[ENERGY] = float(atoms.info[ENERGY]) + float(atoms.info[D3_ENERGY])
        total.arrays[FORCES] = atoms.arrays[FORCES] + atoms.arrays[D3_FORCES]
        if STRESS in atoms.info:
            total.info[STRESS] = np.ravel(atoms.info[STRESS]) + np.ravel(atoms.info[D3_STRESS])
        out.append(total)
    return out


def without_dispersion(frames: Iterable[Atoms]) -> list[Atoms]:
    """Return copies of labelled frames with the labels of the teacher only."""
    out = []
    for atoms in frames:
        plain = atoms.copy()
        for key in (D3_ENERGY, D3_STRESS):
            plain.info.pop(key, None)
        plain.arrays.pop(D3_FORCES, None)
        out.append(plain)
    return out
