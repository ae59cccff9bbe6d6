"""Energy of missing or excess electrons of a cell, which a local potential cannot represent.

A neutral cell that lost a Li atom has an electron hole, and a cell with an added Li an extra
electron. Their energy depends on the whole cell, while the environment of the vacancy is the same
as in a cell in which the Li atom only moved away. A message-passing model with a range of 10 A
cannot distinguish the two cells and predicts an intermediate energy. Therefore electrons are
counted from formal charges, which depend on the composition alone, and have a separate energy; the
model learns the rest. Forces, stresses and energies of balanced compositions do not change.

The energy is a constant per hole, because holes are localized, and a constant times the number of
electrons per atom for each electron, as found from the errors of a small model in cells with added
Li. Both vanish (a gaussian in electrons per atom) for a peroxide or a metal.
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
