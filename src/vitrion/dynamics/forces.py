"""Energies and forces for the integrator from any calculator.

A run resumed from a checkpoint must be bit for bit equal to an uninterrupted run. The calculator is
therefore reset at every checkpoint, which drops its history (such as a neighbor list with a skin).
Positions are also wrapped then, because float32 models lose digits far from the origin.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ase.calculators.calculator import Calculator

    from vitrion.dynamics.integrator import Evaluated


class ForceProvider(Protocol):
    """Evaluates one system with fixed elements from arrays.

    A calculator with a method ``force_provider(numbers, pbc)`` that returns a ForceProvider is
    evaluated through it, without ASE's copies of the atoms; other calculators are evaluated through
    :class:`ASEForceProvider`.
    """

    def evaluate(self, positions: np.ndarray, cell: np.ndarray, stress: bool) -> Evaluated:
        """Return energy in eV, forces (n, 3) in eV/A and stress (3, 3) in eV/A3.

        Parameters
        ----------
        positions : (n, 3) array
            In A, wrapped or not; must not be stored, because it is overwritten after the call.
        cell : (3, 3) array
            Lattice vectors as rows, in A; must not be stored.
        stress : bool
            Whether to compute the stress, positive in tension (ASE's sign); otherwise None.

        Returns
        -------
        tuple
            The arrays may be overwritten by the next call.
        """
        ...

    def reset(self) -> None:
        """Drop all history: the next call returns the same bits as a new provider."""
        ...


class ASEForceProvider:
    """Evaluates an ASE calculator as a :class:`ForceProvider`.

    Parameters
    ----------
    calculator : Calculator
        Any ASE calculator with energy and forces, and stress if it is requested.
    numbers : (n,) int array
        Atomic numbers.
    pbc : three booleans
        Which lattice vectors are periodic.
    """

    def __init__(
        self, calculator: Calculator, numbers: np.ndarray, pbc: Sequence[bool] | np.ndarray
    ) -> None:
        self._calculator = calculator
        self._switchable = _switchable_models(calculator)
        self._atoms = Atoms(numbers, np.zeros((len(numbers), 3)), cell=np.eye(3), pbc=pbc)
        self._changes = list(all_changes)

    def evaluate(self, positions: np.ndarray, cell: np.ndarray, stress: bool) -> Evaluated:
        """Return energy, forces and stress; see :class:`ForceProvider`.

        Raises
        ------
        InputError
            If the calculator has no stress but it is requested.
        """
        self._atoms.positions[:] = positions
        self._atoms.cell.array[:] = cell
        wanted = ["energy", "forces", "stress"] if stress else ["energy", "forces"]
        with _without_stress([] if stress else self._switchable):
            self._calculator.calculate(self._atoms, wanted, self._changes)
        self._changes = ["positions", "cell"]
        results = self._calculator.results
        if not stress:
            return float(results["energy"]), results["forces"], None
        if "stress" not in results:
            raise InputError(
                f"{type(self._calculator).__name__} does not implement stress, which constant "
                "pressure and recorded pressures need: use another calculator or the nvt ensemble "
                "without save_pressure."
            )
        return float(results["energy"]), results["forces"], _full(results["stress"])

    def reset(self) -> None:
        """Drop the history of the calculator."""
        if hasattr(self._calculator, "reset"):
            self._calculator.reset()
        self._changes = list(all_changes)


def force_provider(
    calculator: Any, numbers: np.ndarray, pbc: Sequence[bool] | np.ndarray
) -> ForceProvider:
    """Return the calculator's own provider if it has one, else an adapter; see the classes."""
    own = getattr(calculator, "force_provider", None)
    return ASEForceProvider(calculator, numbers, pbc) if own is None else own(numbers, pbc)


class CallAdapter:
    """Prepares the calls of one run: atoms inside the cell, and forces without a net force.

    Parameters
    ----------
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
        masses: np.ndarray,
        pbc: Sequence[bool] | np.ndarray,
        remove_net_force: bool = True,
    ) -> None:
        self._pbc = np.asarray(pbc, dtype=bool)
        share = masses / np.sum(masses)
        self._share = np.repeat(share[:, None], 3, axis=1) if remove_net_force else None
        self._images: np.ndarray | None = None

    def wrapped(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Return positions (n, 3) in A inside a cell with the given rows, as a new array."""
        if self._images is None:
            self._images = self._images_of(positions, cell)
        return positions - self._images.dot(cell)

    def finished(self, evaluated: Evaluated) -> Evaluated:
        """Return the result of a call in new arrays, without its net force."""
        energy, forces, tensor = evaluated
        forces = np.array(forces, dtype=np.float64)
        if self._share is not None:
            forces -= self._share * np.add.reduce(forces, axis=0)
        return energy, forces, None if tensor is None else np.array(tensor, dtype=np.float64)

    def reset(self) -> None:
        """Wrap all atoms into the cell at the next call."""
        self._images = None

    def _images_of(self, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """Return the lattice translations (n, 3) that bring the atoms into the cell.

        They stay the same until the next :meth:`reset`: otherwise an atom that vibrates across a
        face of the cell would jump between images and invalidate neighbor lists.
        """
        if not self._pbc.any():
            return np.zeros_like(positions)
        images = np.floor(np.linalg.solve(cell.T, positions.T).T)
        images[:, ~self._pbc] = 0
        return np.ascontiguousarray(images)


class Forces(CallAdapter):
    """Forces on the atoms of a run, given their unwrapped positions.

    Parameters
    ----------
    calculator : Calculator
        Any ASE calculator; see :class:`ForceProvider`.
    numbers : (n,) int array
        Atomic numbers.
    masses, pbc, remove_net_force
        See :class:`CallAdapter`.
    """

    def __init__(
        self,
        calculator: Calculator,
        numbers: np.ndarray,
        masses: np.ndarray,
        pbc: Sequence[bool] | np.ndarray,
        remove_net_force: bool = True,
    ) -> None:
        super().__init__(masses, pbc, remove_net_force)
        self._provider = force_provider(calculator, numbers, self._pbc)
        self.reset()

    def __call__(self, positions: np.ndarray, cell: np.ndarray, stress: bool = False) -> Evaluated:
        """Return energy in eV, forces (n, 3) in eV/A and, if requested, stress (3, 3) in eV/A3.

        Positions are (n, 3) in A, wrapped or not; the cell's rows are its vectors in A. The arrays
        that are returned are new.
        """
        return self.finished(self._provider.evaluate(self.wrapped(positions, cell), cell, stress))

    def reset(self) -> None:
        """Drop the history of the calculator."""
        super().reset()
        self._provider.reset()


def cutoff_of(calculator: Any) -> float | None:
    """Return the cutoff radius of a calculator in A, or None if it does not expose one."""
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


def evaluation_of(calculator: Any) -> str:
    """Return which implementation evaluates a potential, such as "native avx512 1" or "torch".

    It is the attribute ``evaluation`` of the calculator if present, else the name of its class.
    """
    return str(getattr(calculator, "evaluation", type(calculator).__name__))


def _full(stress: np.ndarray) -> np.ndarray:
    stress = np.asarray(stress, dtype=np.float64)
    return voigt_6_to_full_3x3_stress(stress) if stress.shape == (6,) else stress.reshape(3, 3)


def _switchable_models(calculator: Any) -> list[Any]:
    """Return the models of a mace-torch calculator, which always computes the stress."""
    if not any(base.__module__.startswith("mace.") for base in type(calculator).__mro__):
        return []
    import torch

    models = calculator.models
    return [] if any(isinstance(model, torch.jit.ScriptModule) for model in models) else models


@contextmanager
def _without_stress(models: Sequence[Any]) -> Iterator[None]:
    """Skip the stress of MACE models, a third of their cost."""
    replaced = [vars(model).get("forward") for model in models]
    for model in models:
        model.forward = partial(_forward_without_stress, model.forward)
    try:
        yield
    finally:
        for model, own in zip(models, replaced, strict=True):
            if own is None:
                del model.forward  # restores the method of the class
            else:
                model.forward = own


def _forward_without_stress(
    forward: Callable[..., Any], data: Any, compute_stress: bool = False, **kwargs: Any
) -> Any:
    return forward(data, compute_stress=False, **kwargs)
