"""Periodic geometry of the score net: neighbors and wrapped noise, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from vitrion.generation.diffusion.crystal_batch import make_batch, nearest_neighbors, pad
from vitrion.generation.diffusion.noise import score_images, wrapped_score

CELLS = {
    "flat": [[2.5, 0, 0], [0.6, 3.0, 0], [-0.4, 0.8, 9.0]],
    "needle": [[2.3, 0, 0], [0, 2.4, 0], [0.2, 0.3, 14.0]],
    "oblique, not reduced": [[4.0, 0, 0], [7.5, 3.5, 0], [9.0, 6.0, 4.0]],
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_neighbors_are_those_of_pymatgen(cell):
    rng = np.random.default_rng(0)
    structure = Structure(Lattice(cell), ["Li", "P", "O"], rng.random((3, 3)))
    batch = make_batch([[1, 1], structure.atomic_numbers], [np.eye(3) * 5, cell], 6.0)
    fractional = pad([np.zeros((2, 3)), structure.frac_coords], 3)
    _, distances, index, limit = nearest_neighbors(batch, fractional, 6.0, 12)
    for atom in range(3):
        near = sorted(structure.get_neighbors(structure[atom], 6.0), key=lambda n: n.nn_distance)
        expected = [n.nn_distance for n in near[:12]]
        found = distances[1, atom][torch.isfinite(distances[1, atom])].tolist()
        np.testing.assert_allclose(sorted(found), expected, atol=1e-4)
        left_out = near[12].nn_distance if len(near) > 12 else np.inf
        assert limit[1, atom].item() == pytest.approx(left_out, abs=1e-4)
        gaps = np.diff(expected)
        if gaps.min() > 1e-3:  # the order is defined
            assert index[1, atom].tolist()[: len(expected)] == [n.index for n in near[:12]]


def brute_force(displacement, sigma, cell):
    grid = np.stack(np.meshgrid(*[np.arange(-15, 16)] * 3, indexing="ij"), -1).reshape(-1, 3)
    images = displacement[:, None] + torch.tensor(grid, dtype=torch.float64) @ cell
    weights = torch.softmax(-(images**2).sum(-1) / (2 * sigma**2), -1)
    return -(weights[..., None] * images).sum(1) / sigma


@pytest.mark.parametrize("sigma", [0.05, 0.5, 1.3, 1.5, 2.5])
@pytest.mark.parametrize("cell", [CELLS["flat"], np.eye(3) * 6.0], ids=["flat", "cubic"])
def test_wrapped_score_is_exact(sigma, cell):
    cell = torch.tensor(np.array(cell), dtype=torch.float64)[None]
    generator = torch.Generator().manual_seed(0)
    displacement = sigma * torch.randn((1, 30, 3), generator=generator, dtype=torch.float64)
    found = wrapped_score(
        displacement, torch.full((1, 30), sigma, dtype=torch.float64), cell, *score_images(cell)
    )
    torch.testing.assert_close(
        found[0], brute_force(displacement[0], sigma, cell[0]), atol=2e-4, rtol=1e-3
    )
