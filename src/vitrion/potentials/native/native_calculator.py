"""The native kernel as an ASE calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from vitrion.errors import InputError
from vitrion.potentials.native.kernel_library import choose_variant, evaluation_name
from vitrion.potentials.native.native_model import FixedSystem, NativeModel, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

    from vitrion.potentials.native.table_source import TableSource


class NativeCalculator(Calculator):
    """Energies (eV), forces (eV/A), stress (eV/A3) and energies of atoms, by the native kernel.

    Results do not depend on earlier calls, to the last bit; the stress is computed only when it is
    asked for.

    Parameters
    ----------
    source
        Tables of the model.
    variant
        ``avx512``, ``avx2`` or ``portable``; None takes the best one here.

    Raises
    ------
    PotentialError
        If no variant can be used.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]  # noqa: RUF012

    def __init__(
        self,
        source: TableSource,
        *,
        variant: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.elements = list(source.elements)
        self.variant = variant or choose_variant()[0]
        self._model: NativeModel | None = None
        self._system: FixedSystem | None = None
        self._numbers, self._pbc = np.zeros(0, dtype=int), np.zeros(3, dtype=bool)
        self._workspace: Workspace | None = None

    @property
    def evaluation(self) -> str:
        """What evaluates, for documents: ``native avx512 1`` and the like."""
        return evaluation_name(self.variant or "")

    def model(self, numbers: Iterable[int]) -> NativeModel:
        """Return a packed model that knows these atomic numbers.

        Raises
        ------
        InputError
            If the potential does not know an element.
        """
        wanted = {int(z) for z in numbers}
        if self._model is None or not wanted <= set(self._model.elements):
            known = set() if self._model is None else set(self._model.elements)
            self._model = NativeModel(self.source.tables(known | wanted), self.variant)
            self._system = None
        return self._model

    @property
    def cutoff(self) -> float:
        """Cutoff radius of one interaction in A."""
        return self.model(self.elements[:1]).cutoff

    def force_provider(self, numbers: np.ndarray, pbc: Sequence[bool] | np.ndarray) -> FixedSystem:
        """Return what evaluates one system from arrays, the fastest way to many evaluations."""
        return FixedSystem(self.model(numbers), numbers, pbc)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate the model once.

        Raises
        ------
        InputError
            If an element is unknown, positions are not finite, two atoms are closer than 0.3 A, or
            a stress is asked for without a volume.
        """
        super().calculate(atoms, properties, system_changes)
        atoms = self.atoms
        assert atoms is not None  # ASE keeps the atoms of the last call
        if len(atoms) == 0:
            raise InputError("A structure without atoms has no energy.")
        if not self._bound_to(atoms):
            self._system = self.force_provider(atoms.numbers, atoms.pbc)
            self._numbers, self._pbc = atoms.numbers.copy(), atoms.pbc.copy()
        assert self._system is not None
        energy, forces, stress = self._system.evaluate(
            atoms.positions, atoms.cell.array, "stress" in (properties or ())
        )
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces.copy(),
            "energies": self._system.atom_energies,
        }
        if stress is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _bound_to(self, atoms: Atoms) -> bool:
        return (
            self._system is not None
            and np.array_equal(atoms.numbers, self._numbers)
            and np.array_equal(atoms.pbc, self._pbc)
        )

    def node_features(self, atoms: Atoms) -> np.ndarray:
        """Return the invariant features of every atom, ``(n_atoms, features)``."""
        model = self.model(atoms.numbers)
        if self._workspace is None:
            self._workspace = Workspace(model.library)
        found = self._workspace.evaluate(model, [atoms], forces=False, features=True, skin=0.0)
        if found.message:
            raise InputError(found.message)
        assert found.features is not None
        return found.features
