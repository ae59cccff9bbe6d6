"""Relax many crystals at once: each with its own optimizer, all in the same model calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from vitrion.chemistry.structures import check_ordered
from vitrion.relaxation.fire import Fire, Symmetry
from vitrion.runtime.settings_model import SettingsModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Structure

    from vitrion.potentials.batch import BatchPotential, Evaluation

EV_A3_IN_GPA = 160.21766208
LEEWAY = 4.0
"""A structure that has run out of steps this near to the tolerance is kept: soft crystals slide for
a long time, and their leftover force stands in the result."""


class RelaxSettings(SettingsModel):
    """How candidates are relaxed."""

    force_tolerance_eV_per_A: float = Field(
        0.05,
        gt=0,
        description="Largest force on an atom, and largest row of the virial over the number of "
        "atoms, at the end, in eV/A.",
    )
    max_steps: int = Field(500, ge=1, description="Steps after which a structure is given up.")
    relax_cell: bool = Field(True, description="Whether the cell relaxes with the positions.")
    pressure_GPa: float = Field(0.0, description="Outer pressure in GPa.")
    keep_symmetry: bool = Field(False, description="Whether the space group is kept.")
    symmetry_tolerance_A: float = Field(
        0.01, gt=0, description="Tolerance at which the symmetry to keep is found, in A."
    )
    lowest_eV_per_atom: float | None = Field(
        None,
        description="Energy per atom in eV below which a structure is given up at once, because "
        "it fell into a hole of the potential.",
    )
    batch_atoms: int = Field(
        400, ge=1, description="Atoms in one model call; structures enter as others finish."
    )


@dataclass(frozen=True)
class RelaxedCrystal:
    """The end of one relaxation.

    Attributes
    ----------
    structure : Structure
        Final positions and cell.
    energy_eV : float
        Of the cell; with the outer pressure it is the energy, not the enthalpy.
    max_force_eV_per_A : float
    max_stress_GPa : float
        Largest element of the stress less the outer pressure.
    steps : int
        Evaluations of the potential.
    failure : str or None
        Why it was given up, if it was.
    """

    structure: Structure
    energy_eV: float
    max_force_eV_per_A: float
    max_stress_GPa: float
    steps: int
    failure: str | None = None

    @property
    def energy_eV_per_atom(self) -> float:
        """Energy per atom."""
        return self.energy_eV / len(self.structure)


class _Job:
    """One structure on its way down."""

    def __init__(self, index: int, structure: Structure, settings: RelaxSettings) -> None:
        from pymatgen.io.ase import AseAtomsAdaptor

        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        symmetry = (
            Symmetry.of(atoms, settings.symmetry_tolerance_A) if settings.keep_symmetry else None
        )
        self.index, self.settings = index, settings
        self.fire = Fire(
            atoms, settings.relax_cell, settings.pressure_GPa / EV_A3_IN_GPA, symmetry=symmetry
        )
        self.first_volume = atoms.get_volume()
        self.steps = 0

    @property
    def size(self) -> int:
        return len(self.fire.atoms)

    def advance(self, evaluation: Evaluation) -> RelaxedCrystal | None:
        """Take one step; return the result when this was the last evaluation."""
        self.steps += 1
        finite = np.isfinite(evaluation.energy_eV) and np.isfinite(evaluation.forces).all()
        if not finite:
            return self._result(evaluation, "the potential returned no finite energy")
        forces = self.fire.generalized_forces(evaluation)
        largest = np.sqrt((forces**2).sum(1).max())
        if largest < self.settings.force_tolerance_eV_per_A:
            return self._result(evaluation, None)
        lowest = self.settings.lowest_eV_per_atom
        if lowest is not None and evaluation.energy_eV < lowest * self.size:
            energy = evaluation.energy_eV / self.size
            return self._result(evaluation, hole_reason(energy))
        ratio = self.fire.atoms.get_volume() / self.first_volume
        if not 0.2 < ratio < 4.0:
            return self._result(evaluation, f"the volume changed by a factor of {ratio:.2f}")
        if self.steps >= self.settings.max_steps:
            if largest < LEEWAY * self.settings.force_tolerance_eV_per_A:
                return self._result(evaluation, None)
            reason = f"forces of {largest:.2f} eV/A were left after {self.steps} steps"
            return self._result(evaluation, reason)
        self.fire.step(forces)
        return None

    def _result(self, evaluation: Evaluation, failure: str | None) -> RelaxedCrystal:
        from pymatgen.io.ase import AseAtomsAdaptor

        self.fire.atoms.wrap()
        stress = evaluation.stress + self.fire.pressure * np.eye(3)
        return RelaxedCrystal(
            AseAtomsAdaptor.get_structure(self.fire.atoms),
            evaluation.energy_eV,
            float(np.sqrt((evaluation.forces**2).sum(1).max())),
            float(np.abs(stress).max() * EV_A3_IN_GPA),
            self.steps,
            failure,
        )


def hole_reason(energy_eV_per_atom: float) -> str:
    """Return the sentence for an energy that only a hole of the potential explains."""
    return f"an energy of {energy_eV_per_atom:.2f} eV/atom lies below anything physical"


def relax_many(
    structures: Sequence[Structure],
    potential: BatchPotential,
    settings: RelaxSettings | None = None,
    *,
    on_finished: Callable[[int, RelaxedCrystal], None] | None = None,
) -> list[RelaxedCrystal]:
    """Relax structures in batches; one that finishes makes room for the next.

    Parameters
    ----------
    structures : sequence of Structure
    potential : BatchPotential
        See ``vitrion.potentials.batch``.
    settings : RelaxSettings, optional
    on_finished : callable, optional
        Called with the index of each structure and its result, as they finish.

    Returns
    -------
    list of RelaxedCrystal
        In the order given. A structure that cannot be relaxed has ``failure`` set; one bad
        structure does not stop the others.

    Raises
    ------
    InputError
        If a structure has partial occupancies.
    """
    settings = settings or RelaxSettings()
    for structure in structures:
        check_ordered(structure, f"A structure of {structure.reduced_formula}")
    # Sizes descending keeps the model calls full to the end.
    order = sorted(range(len(structures)), key=lambda i: -len(structures[i]))
    waiting = deque(order)
    running: list[_Job] = []
    results: list[RelaxedCrystal | None] = [None] * len(structures)
    while waiting or running:
        room = settings.batch_atoms - sum(job.size for job in running)
        while waiting and (not running or len(structures[waiting[0]]) <= room):
            job = _Job(waiting[0], structures[waiting.popleft()], settings)
            running.append(job)
            room -= job.size
        evaluations = potential.evaluate([job.fire.atoms for job in running])
        still: list[_Job] = []
        for job, evaluation in zip(running, evaluations, strict=True):
            result = job.advance(evaluation)
            if result is None:
                still.append(job)
                continue
            results[job.index] = result
            if on_finished is not None:
                on_finished(job.index, result)
        running = still
    return [result for result in results if result is not None]
