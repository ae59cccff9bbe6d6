"""Select frames by the disagreement of a committee of students."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator


def disagreement(frames: Sequence[Atoms], committee: Sequence[Calculator]) -> np.ndarray:
    """Score frames by the largest difference of an atomic force from the force of the first member.

    See :func:`force_difference`.

    Returns
    -------
    ndarray
        ``(n_frames,)``.

    Raises
    ------
    InputError
        If the committee has fewer than two members.
    """
    if len(committee) < 2:
        raise InputError("A committee needs at least two potentials.")
    scores = []
    for frame in frames:
        first, *others = (np.array(member.get_forces(frame)) for member in committee)
        scores.append(max(force_difference(forces, first) for forces in others))
    return np.array(scores)


def force_difference(forces: np.ndarray, reference: np.ndarray) -> float:
    """Return the largest difference of an atomic force in eV/A, divided by ``1 + 0.15 max |F|``.

    ``F`` are the reference forces, so the result is absolute where they are small and relative
    where they are large. Both arrays are ``(n, 3)`` in eV/A.
    """
    difference = np.linalg.norm(forces - reference, axis=1).max()
    return float(difference / (1 + 0.15 * np.linalg.norm(reference, axis=1).max()))


def select(
    scores: np.ndarray, rng: np.random.Generator, *, limit: int, threshold: float, spacing: int = 2
) -> list[int]:
    """Select up to ``limit`` frames above ``threshold``, ``spacing`` apart, and a random one.

    The random frame ensures that not all frames are failures.
    """
    chosen: list[int] = []
    for index in np.argsort(scores)[::-1]:
        if len(chosen) >= limit or scores[index] < threshold:
            break
        if all(abs(int(index) - other) >= spacing for other in chosen):
            chosen.append(int(index))
    extra = int(rng.integers(len(scores)))
    if extra not in chosen:
        chosen.append(extra)
    return sorted(chosen)
