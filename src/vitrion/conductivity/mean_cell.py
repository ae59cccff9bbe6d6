"""Dynamics at constant pressure, and their mean cell, used by production runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.run_result import TRAJECTORY_NAME, load_result
from vitrion.dynamics.trajectory import Trajectory

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from vitrion.conductivity.conductivity_settings import ConductivitySettings
    from vitrion.documents.base import Phase

DENSITY_SEGMENT = "density"
"""Folder of a run's segment at constant pressure."""

SETTLING = 0.5
"""Fraction of the segment that is excluded from the mean as equilibration."""


def constant_pressure(
    settings: ConductivitySettings,
    phase: Phase | None,
    temperature_K: float,
    duration_ps: float,
    seed: int,
) -> MDSettings:
    """Return the settings of a run at constant pressure; crystals may change their shape."""
    values = {
        "ensemble": "npt",
        "thermostat": None,
        "barostat": "full" if phase == "crystalline" else "isotropic",
        "pressure_GPa": settings.pressure_GPa,
        "temperature_K": temperature_K,
        "duration_ps": duration_ps,
        "seed": seed,
    }
    return MDSettings(**{**settings.md.model_dump(), **values})


def mean_cell(folder: Path) -> NDArray[np.float64]:
    """Return the mean cell of the second half of a run, scaled to the mean volume of that half.

    Parameters
    ----------
    folder : Path
        Of the run at constant pressure.

    Returns
    -------
    (3, 3) array
        Lattice vectors as rows, A.
    """
    with Trajectory(folder / TRAJECTORY_NAME) as trajectory:
        cells = trajectory.cells(slice(int(len(trajectory) * SETTLING), None))
    mean = cells.mean(axis=0)
    volume = np.abs(np.linalg.det(cells)).mean()
    return mean * np.cbrt(volume / np.abs(np.linalg.det(mean)))


def at_mean_volume(folder: Path) -> Structure:
    """Return the final structure of a run at constant pressure, scaled to its mean cell.

    Fractional coordinates and velocities are kept.
    """
    from pymatgen.core import Lattice, Structure

    last = load_result(folder).structure
    return Structure(
        Lattice(mean_cell(folder), pbc=last.lattice.pbc),
        last.species,
        last.frac_coords,
        site_properties=last.site_properties,
    )
