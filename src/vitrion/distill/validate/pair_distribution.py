"""Pair distribution functions and their overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms


def pair_distribution(
    frames: Sequence[Atoms],
    cutoff_A: float = 5.0,
    bins: int = 100,
    pair: tuple[str, str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (A) and the pair distribution function of frames, over all or one pair."""
    from ase.neighborlist import neighbor_list

    edges = np.linspace(0, cutoff_A, bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    total = np.zeros(bins)
    for atoms in frames:
        first, second, distance = neighbor_list("ijd", atoms, cutoff_A)
        is_first, is_second = (
            np.array(atoms.symbols) == element if pair else np.full(len(atoms), True)
            for element in pair or ("", "")
        )
        counts = np.histogram(distance[is_first[first] & is_second[second]], bins=edges)[0]
        density = is_second.sum() / atoms.get_volume()
        total += counts / (is_first.sum() * shells * density)
    return (edges[1:] + edges[:-1]) / 2, total / len(frames)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the common area of two distribution functions over their mean area; 1 if equal."""
    return float(2 * np.minimum(first, second).sum() / (first.sum() + second.sum()))
