"""Select candidates to relax by one energy evaluation of each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from vitrion.polymorphs.filters import overlap
from vitrion.polymorphs.group import JudgedCandidate, same_crystal
from vitrion.relaxation.relax import spurious_minimum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.generation.candidate import Candidate
    from vitrion.potentials.batch import BatchPotential

SAME_START_EV = 1e-3
"""Largest energy difference per atom in eV of duplicates before relaxation."""

PASSED_OVER = "others of its kind have a lower energy before relaxation"


def screen(
    candidates: Sequence[Candidate],
    wanted: Mapping[str, int],
    potential: BatchPotential,
    *,
    floor_eV_per_atom: float | None = None,
    batch_atoms: int = 400,
) -> tuple[list[Candidate], list[JudgedCandidate]]:
    """Select the candidates to relax by their energy before relaxation.

    That energy says little about the end of a relaxation across different kinds of candidates (one
    with symmetry starts higher, and may end lower, than one without), so the best of each kind are
    taken in turn: kinds differ in generator, formula units, host, and whether symmetry is kept.
    A candidate that overlaps, lies in a spurious minimum of the potential or repeats another
    candidate is left out.

    Parameters
    ----------
    candidates : sequence of Candidate
    wanted : mapping of str to int
        Number of candidates to relax, by generator. Missing candidates of one generator are
        replaced by candidates of others.
    potential : BatchPotential
    floor_eV_per_atom : float, optional
        Energies below this are spurious minima of the potential.
    batch_atoms : int
        Maximum number of atoms in one model call.

    Returns
    -------
    (list of Candidate, list of JudgedCandidate)
        Selected candidates, and rejected candidates with the reason. Each candidate without overlap
        costs one evaluation.
    """
    reasons = [overlap(candidate.structure) for candidate in candidates]
    valid = [index for index, reason in enumerate(reasons) if reason is None]
    energies = np.full(len(candidates), np.inf)
    energies[valid] = energies_per_atom([candidates[i] for i in valid], potential, batch_atoms)
    for index in valid:
        if not np.isfinite(energies[index]):
            reasons[index] = "the potential returned no finite energy"
        elif floor_eV_per_atom is not None and energies[index] < floor_eV_per_atom:
            reasons[index] = spurious_minimum(energies[index])
    usable = [index for index in valid if reasons[index] is None]
    chosen = _choose(candidates, energies, usable, wanted)
    left_out = [
        JudgedCandidate.unrelaxed(candidate, reasons[index] or PASSED_OVER, screened=index in valid)
        for index, candidate in enumerate(candidates)
        if index not in chosen
    ]
    return [candidates[index] for index in chosen], left_out


def energies_per_atom(
    candidates: Sequence[Candidate], potential: BatchPotential, batch_atoms: int
) -> np.ndarray:
    """Return energies in eV per atom, evaluated in batches."""
    from pymatgen.io.ase import AseAtomsAdaptor

    systems = [AseAtomsAdaptor.get_atoms(c.structure, msonable=False) for c in candidates]
    energies: list[float] = []
    while len(energies) < len(systems):
        sizes = np.cumsum([len(atoms) for atoms in systems[len(energies) :]])
        count = max(1, int((sizes <= batch_atoms).sum()))
        batch = systems[len(energies) : len(energies) + count]
        energies += [
            found.energy_eV / len(atoms)
            for found, atoms in zip(potential.evaluate(batch), batch, strict=True)
        ]
    return np.array(energies)


def _choose(
    candidates: Sequence[Candidate],
    energies: np.ndarray,
    usable: Sequence[int],
    wanted: Mapping[str, int],
) -> list[int]:
    """Return the indices of the candidates to relax: by generator, then any remaining ones."""
    chosen: list[int] = []
    turns = _in_turn(candidates, energies, usable)
    missing = sum(wanted.values())
    shares = dict(wanted)
    for within_shares in (True, False):
        for index in turns:
            generator = candidates[index].origin.generator
            if not missing or index in chosen or (within_shares and not shares.get(generator)):
                continue
            if not any(_repeats(candidates, energies, index, other) for other in chosen):
                chosen.append(index)
                missing -= 1
                shares[generator] = shares.get(generator, 0) - 1
    return chosen


def _in_turn(
    candidates: Sequence[Candidate], energies: np.ndarray, usable: Sequence[int]
) -> list[int]:
    """Order candidates: the best of each kind first, then the second best of each kind, ..."""
    kinds: dict[tuple, list[int]] = defaultdict(list)
    for index in sorted(usable, key=lambda index: energies[index]):
        kinds[_kind(candidates[index])].append(index)
    ranked = [(rank, index) for members in kinds.values() for rank, index in enumerate(members)]
    return [index for _, index in sorted(ranked, key=lambda pair: (pair[0], energies[pair[1]]))]


def _kind(candidate: Candidate) -> tuple:
    origin = candidate.origin
    symmetric = str(origin.details.get("cell", "")).startswith("space group")
    host = origin.parent if origin.generator == "inpainting" else None
    return origin.generator, origin.formula_units, host, symmetric


def _repeats(candidates: Sequence[Candidate], energies: np.ndarray, index: int, other: int) -> bool:
    if abs(energies[index] - energies[other]) > SAME_START_EV:
        return False
    return same_crystal(candidates[index].structure, candidates[other].structure)
