"""Relax structures, one or many: each with its own optimizer, all in the same model calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from vitrion.chemistry.formulas import usual_formula
from vitrion.chemistry.structures import check_ordered, from_atoms
from vitrion.errors import SimulationError
from vitrion.relaxation.moving_crystal import EV_A3_IN_GPA, KeptSymmetry, MovingCrystal
from vitrion.relaxation.optimizers import OPTIMIZERS
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure

    from vitrion.potentials.batch import BatchPotential, Evaluation


class RelaxSettings(SettingsModel):
    """How structures are relaxed."""

    fmax_eV_per_A: float = Field(
        0.05,
        gt=0,
        description="Largest force on an atom, and largest row of the virial over the square root "
        "of the number of atoms, at the end, in eV/A.",
    )
    max_steps: int = Field(
        500, ge=0, description="Steps after which a relaxation ends without convergence."
    )
    relax_cell: bool = Field(True, description="Whether the cell relaxes with the positions.")
    pressure_GPa: float = Field(0.0, description="Outer pressure in GPa.")
    keep_symmetry: bool = Field(False, description="Whether the space group is kept.")
    symmetry_tolerance_A: float = Field(
        0.01, gt=0, description="Tolerance at which the symmetry to keep is found, in A."
    )
    lowest_eV_per_atom: float | None = Field(
        None,
        description="Energy per atom in eV below which a relaxation ends, because the structure "
        "fell into a spurious minimum of the potential.",
    )
    batch_atoms: int = Field(
        400, ge=1, description="Atoms in one model call; structures enter as others finish."
    )
    optimizer: Literal["fire", "lbfgs"] = Field(
        "fire",
        description="fire (robust far from a minimum) or lbfgs (fewer steps close to one).",
    )


@dataclass(frozen=True)
class Relaxation:
    """The end of one relaxation.

    Attributes
    ----------
    structure : Structure
        Same sites in the same order as before, without site properties.
    energy_eV : float
        Of the cell; with an outer pressure it is the energy, not the enthalpy.
    max_force_eV_per_A : float
        Largest force on an atom.
    residual_eV_per_A : float
        Largest generalized force: the cell's included, without what symmetry forbids. It is
        compared with ``fmax_eV_per_A``; infinite if the structure cannot be relaxed at all.
    pressure_GPa : float or None
        Of the structure; None if the stress was not computed.
    max_stress_GPa : float or None
        Largest element of the stress less the outer pressure; None if it was not computed.
    n_steps : int
        Moves; the potential was evaluated once more.
    converged : bool
        Whether the residual is within the tolerance.
    reason : str or None
        Why it did not converge.
    """

    structure: Structure
    energy_eV: float
    max_force_eV_per_A: float
    residual_eV_per_A: float
    pressure_GPa: float | None
    max_stress_GPa: float | None
    n_steps: int
    converged: bool
    reason: str | None = None

    @property
    def energy_eV_per_atom(self) -> float:
        """Energy per atom."""
        return self.energy_eV / len(self.structure)

    def require_converged(self, name: str) -> Self:
        """Return the relaxation.

        Raises
        ------
        SimulationError
            If it did not converge; ``name`` begins the sentence.
        """
        if not self.converged:
            raise SimulationError(
                f"{name} did not relax: {self.reason}; allow more steps, start from a better "
                "structure, or use another potential."
            )
        return self


class CalculatorPotential:
    """An ASE calculator, called for one structure at a time.

    Parameters
    ----------
    calculator : Calculator
    stress : bool
        Whether to compute the stress, which takes many calculators more time.
    """

    def __init__(self, calculator: Calculator, *, stress: bool) -> None:
        self.calculator, self.stress = calculator, stress

    def evaluate(self, systems: Sequence[Atoms], stress: bool = True) -> list[Evaluation]:
        """Return one evaluation for each structure, in order; stress NaN if not requested."""
        return [self._evaluate(atoms, self.stress and stress) for atoms in systems]

    def _evaluate(self, atoms: Atoms, stress: bool) -> Evaluation:
        from vitrion.potentials.batch import Evaluation

        atoms.calc = self.calculator
        # The stress first: calculators then compute everything at once.
        tensor = atoms.get_stress(voigt=False) if stress else np.full((3, 3), np.nan)
        forces = np.array(atoms.get_forces(apply_constraint=False))
        energy = float(atoms.get_potential_energy())
        atoms.calc = None
        return Evaluation(energy, forces, tensor)


class _Task:
    """One structure during its relaxation."""

    def __init__(self, index: int, structure: Structure, settings: RelaxSettings) -> None:
        from pymatgen.io.ase import AseAtomsAdaptor

        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        symmetry = (
            KeptSymmetry.refined(atoms, settings.symmetry_tolerance_A)
            if settings.keep_symmetry
            else None
        )
        self.index, self.settings, self.start = index, settings, structure
        self.crystal = MovingCrystal(
            atoms, settings.relax_cell, settings.pressure_GPa / EV_A3_IN_GPA, symmetry
        )
        self.optimizer = OPTIMIZERS[settings.optimizer]()
        self.first_volume = atoms.get_volume()
        self.n_steps = 0

    @property
    def size(self) -> int:
        return len(self.crystal.atoms)

    def advance(self, evaluation: Evaluation) -> Relaxation | None:
        """Take one step; return the result if this was the last evaluation."""
        if not (np.isfinite(evaluation.energy_eV) and np.isfinite(evaluation.forces).all()):
            return self._result(evaluation, np.inf, "the potential returned no finite energy")
        forces = self.crystal.generalized_forces(evaluation)
        residual = float(np.linalg.norm(forces, axis=1).max())
        if residual <= self.settings.fmax_eV_per_A:
            return self._result(evaluation, residual, None)
        lost = self._lost(evaluation)
        if lost is not None:
            return self._result(evaluation, np.inf, lost)
        if self.n_steps >= self.settings.max_steps:
            reason = f"forces of {residual:.3g} eV/A were left after {self.n_steps} steps"
            return self._result(evaluation, residual, reason)
        self.crystal.move(self.optimizer.move(forces))
        self.n_steps += 1
        return None

    def _lost(self, evaluation: Evaluation) -> str | None:
        """Return why it is not worth while to continue; None if it is."""
        lowest = self.settings.lowest_eV_per_atom
        if lowest is not None and evaluation.energy_eV < lowest * self.size:
            return spurious_minimum(evaluation.energy_eV / self.size)
        ratio = self.crystal.atoms.get_volume() / self.first_volume
        if not 0.2 < ratio < 4.0:
            return f"the volume changed by a factor of {ratio:.2f}"
        return None

    def _result(self, evaluation: Evaluation, residual: float, reason: str | None) -> Relaxation:
        stress = evaluation.stress * EV_A3_IN_GPA
        known = bool(np.isfinite(stress).all())
        excess = stress + self.settings.pressure_GPa * np.eye(3)
        return Relaxation(
            structure=_moved(self.start, self.crystal.atoms),
            energy_eV=float(evaluation.energy_eV),
            max_force_eV_per_A=float(np.linalg.norm(evaluation.forces, axis=1).max()),
            residual_eV_per_A=residual,
            pressure_GPa=-float(np.trace(stress)) / 3 if known else None,
            max_stress_GPa=float(np.abs(excess).max()) if known else None,
            n_steps=self.n_steps,
            converged=reason is None,
            reason=reason,
        )


def _moved(start: Structure, atoms: Atoms) -> Structure:
    frac_coords = atoms.get_scaled_positions(wrap=False)
    return type(start)(atoms.cell.array, start.species, frac_coords)


def spurious_minimum(energy_eV_per_atom: float) -> str:
    """Return the reason for an energy that only a spurious minimum of the potential explains."""
    return f"an energy of {energy_eV_per_atom:.2f} eV/atom lies below anything physical"


def relax_many(
    structures: Sequence[Structure],
    potential: BatchPotential | Calculator,
    settings: RelaxSettings | None = None,
    *,
    on_finished: Callable[[int, Relaxation], None] | None = None,
) -> list[Relaxation]:
    """Relax structures in batches; a structure that finishes makes room for the next.

    Parameters
    ----------
    structures : sequence of Structure
    potential : BatchPotential or Calculator
        See ``vitrion.potentials.batch``. An ASE calculator is called for one structure after the
        other, since calculators keep neighbor lists from step to step.
    settings : RelaxSettings, optional
    on_finished : callable, optional
        Called with the index of each structure and its result, as they finish.

    Returns
    -------
    list of Relaxation
        In the order given. Look at ``converged``: a structure that cannot be relaxed has the
        ``reason``, and does not stop the others.

    Raises
    ------
    InputError
        If a structure has partial occupancies.
    """
    settings = settings or RelaxSettings()
    for structure in structures:
        check_ordered(structure, f"A structure of {usual_formula(structure.composition)}")
    batch_atoms = settings.batch_atoms
    if not hasattr(potential, "evaluate"):
        potential, batch_atoms = CalculatorPotential(potential, stress=settings.relax_cell), 1
    # Sizes descending keeps the model calls full to the end.
    order = sorted(range(len(structures)), key=lambda i: -len(structures[i]))
    waiting = deque(order)
    running: list[_Task] = []
    results: dict[int, Relaxation] = {}
    while waiting or running:
        room = batch_atoms - sum(task.size for task in running)
        while waiting and (not running or len(structures[waiting[0]]) <= room):
            task = _Task(waiting[0], structures[waiting.popleft()], settings)
            running.append(task)
            room -= task.size
        evaluations = potential.evaluate([task.crystal.atoms for task in running])
        still: list[_Task] = []
        for task, evaluation in zip(running, evaluations, strict=True):
            result = task.advance(evaluation)
            if result is None:
                still.append(task)
                continue
            results[task.index] = result
            if on_finished is not None:
                on_finished(task.index, result)
        running = still
    return [results[index] for index in range(len(structures))]


def relax_one(
    structure: Structure, calculator: Calculator, settings: RelaxSettings | None = None
) -> Relaxation:
    """Relax one structure with any ASE calculator; see :func:`relax_many`."""
    return relax_many([structure], calculator, settings)[0]


def relax_atoms(
    atoms: Atoms, calculator: Calculator, settings: RelaxSettings | None = None
) -> tuple[Atoms, Relaxation]:
    """Relax periodic atoms; return a copy at the new positions and cell, and the relaxation."""
    result = relax_one(from_atoms(atoms), calculator, settings)
    moved = atoms.copy()
    moved.set_cell(result.structure.lattice.matrix)
    moved.positions = result.structure.cart_coords
    return moved, result
