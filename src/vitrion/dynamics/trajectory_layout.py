"""Check of the datasets of a trajectory file before they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py

from vitrion.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

DEFLATE_MOST = 1100
"""Largest factor of compression by gzip."""

SMALL = 10**6
"""Bytes that any file may state."""


def check_layout(file: h5py.File, path: Path, size: int) -> None:
    """Refuse a file whose datasets lie elsewhere, disagree in shape, or are larger than it.

    Parameters
    ----------
    file, path
        The open file, and its path for messages.
    size
        Its size in bytes.

    Raises
    ------
    InputError
        With the name of the dataset.
    KeyError
        If a dataset is missing.
    """
    n_atoms = len(_dataset(file, "atomic_numbers", path))
    n_frames = len(_dataset(file, "frames/step", path))
    shapes: dict[str, tuple[int, ...]] = {"atomic_numbers": (n_atoms,), "masses": (n_atoms,)}
    in_space = ("positions", "velocities", "forces")
    for name in file["frames"]:
        rest = {"cell": (3, 3)}.get(name, (n_atoms, 3) if name in in_space else ())
        shapes[f"frames/{name}"] = (n_frames, *rest)
    for name, shape in shapes.items():
        dataset = _dataset(file, name, path)
        if dataset.shape != shape or dataset.dtype.kind not in "iuf":
            raise InputError(
                f"{path} is damaged: its '{name}' has the shape {dataset.shape}, not {shape}."
            )
        if dataset.size * dataset.dtype.itemsize > DEFLATE_MOST * size + SMALL:
            raise InputError(
                f"{path} is damaged: its '{name}' states {dataset.size} values, more than fit into "
                "the file."
            )


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Return a dataset that is stored in the file itself."""
    parts = name.split("/")
    for end in range(1, len(parts) + 1):
        part = "/".join(parts[:end])
        if not isinstance(file.get(part, getlink=True), h5py.HardLink):
            raise InputError(f"{path} is damaged: its '{part}' is missing or is a link.")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise InputError(f"{path} is damaged: its '{name}' is not stored in it.")
    return dataset
