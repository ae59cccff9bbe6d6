"""Where the tables of a model come from: its torch module, or a file kept from an earlier time.

Extraction needs torch and mace, whose import alone costs seconds. So the tables of a model file are
kept in the user's cache, named by the hash of the file; they are read without torch.
"""

from __future__ import annotations

import contextlib
import os
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from vitrion.errors import InputError
from vitrion.potentials.native.model_tables import Tables, extract
from vitrion.runtime.atomic import replace_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FORMAT = 1
"""Raised whenever the tables of the same model become other ones."""

FEW = 8
"""Models of up to this number of elements have all their tables made at once."""


class TableSource:
    """Tables of one model for any of its elements.

    Parameters
    ----------
    load
        Returns the torch module; called when tables have to be extracted.
    elements
        Atomic numbers that the model knows.
    sha256
        Hash of the file that the module comes from; None keeps nothing on disk.
    """

    def __init__(
        self, load: Callable[[], Any], elements: Iterable[int], sha256: str | None = None
    ) -> None:
        self._load = load
        self.elements = tuple(int(z) for z in elements)
        self._sha256 = sha256
        self._made: dict[tuple[int, ...], Tables] = {}

    def tables(self, elements: Iterable[int]) -> Tables:
        """Return the tables for some of the elements.

        Raises
        ------
        InputError
            If the model does not know an element.
        PotentialError
            If the model cannot be evaluated natively.
        """
        chosen = tuple(sorted({int(z) for z in elements}))
        if unknown := sorted(set(chosen) - set(self.elements)):
            raise InputError(f"This potential does not know the atomic numbers {unknown}.")
        together = tuple(sorted(self.elements)) if len(self.elements) <= FEW else chosen
        if together not in self._made:
            self._made[together] = self._read(together) or self._extract(together)
        return self._made[together].subset(chosen)

    def _path(self, elements: Sequence[int]) -> Path | None:
        if self._sha256 is None:
            return None
        names = "".join(chemical_symbols[z] for z in elements)
        return cache_folder() / f"{self._sha256[:32]}-{names}-{FORMAT}.npz"

    def _read(self, elements: Sequence[int]) -> Tables | None:
        path = self._path(elements)
        if path is None or not path.is_file():
            return None
        try:
            return read_tables(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as exc:
            warnings.warn(
                f"The table file {path} is damaged ({exc}): it is made again.", stacklevel=2
            )
            return None

    def _extract(self, elements: Sequence[int]) -> Tables:
        tables = extract(self._load(), elements)
        path = self._path(elements)
        if path is not None:
            with contextlib.suppress(OSError):  # a full disk costs time, not the result
                write_tables(tables, path)
        return tables


def cache_folder() -> Path:
    """Return the folder of kept tables, whether or not it exists."""
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "vitrion" / "native"


def write_tables(tables: Tables, path: Path) -> None:
    """Write tables as an uncompressed .npz file, which appears as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scalars = {**tables.sizes, "hole": tables.hole_energy_eV, "electron": tables.electron_energy_eV}
    contents: dict[str, Any] = {
        "elements": np.array(tables.elements),
        **{f"scalar.{name}": np.array(value) for name, value in scalars.items()},
        **{f"array.{name}": array for name, array in tables.arrays.items()},
    }
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            np.savez(file, **contents)
        replace_durably(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_tables(path: Path) -> Tables:
    """Read what :func:`write_tables` wrote; each array is checked against its checksum.

    Raises
    ------
    OSError, ValueError, KeyError, zipfile.BadZipFile
        If the file is damaged.
    """
    with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
        contents = {name: file[name] for name in file.files}
    scalars = {
        name.removeprefix("scalar."): value.item()
        for name, value in contents.items()
        if name.startswith("scalar.")
    }
    return Tables(
        elements=tuple(int(z) for z in contents["elements"]),
        hole_energy_eV=scalars.pop("hole"),
        electron_energy_eV=scalars.pop("electron"),
        sizes=scalars,
        arrays={
            name.removeprefix("array."): value
            for name, value in contents.items()
            if name.startswith("array.")
        },
    )
