"""Displacements that every version of pymatgen makes alike."""

import numpy as np


def displace(structure, distance_A, seed):
    """Move each atom by a distance in a random direction."""
    moves = np.random.default_rng(seed).normal(size=(len(structure), 3))
    moves *= distance_A / np.linalg.norm(moves, axis=1, keepdims=True)
    for site, move in enumerate(moves):
        structure.translate_sites([site], move, frac_coords=False)
