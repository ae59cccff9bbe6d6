"""Crystals that the dynamics of a distillation starts from: given, or found by a small search."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from vitrion.amorphous.volume import crystal_volume_per_atom
from vitrion.chemistry.crystals import known_crystals
from vitrion.chemistry.decoding import structure_from_dict
from vitrion.chemistry.formulas import parse_composition
from vitrion.distill import task_functions as work
from vitrion.distill.data.frames import reduced_formula
from vitrion.distill.sample.repackings import candidates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ase import Atoms

    from vitrion.distill.distill_run import DistillRun

VOLUMES = (0.7, 1.4)
"""Volumes of the crystals over the estimated volume: open frameworks are as low in energy without
dispersion, but they are not the crystals of a run."""

ABOVE_eV = 0.1
"""Energy per atom above the lowest crystal up to which a crystal is validated."""

ENERGY = "energy_eV_per_atom"
SAME_ENERGY_eV, SAME_VOLUME = 0.005, 0.03
"""Differences per atom and of the relative volume below which two crystals count as the same."""


def crystals_of(run: DistillRun) -> dict[str, Atoms]:
    """Return the crystals by name: the given ones, and low ones of the formulas without any."""
    given = [structure_from_dict(each) for each in run.settings.structures]
    found = {
        f"{structure.composition.reduced_formula} crystal {k + 1}": structure.to_ase_atoms(
            msonable=False
        )
        for k, structure in enumerate(given)
    }
    for formula in run.settings.searched_formulas:
        expected_A3 = crystal_volume_per_atom(parse_composition(formula))
        relaxed = relaxed_candidates(run, formula)
        for number, atoms in enumerate(
            chosen_crystals(relaxed, expected_A3, run.settings.sampling.crystals)
        ):
            found[f"{formula} crystal {number + 1}"] = atoms
    return found


def of_low_energy(crystals: Mapping[str, Atoms]) -> dict[str, Atoms]:
    """Return the crystals close in energy to the lowest of their composition.

    A run would start from these; the others only add variety to the frames. Crystals without
    ``info["energy_eV_per_atom"]``, such as given ones, are all returned.
    """
    lowest: dict[str, float] = {}
    for atoms in crystals.values():
        if ENERGY in atoms.info:
            of = reduced_formula(atoms)
            lowest[of] = min(lowest.get(of, inf), atoms.info[ENERGY])
    return {
        name: atoms
        for name, atoms in crystals.items()
        if ENERGY not in atoms.info
        or atoms.info[ENERGY] < lowest[reduced_formula(atoms)] + ABOVE_eV
    }


def relaxed_candidates(run: DistillRun, formula: str) -> list[Atoms]:
    """Return the minima of known and of generated crystals of a formula by a general potential."""
    from pymatgen.core import Composition

    if run.scout is None:
        return []
    own = Composition(formula).reduced_formula
    cells = [
        atoms
        for atoms in known_crystals().values()
        if Composition(str(atoms.symbols)).reduced_formula == own
    ]
    number, seed = run.settings.sampling.candidates, run.settings.seed
    cells += run.once(f"candidates-{formula}.xyz", lambda: candidates(formula, number, seed))
    arguments = [
        {"atoms": atoms, "scout": run.scout, "seed": (seed, k)} for k, atoms in enumerate(cells)
    ]
    found = run.tasks(f"crystals-{formula}", work.relaxed_candidate, arguments)
    return [frames[0] for frames in found if frames]


def chosen_crystals(relaxed: Sequence[Atoms], expected_A3: float, count: int) -> list[Atoms]:
    """Return distinct crystals of low energy and plausible volume, at most ``count``.

    Parameters
    ----------
    relaxed
        Minima with ``info["energy_eV_per_atom"]``.
    expected_A3
        Estimated volume per atom of the crystal.
    count
        Number of crystals. If no volume is plausible, all are allowed.
    """

    def is_plausible(atoms: Atoms) -> bool:
        return VOLUMES[0] < _volume(atoms) / expected_A3 < VOLUMES[1]

    allowed = [atoms for atoms in relaxed if is_plausible(atoms)] or list(relaxed)
    chosen: list[Atoms] = []
    for atoms in sorted(allowed, key=lambda atoms: float(atoms.info[ENERGY])):
        if len(chosen) < count and not any(_is_same(atoms, other) for other in chosen):
            chosen.append(atoms)
    return chosen


def _is_same(first: Atoms, second: Atoms) -> bool:
    energies = (atoms.info[ENERGY] for atoms in (first, second))
    lower, upper = sorted(energies)
    return (
        upper - lower < SAME_ENERGY_eV and abs(_volume(first) / _volume(second) - 1) < SAME_VOLUME
    )


def _volume(atoms: Atoms) -> float:
    return float(atoms.get_volume() / len(atoms))
