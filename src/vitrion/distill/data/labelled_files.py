"""Labelled frames of the user, in the keys of the fits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vitrion.distill.data.frames import ENERGY, FORCES, STRESS, read_frames
from vitrion.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

FEWEST_FRAMES = 20
"""Frames with labels that a student needs, at least."""

FEWEST_ATOMS = 50
"""Atoms of each element in all frames together, at least."""


def labelled_frames(path: Path) -> list[Atoms]:
    """Read the labelled frames of an extended XYZ file, compressed (``.gz``) or not.

    Labels are REF_energy, REF_forces and REF_stress, or else energy, forces and stress as ASE
    writes them.

    Raises
    ------
    InputError
        If the file cannot be read, a label is not finite, or there are fewer than
        ``FEWEST_FRAMES`` frames with labels and a periodic cell, or fewer than ``FEWEST_ATOMS``
        atoms of an element.
    """
    if not path.is_file():
        raise InputError(f"The file of labelled frames {path} does not exist.")
    try:
        frames = read_frames(path)
    except Exception as exc:  # ASE raises many classes for a broken file
        raise InputError(f"{path} cannot be read as extended XYZ: {exc}.") from exc
    found = [_with_labels(atoms) for atoms in frames]
    kept = [atoms for atoms in found if atoms is not None]
    for number, atoms in enumerate(found, 1):
        if atoms is not None and not _is_finite(atoms):
            raise InputError(f"Frame {number} of {path} has labels that are not finite: remove it.")
    if len(kept) < FEWEST_FRAMES:
        raise InputError(
            f"{path} has {len(kept)} frames with energy, forces and a periodic cell, but a student "
            f"needs at least {FEWEST_FRAMES}."
        )
    counts = Counter(symbol for atoms in kept for symbol in atoms.get_chemical_symbols())
    rare = [symbol for symbol, count in counts.items() if count < FEWEST_ATOMS]
    if rare:
        raise InputError(
            f"{path} has {counts[rare[0]]} atoms of {rare[0]}, but a student needs at least "
            f"{FEWEST_ATOMS} of each element."
        )
    return kept


def _with_labels(atoms: Atoms) -> Atoms | None:
    """Return a frame with labels under the keys of the fits, or None without them."""
    results = {} if atoms.calc is None else atoms.calc.results
    energy = atoms.info.get(ENERGY, results.get("energy"))
    forces = atoms.arrays.get(FORCES, results.get("forces"))
    if energy is None or forces is None or not atoms.pbc.all() or atoms.cell.rank != 3:
        return None
    out = atoms.copy()
    out.info[ENERGY] = float(energy)
    out.arrays[FORCES] = np.asarray(forces, dtype=float)
    stress = out.info.get(STRESS, results.get("stress"))
    if stress is not None:
        out.info[STRESS] = _nine(np.ravel(stress).astype(float))
    return out


def _nine(stress: np.ndarray) -> np.ndarray:
    """Return the nine components of a stress with six or nine."""
    from ase.stress import voigt_6_to_full_3x3_stress

    if stress.size not in (6, 9):
        raise InputError(f"A stress has {stress.size} numbers, but must have 6 (Voigt) or 9.")
    return np.ravel(voigt_6_to_full_3x3_stress(stress)) if stress.size == 6 else stress


def _is_finite(atoms: Atoms) -> bool:
    labels = (atoms.info[ENERGY], atoms.arrays[FORCES], atoms.info.get(STRESS, 0.0))
    return all(bool(np.isfinite(label).all()) for label in labels)
