"""Documents of glasses whose ions walk with a known diffusivity."""

import numpy as np
from pymatgen.core import Lattice, Structure

from helpers.walkers import brownian, in_crystal
from vitrion.conductivity.document import ConductivityDoc, DensityPoint
from vitrion.transport import analyze
from vitrion.uncertainty import ReplicaMean

SIDE = 12.0
TRUTH = {500.0: 0.02, 600.0: 0.06}
"""Diffusivity in A2 per frame of 100 fs."""


def of_glass(seed, temperatures=TRUTH, factor=1.0, n_runs=1, side=SIDE, **fields):
    results, structure = {}, None
    for number, temperature in enumerate(temperatures):
        results[temperature] = []
        for run in range(n_runs):
            rng = np.random.default_rng([seed, number, run])
            paths = brownian(400, 12, factor * temperatures[temperature]).draw(rng)
            positions, symbols = in_crystal(paths, side * np.eye(3), rng)
            structure = Structure(
                Lattice.cubic(side), symbols, positions[0], coords_are_cartesian=True
            )
            results[temperature].append(
                analyze(positions, side * np.eye(3), symbols, 100.0, temperature, wrapped=False)
            )
    densities = [
        DensityPoint(temperature_K=t, density_g_per_cm3=ReplicaMean.of([2.0 + 0.1 * seed]))
        for t in temperatures
    ]
    values = {"phase": "amorphous", "densities": densities, **fields}
    return ConductivityDoc.from_results(structure, results, **values)
