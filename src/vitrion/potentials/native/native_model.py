"""A MACE model in the native kernel: energies, forces, virials and features of many systems."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError, PotentialError
from vitrion.potentials.imbalance import imbalance_energy
from vitrion.potentials.native.kernel_library import choose_variant, load_library

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Sequence

    from ase import Atoms

    from vitrion.potentials.native.model_tables import Tables

SKIN = 0.5
"""Skin of the neighbor lists in A."""


@dataclass(frozen=True)
class Evaluated:
    """Results for several systems; arrays of their atoms are joined.

    Attributes
    ----------
    energies : (systems,) array
        eV, with the energy of holes and electrons.
    atom_energies : (atoms,) array
        eV, without it.
    forces : (atoms, 3) array or None
        eV/A.
    virials : (systems, 3, 3) array or None
        Derivative of the energy by strain in eV; over the volume it is the stress in ASE's sign.
    features : (atoms, layers * channels) array or None
    status : (systems,) array
        0 where the system was evaluated; the results of the others are NaN.
    message : str
        What is wrong with the first of the others.
    """

    energies: np.ndarray
    atom_energies: np.ndarray
    forces: np.ndarray | None
    virials: np.ndarray | None
    features: np.ndarray | None
    status: np.ndarray
    message: str


class NativeModel:
    """Tables of a MACE model, packed by the kernel.

    Parameters
    ----------
    tables
        From :func:`vitrion.potentials.native.model_tables.extract`.
    variant
        ``avx512``, ``avx2`` or ``portable``; None takes the best one here.

    Raises
    ------
    PotentialError
        If a table is missing, has another size or is damaged, or no variant can be used.
    """

    def __init__(self, tables: Tables, variant: str | None = None) -> None:
        if variant is None:
            variant, reason = choose_variant()
            if variant is None:
                raise PotentialError(f"Native evaluation is unavailable: {reason}.")
        self.variant = variant
        self.elements = tables.elements
        self.cutoff = float(tables.sizes["cutoff"])
        self.n_features = int(tables.sizes["layers"] * tables.sizes["channels"])
        self._imbalance = tables.hole_energy_eV, tables.electron_energy_eV
        self._column = np.full(256, -1, dtype=np.int32)
        self._column[list(self.elements)] = np.arange(len(self.elements))
        self.library = load_library(variant)
        integers = (int(tables.sizes[k]) for k in ("layers", "channels", "l_max", "rank", "nodes"))
        self.pointer = self.library.vitrion_model_new(
            len(self.elements), *integers, tables.sizes["start"], self.cutoff
        )
        weakref.finalize(self, self.library.vitrion_model_free, self.pointer)
        for name, array in tables.arrays.items():
            values = np.ascontiguousarray(array, dtype=np.float64)
            self._check(
                self.library.vitrion_model_set(
                    self.pointer, name.encode(), values.ctypes.data, values.size
                )
            )
        self._check(self.library.vitrion_model_finish(self.pointer))

    @staticmethod
    def _check(error: bytes | None) -> None:
        if error is not None:
            raise PotentialError(error.decode())

    def columns(self, numbers: np.ndarray) -> np.ndarray:
        """Return the indices of atomic numbers among the elements.

        Raises
        ------
        InputError
            If the tables lack an element.
        """
        columns = self._column[numbers]
        if columns.min(initial=0) < 0:
            unknown = sorted(set(numbers[columns < 0].tolist()))
            raise InputError(f"This potential does not know the atomic numbers {unknown}.")
        return columns

    def imbalance(self, numbers: np.ndarray) -> float:
        """Return the energy of the holes or electrons of a composition in eV."""
        return imbalance_energy(numbers, *self._imbalance)


class Workspace:
    """Memory and neighbor lists of one thread that evaluates.

    Parameters
    ----------
    library
        The variant of the models that it serves.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.pointer = library.vitrion_workspace_new()
        weakref.finalize(self, library.vitrion_workspace_free, self.pointer)

    @property
    def list_builds(self) -> int:
        """How many neighbor lists were built."""
        return self.library.vitrion_workspace_builds(self.pointer)

    def evaluate(
        self,
        model: NativeModel,
        systems: Sequence[Atoms],
        *,
        forces: bool = True,
        virials: bool = False,
        features: bool = False,
        skin: float = SKIN,
    ) -> Evaluated:
        """Evaluate systems, periodic or not; the list of each place is kept between calls.

        Raises
        ------
        InputError
            If the model does not know an element, or a structure has no atoms.
        """
        sizes = np.array([len(atoms) for atoms in systems], dtype=np.int32)
        if sizes.min(initial=1) < 1:
            raise InputError("A structure without atoms has no energy.")
        numbers = np.concatenate([atoms.numbers for atoms in systems])
        columns = model.columns(numbers)
        positions = np.concatenate([atoms.positions for atoms in systems])
        cells = np.array([atoms.cell.array for atoms in systems])
        periodic = np.array([atoms.pbc for atoms in systems], dtype=np.int32)
        total = int(sizes.sum())
        status = np.zeros(len(sizes), dtype=np.int32)
        atom_energies = np.full(total, np.nan)
        out_forces = np.full((total, 3), np.nan) if forces else None
        out_virials = np.full((len(sizes), 3, 3), np.nan) if virials else None
        out_features = np.full((total, model.n_features), np.nan) if features else None
        given = (sizes, columns, positions, cells, periodic)
        wanted = (atom_energies, out_forces, out_virials, out_features, status)
        message = self.library.vitrion_evaluate(
            model.pointer,
            self.pointer,
            len(sizes),
            *(_address(array) for array in given),
            skin,
            *(_address(array) for array in wanted),
        )
        if message is not None and not status.any():
            raise PotentialError(message.decode())
        starts = np.concatenate([[0], np.cumsum(sizes)])
        energies = np.add.reduceat(atom_energies, starts[:-1])
        energies += [model.imbalance(numbers[a:b]) for a, b in pairwise(starts)]
        text = "" if message is None else message.decode()
        return Evaluated(
            energies, atom_energies, out_forces, out_virials, out_features, status, text
        )


class FixedSystem:
    """One system whose positions and cell change and whose atoms do not, as in dynamics.

    Parameters
    ----------
    model
    numbers
        ``(n,)`` atomic numbers.
    pbc
        Which lattice vectors are periodic.
    """

    def __init__(
        self,
        model: NativeModel,
        numbers: np.ndarray,
        pbc: Sequence[bool] | np.ndarray,
    ) -> None:
        self.model = model
        self.workspace = Workspace(model.library)
        self._imbalance = model.imbalance(numbers)
        n = len(numbers)
        self._positions, self._cell = np.empty((n, 3)), np.empty((3, 3))
        self._energies, self._forces = np.empty(n), np.empty((n, 3))
        self._virial, self._status = np.empty((3, 3)), np.zeros(1, dtype=np.int32)
        self._columns = np.ascontiguousarray(model.columns(np.asarray(numbers)))
        self._size = np.array([n], dtype=np.int32)
        self._periodic = np.array(pbc, dtype=np.int32)
        given = (self._size, self._columns, self._positions, self._cell, self._periodic)
        before = (model.pointer, self.workspace.pointer, 1, *map(_address, given), SKIN)
        outputs = _address(self._energies), _address(self._forces)
        status = _address(self._status)
        self._plain = (*before, *outputs, None, None, status)
        self._stressed = (*before, *outputs, _address(self._virial), None, status)

    def evaluate(
        self, positions: np.ndarray, cell: np.ndarray, stress: bool = False
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Return energy (eV), forces ``(n, 3)`` (eV/A) and, on request, stress (eV/A3).

        The stress is ``(3, 3)``, positive under tension. The forces are overwritten by the next
        call. Results do not depend on earlier calls, to the last bit.

        Raises
        ------
        InputError
            If the system cannot be evaluated: positions that are not finite, atoms closer than
            0.3 A, a cell without volume.
        """
        self._positions[:] = positions
        self._cell[:] = cell
        arguments = self._stressed if stress else self._plain
        message = self.model.library.vitrion_evaluate(*arguments)
        if message is not None:
            raise InputError(message.decode())
        energy = float(self._energies.sum()) + self._imbalance
        if not stress:
            return energy, self._forces, None
        volume = abs(np.linalg.det(self._cell))
        if volume == 0:
            raise InputError("The stress of a system without a volume is not defined.")
        symmetric = 0.5 * (self._virial + self._virial.T) / volume
        return energy, self._forces, symmetric

    def reset(self) -> None:
        """Do nothing: results do not depend on earlier calls."""

    @property
    def atom_energies(self) -> np.ndarray:
        """Energies of the atoms in the last call, eV, without the energy of holes or electrons."""
        return self._energies.copy()


def _address(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data
