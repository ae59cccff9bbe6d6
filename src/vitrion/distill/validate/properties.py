"""Compare lattice parameters, density, bulk modulus and Li energies of a student and its teacher.

All follow from single labels of the teacher at minima of the student and at slightly larger and
smaller cells, which slow teachers can afford. At the volume of the teacher its pressure vanishes;
the strain that releases the remaining stress follows from the elastic constants of the student.
Energies of added and removed Li are compared at the same geometries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import GPa, kg
from pydantic import BaseModel, Field

from vitrion.chemistry.crystals import known_crystals
from vitrion.distill.data.frames import STRESS
from vitrion.distill.data.relaxed_cells import lattice_difference, relaxed, relaxed_cell
from vitrion.distill.sample.packing import pack_fragments
from vitrion.distill.sample.sampling import (
    DynamicsSettings,
    explore,
    with_interstitial,
    with_vacancy,
)
from vitrion.distill.validate.change_errors import energy_error
from vitrion.distill.validate.heldout import GLASS_A3
from vitrion.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

SIZES = (-0.015, 0.015)
"""Linear strains at which the teacher pressure is also evaluated."""

FARTHEST = 0.05
"""Linear strain beyond which the parabola through the pressures is not trusted."""

_ISOTROPIC = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])

CRYSTALS = ("LiF", "Li2O", "Li2CO3", "Li3PO4", "Li")


class CellDifference(BaseModel):
    """Relaxed cell of a student compared with the relaxed cell of its teacher."""

    name: str = Field(description="Name of the crystal, or glass.")
    n_atoms: int = Field(description="Atoms of the cell.")
    converged: bool = Field(description="Whether the student's minimum converged.")
    lattice_difference: float = Field(
        description="Largest relative difference of the lattice parameters."
    )
    density_difference: float = Field(description="Relative difference of the density.")
    density_g_per_cm3: float = Field(description="Density by the student, g/cm3.")
    teacher_density_g_per_cm3: float = Field(description="Density by the teacher, g/cm3.")
    bulk_modulus_GPa: float = Field(
        description="Bulk modulus by the student with ions at fixed scaled positions, GPa."
    )
    teacher_bulk_modulus_GPa: float = Field(description="Bulk modulus by the teacher, GPa.")


def crystal_frames(crystals: Mapping[str, Atoms], calculator: Calculator) -> list[Atoms]:
    """Return the relaxed cells of crystals, each also at the sizes of ``SIZES``, to be labelled.

    ``info["property"]`` is the name; ``info["converged"]`` states whether the minimum converged.
    """
    frames = []
    for name, atoms in crystals.items():
        frames += _family(_minimum(atoms, calculator), name)
    return frames


def cell_differences(
    labelled: Sequence[Atoms],
    calculator: Calculator,
    *,
    without_shear: Sequence[str] = (),
    report: Callable[[str], object],
) -> list[CellDifference]:
    """Compare relaxed cells of the student with the labels of :func:`crystal_frames`.

    A cell for which the pressure of either does not vanish near the student's minimum is reported
    and left out.

    Parameters
    ----------
    labelled
        Frames with labels of the teacher, grouped by name.
    calculator
        The student.
    without_shear
        Names of cells compared by their volume only, such as glasses.
    report
        Called with the reason why a cell is left out.
    """
    found = []
    for name, frames in _by_name(labelled).items():
        try:
            shear = name not in without_shear
            found.append(_cell_difference(name, frames, calculator, shear=shear))
        except SimulationError as exc:
            report(f"{name} is not compared: {exc}")
    return found


def property_frames(calculator: Calculator, seed: int, *, defects: int = 3) -> list[Atoms]:
    """Return the minima of the student for the teacher to label.

    Crystals with relaxed cells, one glass with a relaxed cell, each also at the sizes of ``SIZES``;
    and the glass with one Li removed or added (``defects`` times each, at the cell of the glass).
    ``info["property"]`` is the name; ``info["converged"]`` states whether the minimum converged.
    """
    rng = np.random.default_rng(seed)
    crystals = known_crystals()
    frames = crystal_frames({name: crystals[name] for name in CRYSTALS}, calculator)
    start = pack_fragments({"Li": 6, "PO2F2": 6}, GLASS_A3, seed=seed)
    del start.arrays["fragment"]
    melt = DynamicsSettings(duration_ps=1.0, interval_fs=200.0)
    hot = explore(start, calculator, 1500.0, melt, rng)[-1]
    cold = explore(hot, calculator, 600.0, melt, rng)[-1]
    glass = _minimum(cold, calculator)
    frames += _family(glass, "glass")
    for change in (with_vacancy, with_interstitial):
        for _ in range(defects):
            defect = relaxed(change(glass, "Li", rng), calculator, fmax_eV_per_A=0.05)
            frames.append(_named(defect, change.__name__.removeprefix("with_")))
    return frames


def property_errors(
    labelled: Sequence[Atoms], calculator: Calculator, report: Callable[[str], object]
) -> tuple[list[CellDifference], list[dict[str, float | str]]]:
    """Compare the student with the labels of :func:`property_frames`.

    ``report`` is called with the reason why a cell is left out.

    Returns
    -------
    list of CellDifference
        One for each crystal and for the glass.
    list of dict
        For each defect the formation energy of the student minus the teacher's in eV, each
        relative to its own Li metal, the error of that reservoir, and ``converged``, whether the
        minimum of the student converged.
    """
    by_name = _by_name(labelled)
    cells = [atoms for name in (*CRYSTALS, "glass") for atoms in by_name[name]]
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
    found = cell_differences(cells, calculator, without_shear=["glass"], report=report)
    return found, defects


def _by_name(frames: Sequence[Atoms]) -> dict[str, list[Atoms]]:
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        groups.setdefault(str(atoms.info["property"]), []).append(atoms)
    return groups


def stiffness(atoms: Atoms, calculator: Calculator, strain: float = 0.003) -> np.ndarray:
    """Return the elastic constants ``(6, 6)`` in eV/A3 (Voigt), ions relaxed at each strain."""
    columns = []
    for component in range(6):
        pair = []
        for size in (strain, -strain):
            voigt = np.zeros(6)
            voigt[component] = size
            work = _strained(atoms, voigt)
            work = relaxed(work, calculator, fmax_eV_per_A=0.01, steps=300)
            work.calc = calculator
            pair.append(work.get_stress())
        columns.append((pair[0] - pair[1]) / (2 * strain))
    constants = np.array(columns)
    return (constants + constants.T) / 2


def _minimum(atoms: Atoms, calculator: Calculator) -> Atoms:
    return relaxed_cell(atoms, calculator, fmax_eV_per_A=0.01, steps=400)


def _family(atoms: Atoms, name: str) -> list[Atoms]:
    """Return a minimum and scaled copies of it."""
    frames = [atoms, *(_strained(atoms, size * _ISOTROPIC) for size in SIZES)]
    return [_named(frame, name) for frame in frames]


def _cell_difference(
    name: str, frames: Sequence[Atoms], calculator: Calculator, *, shear: bool
) -> CellDifference:
    """Compare a minimum of the student, given first, with the relaxed cell of the teacher.

    The teacher's cell follows from the stresses at the minimum and at other sizes.
    """
    own = frames[0]
    teacher = np.array([_voigt(np.reshape(atoms.info[STRESS], (3, 3))) for atoms in frames])
    student = np.array([calculator.get_stress(atoms) for atoms in frames])
    (size, modulus), (teacher_size, teacher_modulus) = _released(student), _released(teacher)
    strain = (teacher_size - size) * _ISOTROPIC
    if shear:
        rest = teacher[0] - student[0]
        rest[:3] -= rest[:3].mean()
        change = -np.linalg.solve(stiffness(own, calculator), rest)
        change[:3] -= change[:3].mean()
        strain = strain + change
    other = _strained(own, strain)
    return CellDifference(
        name=name,
        n_atoms=len(own),
        converged=bool(own.info["converged"]),
        lattice_difference=lattice_difference(own, other),
        density_difference=other.get_volume() / own.get_volume() - 1,
        density_g_per_cm3=_density(own),
        teacher_density_g_per_cm3=_density(other),
        bulk_modulus_GPa=modulus / GPa,
        teacher_bulk_modulus_GPa=teacher_modulus / GPa,
    )


def _released(stress: np.ndarray) -> tuple[float, float]:
    """Return the linear strain nearest 0 of zero pressure and the bulk modulus there, eV/A3.

    A parabola through the mean normal stresses at 0 and at ``SIZES``; the volume changes by three
    times the linear strain.
    """
    line = np.polyfit(np.array([0.0, *SIZES]), stress[:, :3].mean(axis=1), 2)
    roots = np.roots(line)
    near = roots[(np.abs(roots.imag) < 1e-9) & (np.abs(roots) < FARTHEST)].real
    if not len(near):
        raise SimulationError("The pressure does not vanish near the minimum: relax it further.")
    size = float(near[np.argmin(np.abs(near))])
    return size, float(np.polyval(np.polyder(line), size)) / 3


def _density(atoms: Atoms) -> float:
    """Return the density in g/cm3."""
    return float(1000 * atoms.get_masses().sum() / kg / (atoms.get_volume() * 1e-24))


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
