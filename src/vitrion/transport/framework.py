"""Whether the framework diffuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.transport.constants import A2_PER_FS_TO_CM2_PER_S
from vitrion.transport.msd import mean_squares
from vitrion.transport.result import Framework

if TYPE_CHECKING:
    from vitrion.transport.displacements import Displacements

MELTED_MSD_A2 = 3.0
"""MSD over half the run above which atoms have left their sites: twice Lindemann's limit."""

MELTED_EXPONENT = 0.5


def framework_motion(motion: Displacements) -> Framework:
    """Test whether the framework diffuses, by the MSD of its least mobile species.

    The MSD over half the run and its exponent are used: vibration has a bounded MSD and an exponent
    near zero. Ligands that rotate with their polyanion have a large MSD, so one species that does
    not diffuse, such as the phosphorus of PO2F2-, is sufficient.
    """
    symbols = np.array(motion.framework_symbols)
    kinds = [_species_motion(motion, symbols == kind) for kind in np.unique(symbols)]
    return min(kinds, key=lambda found: found.msd_A2)


def _species_motion(motion: Displacements, chosen: np.ndarray) -> Framework:
    positions = motion.framework[:, chosen]
    half = len(positions) // 2
    lags = np.array([max(half // 4, 1), max(half, 2)])
    early, late = mean_squares(positions, np.ones(positions.shape[1]), lags).mean
    time_fs = (lags[1] - lags[0]) * motion.framework_interval_fs
    exponent = float(np.log(late / early) / np.log(lags[1] / lags[0])) if early > 0.0 else 0.0
    return Framework(
        diffuses=bool(late > MELTED_MSD_A2 and exponent > MELTED_EXPONENT),
        diffusivity_cm2_s=float(max(late - early, 0.0) / (6.0 * time_fs)) * A2_PER_FS_TO_CM2_PER_S,
        msd_A2=float(late),
        exponent=exponent,
    )
