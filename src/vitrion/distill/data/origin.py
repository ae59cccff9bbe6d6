"""Record of the inputs of results, which prevents stale results when a folder is reused."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from ase.io import write

from vitrion.errors import InputError
from vitrion.potentials.spec import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ase import Atoms


def claim(record: Path, origin: dict[str, Any], results: Iterable[Path]) -> dict[str, Any]:
    """Write the record of the inputs, or reject existing results of other inputs.

    Parameters
    ----------
    record
        JSON file next to the results.
    origin
        Inputs of the results, as JSON.
    results
        Result files; if none exists, an older record is replaced.

    Returns
    -------
    dict
        The record, which may contain further entries.

    Raises
    ------
    InputError
        If results of other inputs exist, or their record is missing.
    """
    origin = json.loads(json.dumps(origin))
    existing = next((path for path in results if path.exists()), None)
    before = json.loads(record.read_text()) if record.is_file() else {}
    other = [name for name, value in origin.items() if before.get(name) != value]
    if not other:
        return before
    if existing is not None:
        why = f"was made with other {' and '.join(other)}" if before else f"has no {record.name}"
        raise InputError(f"{existing} {why}: use another directory, or move the old one.")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(origin, indent=1))
    return origin


def digest_of_files(*paths: Path) -> str:
    """Return one SHA-256 of the contents of several files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(bytes.fromhex(sha256_of(path)))
    return total.hexdigest()


def digest_of_labels(frames: Iterable[Atoms]) -> str:
    """Return one SHA-256 of frames with all their data, in order."""
    total = hashlib.sha256()
    for atoms in frames:
        text = io.StringIO()
        write(text, atoms, format="extxyz")
        total.update(text.getvalue().encode())
    return total.hexdigest()


def digest_of_cells(cells: Mapping[str, Atoms]) -> str:
    """Return one SHA-256 of the names, elements, positions and cells of crystals."""
    total = hashlib.sha256()
    for name, atoms in sorted(cells.items()):
        total.update(f"{name} {atoms.symbols}".encode())
        for values in (atoms.positions, atoms.cell.array):
            total.update((values.round(6) + 0.0).tobytes())
    return total.hexdigest()
