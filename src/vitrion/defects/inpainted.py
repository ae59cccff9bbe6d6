"""Candidate sites from the diffusion generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure


def inpainted_sites(
    structure: Structure, mobile: str, *, n: int = 16, seed: int = 0
) -> NDArray[np.float64]:
    """Sample positions of one additional ion in a host with the diffusion generator.

    Parameters
    ----------
    structure : Structure
        The host; its atoms are fixed.
    mobile : str
        Element of the ion.
    n : int
        Number of samples.
    seed : int

    Returns
    -------
    (n, 3) array
        Fractional coordinates, with duplicates.
    """
    from vitrion.generation.inpainting import inpaint

    found = inpaint(structure, {mobile: 1}, n=n, seed=seed)
    return np.array([candidate.structure.frac_coords[-1] for candidate in found])
