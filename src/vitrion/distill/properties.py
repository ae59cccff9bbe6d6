"""Lattice parameters, density and Li energies of a student against its teacher.

All from single teacher labels at the student's own minima and at cells a little larger and smaller,
so that any teacher, however slow, can be asked. The teacher's volume is where its pressure would
vanish; where its stress is not isotropic, the strain that would release the rest follows from the
student's elastic constants. Energies of Li insertion and removal are compared at the same
geometries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.frames import STRESS
from vitrion.distill.heldout import GLASS_A3
from vitrion.distill.packing import pack
from vitrion.distill.sampling import (
    DynamicsSettings,
    explore,
    with_interstitial,
    with_vacancy,
)
from vitrion.distill.validation import (
    energy_error,
    lattice_difference,
    relaxed,
    relaxed_cell,
)
from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

SIZES = (-0.015, 0.015)
"""Linear strains at which the teacher is asked for the pressure too."""

_ISOTROPIC = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])

CRYSTALS = ("LiF", "Li2O", "Li2CO3", "Li3PO4", "Li")


def property_frames(calculator: Calculator, seed: int, *, defects: int = 3) -> list[Atoms]:
    """Return the minima of the student that the teacher has to label.

    Crystals with relaxed cells, one glass with a relaxed cell, each also at the sizes of ``SIZES``;
    and that glass with one Li removed or inserted (``defects`` times each, at the glass's cell).
    Each has ``info["property"]``, and in ``info["converged"]`` whether its minimum converged.
    """
    rng = np.random.default_rng(seed)
    crystals = known_crystals()
    frames = []
    for name in CRYSTALS:
        frames += _family(_minimum(crystals[name], calculator), name)
    start = pack({"Li": 6, "PO2F2": 6}, GLASS_A3, seed=seed)
    del start.arrays["fragment"]
    melt = DynamicsSettings(duration_ps=1.0, interval_fs=200.0)
    hot = explore(start, calculator, 1500.0, melt, rng)[-1]
    cold = explore(hot, calculator, 600.0, melt, rng)[-1]
    glass = _minimum(cold, calculator)
    frames += _family(glass, "glass")
    for change in (with_vacancy, with_interstitial):
        for _ in range(defects):
            defect = relaxed(change(glass, "Li", rng), calculator, fmax=0.05)
            frames.append(_named(defect, change.__name__.removeprefix("with_")))
    return frames


def property_errors(
    labelled: Sequence[Atoms], calculator: Calculator
) -> dict[str, list[dict[str, float | str]]]:
    """Compare the student with the labels of :func:`property_frames`.

    Returns
    -------
    dict
        ``lattices``: for each crystal and the glass the largest relative difference of the lattice
        parameters, and that of the density; ``defects``: for each defect the student's formation
        energy minus the teacher's in eV, each with its own Li metal as the reservoir, and the
        error of that reservoir; ``converged`` in each, whether the student's minimum converged.
    """
    lattices: list[dict[str, float | str]] = []
    by_name: dict[str, list[Atoms]] = {}
    for atoms in labelled:
        by_name.setdefault(str(atoms.info["property"]), []).append(atoms)
    for name in (*CRYSTALS, "glass"):
        own = by_name[name][0]
        other = _released(by_name[name], calculator, shear=name != "glass")
        density = own.get_volume() / other.get_volume() - 1
        lattices.append(
            {
                "name": name,
                "lattice_difference": lattice_difference(own, other),
                "density_difference": -density,
                "converged": bool(own.info["converged"]),
            }
        )
    metal, host = by_name["Li"][0], by_name["glass"][0]
    reference = energy_error(metal, calculator) / len(metal)
    defects: list[dict[str, float | str]] = []
    for name, sign in (("vacancy", 1), ("interstitial", -1)):
        for atoms in by_name[name]:
            error = energy_error(atoms, calculator) - energy_error(host, calculator)
            defects.append(
                {
                    "name": name,
                    "error_eV": error + sign * reference,
                    "reference_eV": reference,
                    "converged": bool(atoms.info["converged"]),
                }
            )
    return {"lattices": lattices, "defects": defects}


def stiffness(atoms: Atoms, calculator: Calculator, strain: float = 0.003) -> np.ndarray:
    """Return the elastic constants ``(6, 6)`` in eV/A3 (Voigt), ions relaxed at each strain."""
    columns = []
    for component in range(6):
        pair = []
        for size in (strain, -strain):
            voigt = np.zeros(6)
            voigt[component] = size
            work = _strained(atoms, voigt)
            work = relaxed(work, calculator, fmax=0.01, steps=300)
            work.calc = calculator
            pair.append(work.get_stress())
        columns.append((pair[0] - pair[1]) / (2 * strain))
    constants = np.array(columns)
    return (constants + constants.T) / 2


def _minimum(atoms: Atoms, calculator: Calculator) -> Atoms:
    return relaxed_cell(atoms, calculator, fmax=0.01, steps=400)


def _family(atoms: Atoms, name: str) -> list[Atoms]:
    """Return a minimum and the same at other sizes."""
    frames = [atoms, *(_strained(atoms, size * _ISOTROPIC) for size in SIZES)]
    return [_named(frame, name) for frame in frames]


def _released(frames: Sequence[Atoms], calculator: Calculator, *, shear: bool) -> Atoms:
    """Return the first cell as the teacher would have it, by stresses at that and other sizes."""
    teacher = np.array([_voigt(np.reshape(atoms.info[STRESS], (3, 3))) for atoms in frames])
    student = np.array([calculator.get_stress(atoms) for atoms in frames])
    sizes = np.array([0.0, *SIZES])
    strain = (_zero(sizes, teacher) - _zero(sizes, student)) * _ISOTROPIC
    if shear:
        rest = teacher[0] - student[0]
        rest[:3] -= rest[:3].mean()
        change = -np.linalg.solve(stiffness(frames[0], calculator), rest)
        change[:3] -= change[:3].mean()
        strain = strain + change
    return _strained(frames[0], strain)


def _zero(sizes: np.ndarray, stress: np.ndarray) -> float:
    """Return the size nearest 0 at which a parabola through the mean normal stress vanishes."""
    roots = np.roots(np.polyfit(sizes, stress[:, :3].mean(axis=1), 2))
    real = roots[np.abs(roots.imag) < 1e-9].real
    if not len(real):
        raise SimulationError("The pressure does not vanish near the minimum: relax it further.")
    return float(real[np.argmin(np.abs(real))])


def _voigt(tensor: np.ndarray) -> np.ndarray:
    return tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


def _strained(atoms: Atoms, voigt: np.ndarray) -> Atoms:
    halved = np.concatenate([voigt[:3], voigt[3:] / 2])
    out = atoms.copy()
    out.set_cell(atoms.cell.array @ (np.eye(3) + voigt_6_to_full_3x3_stress(halved)), True)
    return out


def _named(atoms: Atoms, name: str) -> Atoms:
    atoms.info = {"property": name, "converged": bool(atoms.info["converged"])}
    return atoms
