"""Trajectories of a melt with known displacements."""

import numpy as np

from vitrion.dynamics.trajectory import Frame, TrajectoryWriter


def write(path, structure, displacements, cells=None):
    """Write a trajectory of the structure, displaced frame by frame (n_frames, n_atoms, 3)."""
    writer = TrajectoryWriter.create(
        path,
        np.array(structure.atomic_numbers),
        np.array([float(site.specie.atomic_mass) for site in structure]),
        timestep_fs=2.0,
        frame_interval_fs=100.0,
    )
    for k, step in enumerate(displacements):
        cell = structure.lattice.matrix if cells is None else cells[k]
        positions = structure.frac_coords @ cell + step
        writer.append(Frame(50 * k, positions, cell, 0.0, 1500.0, np.nan, 0.0))
    writer.flush()
    return path


def moved(structure, length, rng, n_frames=11):
    """Displace every atom along a direction of its own, up to a length, plus a common drift."""
    directions = rng.normal(size=(len(structure), 3))
    directions *= length / np.linalg.norm(directions, axis=1, keepdims=True)
    parts = np.linspace(0, 1, n_frames)[:, None, None]
    return parts * (directions + np.array([7.0, -3.0, 5.0]))
