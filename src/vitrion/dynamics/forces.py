"""Energies and forces for the integrator from any ASE calculator.

A run continued from a checkpoint must meet the same bits as an unbroken one. So a
calculator forgets its history, such as a neighbor list with a skin, at every checkpoint. Positions
are brought into the cell for it then, because float32 models lose digits far from the origin.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase.calculators.calculator import Calculator


class ForceProvider:
    """Evaluates a calculator for positions and cells given as arrays.

    Parameters
    ----------
    calculator : Calculator
        Any ASE calculator with energy and forces, and stress where it is asked for.
    numbers : (n,) int array
        Atomic numbers.
    masses : (n,) array
        In u.
    pbc : three booleans
        Which lattice vectors are periodic.
    remove_net_force : bool
        Subtract the acceleration of the center of mass. Models in float32 leave a small net force
        that would heat up the center of mass.
    """

    def __init__(
        self,
        calculator: Calculator,
        numbers: np.ndarray,
        masses: np.ndarray,
        pbc: Sequence[bool] | np.ndarray,
        remove_net_force: bool = True,
    ) -> None:
        self._calculator = calculator
        self._switch = _stress_switch(calculator)
        self._pbc = np.asarray(pbc, dtype=bool)
        self._atoms = Atoms(numbers, np.zeros((len(numbers), 3)), pbc=self._pbc)
        self._changes: list[str] = []
        self._images: np.ndarray | None = None
        self._share = (masses / np.sum(masses))[:, None] if remove_net_force else None
        self.forget()

    def __call__(
        self, positions: np.ndarray, cell: np.ndarray, stress: bool = False
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Return energy in eV, forces (n, 3) in eV/A and, where asked for, stress (3, 3) in eV/A3.

        Positions are (n, 3) in A, wrapped or not; the cell's rows are its vectors in A.
        """
        self._atoms.set_cell(cell)
        if self._images is None:
            self._images = self._images_of(positions, cell)
        self._atoms.positions[:] = positions - self._images @ cell
        if self._switch is not None:
            self._switch.enabled = stress
        wanted = ["energy", "forces", "stress"] if stress else ["energy", "forces"]
        self._calculator.calculate(self._atoms, wanted, self._changes)
        self._changes = ["positions", "cell"]
        results = self._calculator.results
        forces = np.array(results["forces"], dtype=np.float64)
        if self._share is not None:
            forces -= self._share * forces.sum(axis=0)
        if not stress:
            return float(results["energy"]), forces, None
        if "stress" not in results:
            raise InputError(
                f"{type(self._calculator).__name__} gives no stress, which constant pressure and "
                "recorded pressures need."
            )
        return float(results["energy"]), forces, _full(results["stress"])

    def forget(self) -> None:
        """Drop what the calculator kept from earlier calls."""
        if hasattr(self._calculator, "reset"):
            self._calculator.reset()
        self._changes = list(all_changes)
        self._images = None

    def close(self) -> None:
        """Give the calculator back as it was."""
        if self._switch is not None:
            self._switch.remove()
            self._switch = None

    def _images_of(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Return the lattice translations (n, 3) that bring the atoms into the cell.

        They stay the same until the next :meth:`forget`: an atom that trembles across a face of the
        cell would otherwise jump to and fro and void neighbor lists.
        """
        if not self._pbc.any():
            return np.zeros_like(positions)
        images = np.floor(np.linalg.solve(cell.T, positions.T).T)
        images[:, ~self._pbc] = 0
        return images


def cutoff_of(calculator: Any) -> float | None:
    """Return the cutoff radius in A of one interaction, or None where the calculator hides it."""
    for holder, name in (
        (calculator, "r_max"),  # MACE
        (getattr(calculator, "model", None), "r_max"),
        (calculator, "cutoff"),  # SevenNet
        (getattr(getattr(calculator, "model", None), "graph_converter", None), "atom_graph_cutoff"),
    ):
        value = getattr(holder, name, None)
        if value is not None:
            return float(value)
    return None


def _full(stress: np.ndarray) -> np.ndarray:
    stress = np.asarray(stress, dtype=np.float64)
    return voigt_6_to_full_3x3_stress(stress) if stress.shape == (6,) else stress.reshape(3, 3)


class _StressSwitch:
    """Lets MACE models leave out the stress, a third of their cost, until it is enabled."""

    def __init__(self, models: list[Any]) -> None:
        self.enabled = True
        self._models = models
        for model in models:
            model.forward = partial(self._forward, model.forward)

    def remove(self) -> None:
        for model in self._models:
            del model.forward  # the class's own shows again

    def _forward(
        self, forward: Callable[..., Any], data: Any, compute_stress: bool = False, **kwargs: Any
    ) -> Any:
        return forward(data, compute_stress=compute_stress and self.enabled, **kwargs)


def _stress_switch(calculator: Any) -> _StressSwitch | None:
    """Return a switch for calculators of mace-torch, which compute the stress always."""
    if not any(base.__module__.startswith("mace.") for base in type(calculator).__mro__):
        return None
    import torch

    models = calculator.models
    if any(isinstance(model, torch.jit.ScriptModule) for model in models):
        return None
    return _StressSwitch(models)
