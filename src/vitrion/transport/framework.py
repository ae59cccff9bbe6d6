"""Whether the framework diffuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.transport.constants import A2_PER_FS_TO_CM2_PER_S
from vitrion.transport.result import Framework

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitrion.transport.displacements import Displacements

MELTED_MSD_A2 = 3.0
"""Squared displacement of an atom that has left its site: twice Lindemann's limit."""

MELTED_FRACTION = 0.5
"""Fraction of atoms that leave their sites within half the run of a framework that diffuses."""

MELTED_EXPONENT = 0.5


def framework_motion(motion: Displacements) -> Framework:
    """Test whether the framework diffuses, by its least mobile species.

    The framework diffuses if most atoms of that species leave their sites within half the run and
    their MSD grows with time: vibration has a bounded MSD and an exponent near zero. One anion that
    hops in a small cell can raise the MSD above the limit, but moves a small fraction of the atoms.
    Ligands that rotate with their polyanion have a large MSD, so one species that does not diffuse,
    such as the phosphorus of PO2F2-, is sufficient.
    """
    symbols = np.array(motion.framework_symbols)
    kinds = [_species_motion(motion, symbols == kind) for kind in np.unique(symbols)]
    return min(kinds, key=lambda found: found.msd_A2)


def mean_framework(frameworks: Sequence[Framework]) -> Framework | None:
    """Return the mean motion in independent runs and the verdict of most; None for no runs."""
    if not frameworks:
        return None
    mean = {
        name: float(np.mean([getattr(framework, name) for framework in frameworks]))
        for name in ("diffusivity_cm2_s", "msd_A2", "exponent", "moved_fraction")
    }
    diffusing = sum(framework.diffuses for framework in frameworks)
    return Framework(diffuses=2 * diffusing > len(frameworks), **mean)


def _species_motion(motion: Displacements, chosen: np.ndarray) -> Framework:
    positions = motion.framework[:, chosen]
    half = len(positions) // 2
    lags = max(half // 4, 1), max(half, 2)
    of_atoms = [_mean_squares(positions, lag) for lag in lags]
    early, late = (float(found.mean()) for found in of_atoms)
    moved_fraction = float(np.mean(of_atoms[1] > MELTED_MSD_A2))
    time_fs = (lags[1] - lags[0]) * motion.framework_interval_fs
    exponent = float(np.log(late / early) / np.log(lags[1] / lags[0])) if early > 0.0 else 0.0
    return Framework(
        diffuses=moved_fraction > MELTED_FRACTION and exponent > MELTED_EXPONENT,
        diffusivity_cm2_s=max(late - early, 0.0) / (6.0 * time_fs) * A2_PER_FS_TO_CM2_PER_S,
        msd_A2=late,
        exponent=exponent,
        moved_fraction=moved_fraction,
    )


def _mean_squares(positions: np.ndarray, lag: int) -> np.ndarray:
    """Return the MSD of each atom at one lag in frames."""
    steps = positions[lag:] - positions[:-lag]
    return np.einsum("kia,kia->i", steps, steps) / len(steps)
