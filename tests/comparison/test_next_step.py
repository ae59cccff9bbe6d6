"""What is said if a conductivity is not determined: how far the runs came, and what to do."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.walkers import hopping, in_crystal
from vitrion.comparison.next_step import next_step, progress_of
from vitrion.conductivity.document import ConductivityDoc
from vitrion.transport import analyze

CELL = 12.0 * np.eye(3)


@pytest.fixture(scope="module")
def structure():
    return Structure(Lattice.cubic(5.2), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def document(structure, hops, frames=300):
    results = {}
    for temperature, n in hops.items():
        rng = np.random.default_rng(int(temperature))
        positions, symbols = in_crystal(hopping(frames, 20, n).draw(rng), CELL, rng)
        results[temperature] = analyze(positions, CELL, symbols, 30.0, temperature, wrapped=False)
    return ConductivityDoc.from_results(structure, results, phase="amorphous")


def test_no_hops_ask_for_heat_or_time(structure):
    made = document(structure, {500.0: 0.0, 600.0: 0.0})
    assert progress_of(made) == "0 of 2 temperatures diffusive, 9 ps each"
    assert next_step(made) == "run temperatures above 600 K, or longer: no ion left its site"


def test_few_hops_ask_for_the_time_of_ten(structure):
    made = document(structure, {500.0: 0.0, 600.0: 0.0})
    results = [
        result.model_copy(update={"hops": result.hops.model_copy(update={"n_hops": 4})})
        for result in made.results
    ]
    seen = made.model_copy(update={"results": results})
    assert next_step(seen) == "run 23 ps per temperature (--set conductivity.first_ps=23)"


def test_a_liquid_asks_for_lower_temperatures(structure):
    made = document(structure, {900.0: 5.0, 1000.0: 5.0})
    melted = [
        result.model_copy(
            update={"framework": result.framework.model_copy(update={"diffuses": True})}
        )
        for (result,) in made.replicas
    ]
    liquid = ConductivityDoc.from_results(
        structure, {result.temperature_K: result for result in melted}, phase="amorphous"
    )
    assert next_step(liquid) == (
        "run temperatures below 900 K, where the framework does not diffuse"
    )


def test_a_value_needs_no_next_step(structure):
    made = document(structure, {600.0: 9.0, 800.0: 20.0}, frames=400)
    assert made.sigma_300K is not None
    assert next_step(made) == ""
    alone = document(structure, {800.0: 20.0}, frames=400)
    assert next_step(alone) == "run a second temperature"
    assert progress_of(alone) == "1 of 1 temperature diffusive, 12 ps each"
