"""Check that several results are of one material, and of different runs."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vitrion.transport.result import TransportResult

SAME_SHARE = 0.02
"""Largest difference of the share of an element; doped cells of one material differ by less."""

SAME_VOLUME = 0.3
"""Largest difference of the volume per atom, relative to the smaller; melting changes less."""

SAME_MSD = 1e-6
"""Relative difference of the mean square displacements of one run, from files that round them."""


def check_same_material(results: Sequence[TransportResult]) -> None:
    """Check species, elements and densities of runs of one material.

    Raises
    ------
    InputError
        If the runs are of different materials.
    """
    if not results:
        return
    first = results[0]
    for number, other in enumerate(results[1:], start=2):
        if other.mobile != first.mobile:
            raise InputError(
                f"Run {number} has the mobile species {_listed(other.mobile)} and run 1 has "
                f"{_listed(first.mobile)}: the runs must be of one material."
            )
        known = bool(first.atoms and other.atoms)
        mine, its = _shares(first, known), _shares(other, known)
        if set(mine) == set(its) and max(abs(mine[el] - its[el]) for el in mine) <= SAME_SHARE:
            continue
        raise InputError(
            f"Run {number} is of {_percent(its)} and run 1 of {_percent(mine)}: the runs must be "
            "of one material."
        )
    per_atom = [run.volume_A3 / (run.n_mobile + run.n_framework) for run in results]
    if max(per_atom) > (1.0 + SAME_VOLUME) * min(per_atom):
        raise InputError(
            f"The cells have {min(per_atom):.1f} to {max(per_atom):.1f} A3 per atom: the runs must "
            "be of one material."
        )


def check_different_runs(results: Sequence[TransportResult]) -> None:
    """Check that no run is among the results twice: its error would count as two.

    Raises
    ------
    InputError
        If two results have the same mean square displacements.
    """
    for (i, one), (j, other) in combinations(enumerate(results, start=1), 2):
        mine, its = np.array(one.msd.msd_A2), np.array(other.msd.msd_A2)
        moved = len(mine) and mine.max() > 0
        if moved and mine.shape == its.shape and np.allclose(mine, its, SAME_MSD, 0.0):
            raise InputError(f"Results {i} and {j} are of the same run: give each run once.")


def _shares(result: TransportResult, known: bool) -> dict[str, float]:
    """Return the share of each element, or of mobile and framework if elements are not known."""
    atoms = result.atoms if known else None
    atoms = atoms or {"mobile": result.n_mobile, "framework": result.n_framework}
    return {name: count / sum(atoms.values()) for name, count in sorted(atoms.items())}


def _percent(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{share:.0%} {name}" for name, share in shares.items())


def _listed(mobile: Mapping[str, float]) -> str:
    return ", ".join(f"{symbol} ({charge:+g} e)" for symbol, charge in mobile.items())
