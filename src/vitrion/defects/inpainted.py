"""Candidate sites from the diffusion generator: where it would put one more ion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure


def inpainted_sites(
    structure: Structure, mobile: str, *, n: int = 16, seed: int = 0
) -> NDArray[np.float64]:
    """Let the diffusion generator insert one ion into a host, several times.

    Parameters
    ----------
    structure : Structure
        The host with all its atoms, which stay where they are.
    mobile : str
        Element of the ion.
    n : int
        Samples.
    seed : int

    Returns
    -------
    (n, 3) array
        Fractional coordinates; many will be alike.
    """
    from vitrion.generation.inpainting import inpaint

    found = inpaint(structure, {mobile: 1}, n=n, seed=seed)
    return np.array([candidate.structure.frac_coords[-1] for candidate in found])
