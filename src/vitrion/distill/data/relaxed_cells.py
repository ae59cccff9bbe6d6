"""Relaxation of a cell, with or without its shape, and the difference of two cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.relaxation.relax import RelaxSettings, relax_atoms

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


def relaxed_cell(
    atoms: Atoms, calculator: Calculator, *, fmax_eV_per_A: float = 0.02, steps: int = 300
) -> Atoms:
    """Return a copy relaxed with its cell at zero pressure; ``info`` says if it converged."""
    settings = RelaxSettings(fmax_eV_per_A=fmax_eV_per_A, max_steps=steps)
    out, relaxation = relax_atoms(atoms, calculator, settings)
    out.info |= {"energy": relaxation.energy_eV, "converged": relaxation.converged}
    return out


def relaxed(
    atoms: Atoms, calculator: Calculator, *, fmax_eV_per_A: float = 0.03, steps: int = 200
) -> Atoms:
    """Return a copy relaxed at fixed cell; ``info`` says if it converged."""
    settings = RelaxSettings(fmax_eV_per_A=fmax_eV_per_A, max_steps=steps, relax_cell=False)
    out, relaxation = relax_atoms(atoms, calculator, settings)
    out.info |= {"energy": relaxation.energy_eV, "converged": relaxation.converged}
    return out


def lattice_difference(first: Atoms, second: Atoms) -> float:
    """Return the largest relative difference of cell lengths and of the cube root of the volume."""
    lengths = np.abs(first.cell.lengths() / second.cell.lengths() - 1).max()
    volume = abs((first.get_volume() / second.get_volume()) ** (1 / 3) - 1)
    return float(max(lengths, volume))
