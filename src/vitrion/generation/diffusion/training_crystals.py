"""Training sets of crystals: from files, from a store, from the Materials Project."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydash
from ase.data import chemical_symbols

from vitrion.chemistry.decoding import as_structure, structure_from_dict
from vitrion.chemistry.elements import NONMETALS
from vitrion.chemistry.formulas import parse_composition
from vitrion.chemistry.structure_files import read_structure_file
from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from maggma.core import Store
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Crystal:
    """One ordered crystal in its Niggli-reduced primitive cell.

    Attributes
    ----------
    numbers : array (n,)
        Atomic numbers.
    fractional : array (n, 3)
        Fractional coordinates.
    lattice : array (3, 3)
        Row vectors in A.
    formula : str
        Reduced formula.
    """

    numbers: np.ndarray
    fractional: np.ndarray
    lattice: np.ndarray
    formula: str

    @classmethod
    def from_structure(cls, structure: Structure) -> Crystal:
        """Reduce a structure to its Niggli-reduced primitive cell."""
        reduced = niggli(structure.get_primitive_structure())
        return cls(
            np.array(reduced.atomic_numbers),
            np.mod(reduced.frac_coords, 1.0),
            reduced.lattice.matrix.copy(),
            reduced.composition.reduced_formula,
        )

    @property
    def symbols(self) -> list[str]:
        """Symbols of its elements, sorted."""
        return sorted({chemical_symbols[z] for z in self.numbers.tolist()})

    @property
    def n_nonmetals(self) -> int:
        """Number of nonmetal elements."""
        return len(NONMETALS.intersection(self.symbols))


def niggli(structure: Structure) -> Structure:
    """Return the structure in its Niggli-reduced cell, or LLL-reduced if that fails."""
    try:
        return structure.get_reduced_structure(reduction_algo="niggli")
    except ValueError:  # the algorithm fails for a few nearly degenerate cells
        return structure.get_reduced_structure(reduction_algo="LLL")


def prepare_training_set(
    structures: Iterable[Structure], *, most_atoms: int = 40, exclude: Sequence[str] = ()
) -> list[Crystal]:
    """Select ordered structures for training and reduce their cells.

    Parameters
    ----------
    structures : iterable of Structure
    most_atoms : int
        Maximum number of atoms in the primitive cell.
    exclude : sequence of str
        Formulas to exclude, for example as later tests.

    Returns
    -------
    list of Crystal

    Raises
    ------
    InputError
        If no structure remains.
    """
    hidden = {parse_composition(formula).reduced_formula for formula in exclude}
    crystals = []
    for structure in structures:
        if not structure.is_ordered or structure.composition.reduced_formula in hidden:
            continue
        crystal = Crystal.from_structure(structure.remove_oxidation_states())
        if len(crystal.numbers) <= most_atoms:
            crystals.append(crystal)
    if not crystals:
        raise InputError(
            "The training set is empty: no ordered structure is within the size limit; provide "
            "more structures, or raise most_atoms."
        )
    return crystals


def draw_formulas(crystals: Sequence[Crystal], share: float, seed: int) -> set[str]:
    """Draw a fraction of the formulas of the crystals."""
    formulas = np.array(sorted({crystal.formula for crystal in crystals}))
    return set(np.random.default_rng(seed).permutation(formulas)[: int(share * len(formulas))])


def split_by_formula(
    crystals: Sequence[Crystal], hidden: Collection[str]
) -> tuple[list[Crystal], list[Crystal]]:
    """Split crystals into those without and with a hidden formula."""
    train = [crystal for crystal in crystals if crystal.formula not in hidden]
    return train, [crystal for crystal in crystals if crystal.formula in hidden]


def read_structures(paths: Iterable[str | Path]) -> Iterator[Structure]:
    """Read structures from files of any supported formats.

    A ``.json`` or ``.json.gz`` file holds a structure, or a list of structures or of records with
    the key ``structure`` (pymatgen's dictionaries); pymatgen or ASE reads other formats (CIF,
    POSCAR, extxyz with many frames, also gzipped).

    Raises
    ------
    InputError
        If a file is missing or holds no structure.
    """
    for path in map(Path, paths):
        if not path.is_file():
            raise InputError(f"There is no structure file {path}.")
        try:
            if path.name.endswith((".json", ".json.gz")):
                yield from _from_json(path)
            elif path.suffix in (".xyz", ".extxyz", ".traj") or path.name.endswith(".xyz.gz"):
                yield from _from_ase(path)
            else:
                yield read_structure_file(path)
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise InputError(f"{path} does not contain a readable structure: {exc}.") from exc


def _from_json(path: Path) -> Iterator[Structure]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as handle:
        content = json.load(handle)
    for record in content if isinstance(content, list) else [content]:
        yield structure_from_dict(record.get("structure", record))


def _from_ase(path: Path) -> Iterator[Structure]:
    from ase.io import iread
    from pymatgen.io.ase import AseAtomsAdaptor

    for atoms in iread(path):
        yield AseAtomsAdaptor.get_structure(atoms)


def query_store(
    store: Store, criteria: Mapping[str, Any] | None = None, key: str = "structure"
) -> Iterator[Structure]:
    """Yield the structures of the documents of a maggma store that meet the criteria.

    Raises
    ------
    InputError
        If a document has no structure under the key.
    """
    with store:
        for document in store.query(dict(criteria or {}), properties=[key]):
            value = pydash.get(document, key)
            if value is None:
                raise InputError(f"A document of the store has no structure under '{key}'.")
            yield as_structure(value)


def query_materials_project(api_key: str | None = None, **criteria: Any) -> Iterator[Structure]:
    """Yield structures of the Materials Project; needs mp-api and an API key.

    Parameters
    ----------
    api_key : str, optional
        By default the environment variable ``MP_API_KEY``.
    **criteria
        Arguments of ``MPRester.materials.summary.search``, such as ``energy_above_hull=(0, 0.1)``.

    Raises
    ------
    InputError
        If mp-api is not installed.
    """
    try:
        from mp_api.client import MPRester
    except ImportError as exc:
        raise InputError("Materials Project queries need mp-api: pip install mp-api.") from exc
    with MPRester(api_key) as rester:
        for document in rester.materials.summary.search(fields=["structure"], **criteria):
            yield document.structure
