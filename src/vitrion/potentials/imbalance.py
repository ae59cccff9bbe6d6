"""Energy of missing or excess electrons of a cell, which a local potential cannot represent.

A neutral cell that has lost a Li atom is left with a hole, one that has gained a Li with an
electron. Their energy depends on the whole cell: around the place where the Li was, a cell in which
it has merely moved away looks the same. A message-passing model of 10 A cannot tell the two apart,
and puts the energy in between. Here electrons are counted from formal charges, which need the
composition alone, and given an energy, so that the model learns only what depends on the
surroundings. Forces and stresses are not touched, nor are energies of balanced compositions.

Holes cost a constant each, for they find a place of their own; electrons a constant times their
number per atom, for what a small model gets wrong in cells with added Li was found to grow so. Both
fade out (a gaussian in electrons per atom): a peroxide or a metal is no defective salt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    import torch

FORMAL_CHARGES = {3: 1, 6: 4, 8: -2, 9: -1, 15: 5}
"""Formal charges by atomic number, as in Li2CO3, Li3PO4 and LiF."""

FADING = 0.15
"""Electrons per atom at which the terms have fallen to 1/e of their values."""


def imbalance_energy(numbers: np.ndarray, hole_eV: float, electron_eV: float) -> float:
    """Return the energy of the holes or electrons of a cell in eV.

    Parameters
    ----------
    numbers
        Atomic numbers ``(n_atoms,)``.
    hole_eV
        Energy of one hole.
    electron_eV
        Energy of one electron, divided by electrons per atom.

    Raises
    ------
    InputError
        If an element has no formal charge here.
    """
    if not hole_eV and not electron_eV:
        return 0.0
    unknown = sorted(set(np.asarray(numbers).tolist()) - set(FORMAL_CHARGES))
    if unknown:
        raise InputError(
            f"The atomic numbers {unknown} have no formal charge: set the energies of "
            "holes and electrons to 0."
        )
    electrons = sum(FORMAL_CHARGES[int(z)] for z in numbers)
    per_atom = electrons / len(numbers)
    each = electron_eV * per_atom if electrons > 0 else -hole_eV
    return float(each * electrons * np.exp(-((per_atom / FADING) ** 2)))


class ImbalanceEnergy:
    """Forward hook that adds this energy to what a MACE model returns, graph by graph."""

    def __init__(self, atomic_numbers: list[int], hole_eV: float, electron_eV: float) -> None:
        self.charges = [float(FORMAL_CHARGES[z]) for z in atomic_numbers]
        self.hole_eV = hole_eV
        self.electron_eV = electron_eV

    def __call__(self, module: Any, args: tuple, out: dict[str, Any]) -> dict[str, Any]:
        """Return the output with the term in ``energy``."""
        data = args[0]
        kinds: torch.Tensor = data["node_attrs"]
        atoms = (data["ptr"][1:] - data["ptr"][:-1]).to(kinds.dtype)
        electrons = kinds.new_zeros(len(atoms))
        electrons.index_add_(0, data["batch"], kinds @ kinds.new_tensor(self.charges))
        per_atom = electrons / atoms
        each = self.electron_eV * per_atom.clamp(min=0) - self.hole_eV * (electrons < 0).to(
            kinds.dtype
        )
        term = each * electrons * (-((per_atom / FADING) ** 2)).exp()
        return {**out, "energy": out["energy"] + term}
