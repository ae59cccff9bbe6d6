"""Labelled frames: reading, filtering, splitting and the energies of the free atoms."""

from __future__ import annotations

import gzip
import hashlib
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.io import iread, write

from vitrion.errors import InputError
from vitrion.runtime.atomic import replace_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ENERGY, FORCES, STRESS = "REF_energy", "REF_forces", "REF_stress"
"""Keys of the labels: eV; eV/A; eV/A3 (nine numbers, tension positive)."""

ENERGY_WEIGHT = "energy_weight"
"""Key of the weight of the energy of a frame in a fit; 1 if absent."""


def read_labelled(paths: Iterable[Path | str]) -> list[Atoms]:
    """Read the labelled frames of all files, compressed (``.gz``) or not.

    Raises
    ------
    InputError
        If a file is missing or a frame has no labels.
    """
    frames: list[Atoms] = []
    for path in paths:
        if not Path(path).is_file():
            raise InputError(f"The file of labelled frames {path} does not exist.")
        frames += read_frames(Path(path))
    if any(ENERGY not in a.info or FORCES not in a.arrays for a in frames):
        raise InputError(f"Some frames lack the labels {ENERGY} and {FORCES}: label them first.")
    return frames


def plain_cell(atoms: Atoms) -> Atoms:
    """Return a copy with elements, positions and periodic cell only, such as without labels.

    Raises
    ------
    InputError
        If there are no atoms.
    """
    if not len(atoms):
        raise InputError("A cell without atoms cannot be run.")
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def within(frames: Iterable[Atoms], largest_force: float) -> list[Atoms]:
    """Keep the frames with no force component above ``largest_force`` (eV/A)."""
    return [a for a in frames if np.abs(a.arrays[FORCES]).max() <= largest_force]


def reduced_formula(atoms: Atoms) -> str:
    """Return the formula of one unit in Hill order, such as ``F2LiO2P``."""
    return atoms.symbols.formula.reduce()[0].format("hill")


def low_energies(frames: Sequence[Atoms], highest: float) -> list[Atoms]:
    """Keep the frames at most ``highest`` (eV per atom) above the lowest of their composition."""
    formulas = [reduced_formula(atoms) for atoms in frames]
    energies = [atoms.info[ENERGY] / len(atoms) for atoms in frames]
    lowest: dict[str, float] = {}
    for formula, energy in zip(formulas, energies, strict=True):
        lowest[formula] = min(energy, lowest.get(formula, energy))
    return [
        atoms
        for atoms, formula, energy in zip(frames, formulas, energies, strict=True)
        if energy <= lowest[formula] + highest
    ]


def split(frames: Iterable[Atoms], fraction: float) -> tuple[list[Atoms], list[Atoms]]:
    """Split into training and validation frames.

    The assignment depends on the positions only, so it does not change when frames are added and
    training resumes.
    """
    sides: tuple[list[Atoms], list[Atoms]] = ([], [])
    for atoms in frames:
        digest = hashlib.sha256(np.round(atoms.positions, 4).tobytes()).digest()
        sides[int.from_bytes(digest[:4], "big") < fraction * 2**32].append(atoms)
    return sides


def fit_atomic_energies(frames: Sequence[Atoms]) -> dict[int, float]:
    """Fit one energy per element (eV) to the energies per atom, by least squares.

    Directions that the compositions do not determine use the minimum-norm solution.

    Raises
    ------
    InputError
        If there are no frames.
    """
    if not frames:
        raise InputError("Atomic energies need at least one labelled frame.")
    elements = sorted({int(z) for a in frames for z in a.numbers})
    counts = np.array([[np.sum(a.numbers == z) for z in elements] for a in frames], dtype=float)
    energies = np.array([a.info[ENERGY] for a in frames])
    sizes = counts.sum(axis=1)
    solution = np.linalg.lstsq(counts / sizes[:, None], energies / sizes, rcond=1e-8)[0]
    return dict(zip(elements, (float(e) for e in solution), strict=True))


def read_frames(path: Path) -> list[Atoms]:
    """Read all frames of an extended XYZ file, compressed (``.gz``) or not."""
    source: Path | io.StringIO = path
    if path.suffix == ".gz":  # ASE seeks, which is slow in a compressed file
        source = io.StringIO(gzip.decompress(path.read_bytes()).decode())
    return list(iread(source, index=":", format="extxyz"))


def write_frames(path: Path, frames: Sequence[Atoms]) -> Path:
    """Write frames as extended XYZ atomically: a crash leaves the old or the new file."""
    partial = path.with_name(path.name + ".partial")
    write(partial, list(frames), format="extxyz")
    replace_durably(partial, path)
    return path


def made_once(path: Path, make: Callable[[], Sequence[Atoms]]) -> list[Atoms]:
    """Return the frames of a file, created first if it does not exist."""
    if not path.exists():
        frames = make()
        if frames:
            write_frames(path, frames)
        else:
            path.touch()
    return read_frames(path) if path.stat().st_size else []


def made_each(
    directory: Path,
    named: Sequence[tuple[str, Callable[[np.random.Generator], list[Atoms]]]],
    seed: int,
) -> list[Atoms]:
    """Return the frames of several samplers, each with its own random numbers.

    Each has a file ``<name>.xyz``, written when it ends: a repeated call runs the missing ones.
    """
    directory.mkdir(parents=True, exist_ok=True)
    frames: list[Atoms] = []
    for (name, make), child in zip(
        named, np.random.SeedSequence(seed).spawn(len(named)), strict=True
    ):
        frames += made_once(directory / f"{name}.xyz", partial(make, np.random.default_rng(child)))
    return frames
