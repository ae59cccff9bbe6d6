import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.walkers import in_crystal, strings
from vitrion.comparison.document import ComparisonDoc, conductivity_ratios
from vitrion.comparison.side_by_side import conductivity_ratio
from vitrion.conductivity.document import ConductivityDoc
from vitrion.errors import InputError
from vitrion.materials.material import MaterialReport
from vitrion.transport import analyze, arrhenius
from vitrion.transport.result import Estimate


def salt():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def conductivity(phase, estimate=None, bound=None):
    document = ConductivityDoc.from_results(salt(), {}, phase=phase)
    document.sigma_300K, document.sigma_300K_bound = estimate, bound
    return document


def test_the_ratio_has_the_error_of_both():
    glass = Estimate(value=2.0, relative_error=0.3, degrees_of_freedom=math.inf)
    crystal = Estimate(value=0.5, relative_error=0.4, degrees_of_freedom=math.inf)
    (ratio,) = conductivity_ratios(
        conductivity("crystalline", crystal), conductivity("amorphous", glass)
    )
    assert ratio.ratio.value == pytest.approx(4.0)
    assert ratio.ratio.relative_error == pytest.approx(0.5)
    assert ratio.temperature_K == 300


def test_the_interval_of_a_ratio_covers():
    rng = np.random.default_rng(5)
    freedom, error, n = 6, 0.4, 4000
    inside = 0
    for _ in range(n):
        logs = error * rng.standard_normal(2)
        errors = error * np.sqrt(rng.chisquare(freedom, 2) / freedom)
        a, b = (
            Estimate(value=math.exp(x), relative_error=e, degrees_of_freedom=freedom)
            for x, e in zip(logs, errors, strict=True)
        )
        low, high = a.over(b).interval_95
        inside += low < 1.0 < high
    assert 0.94 < inside / n < 0.98


def test_against_a_bound_the_ratio_is_a_bound():
    glass = Estimate(value=2.0, relative_error=0.1, degrees_of_freedom=math.inf)
    (ratio,) = conductivity_ratios(
        conductivity("crystalline", bound=0.01), conductivity("amorphous", glass)
    )
    assert ratio.ratio is None
    assert ratio.lower_bound == pytest.approx(200 * math.exp(-1.645 * 0.1), rel=1e-3)


def test_like_is_divided_by_like():
    """Ions in strings, with a Haven ratio of 1/3: the same material conducts as well as itself.

    Where Einstein's conductivity is known of one alone, the other's is of independent ions, and
    the two would differ by a factor of three.
    """
    cell = 12.0 * np.eye(3)
    results = []
    for temperature, speed in ((700.0, 0.1), (850.0, 0.2)):
        rng = np.random.default_rng(1)
        paths = np.sqrt(speed) * strings(600, 40, 0.5).draw(rng)
        positions, symbols = in_crystal(paths, cell, rng)
        results.append(analyze(positions, cell, symbols, 100.0, temperature, wrapped=False))
    assert {result.headline for result in results} == {"Einstein"}
    unsure = [
        result.model_copy(
            update={
                name: getattr(result, name).model_copy(update={"relative_error": 0.5})
                for name in ("conductivity_einstein", "collective_diffusivity")
            }
        )
        for result in results
    ]
    glass, crystal = (
        ConductivityDoc.from_results(salt(), {result.temperature_K: result for result in found})
        for found in (results, unsure)
    )
    assert glass.arrhenius.quantity == "collective"
    assert (
        glass.nernst_einstein.sigma_300K == arrhenius(glass.results, quantity="self").sigma_300K
    ), "the document holds it: nothing is fitted to compare"
    assert crystal.nernst_einstein is None
    assert glass.sigma_300K.value > 2.0 * crystal.sigma_300K.value
    for ratio in conductivity_ratios(crystal, glass):
        assert ratio.quantity == "Nernst-Einstein"
        assert ratio.ratio.value == pytest.approx(1.0)
    for ratio in conductivity_ratios(glass, glass):
        assert ratio.quantity == "Einstein"
        assert ratio.ratio.value == pytest.approx(1.0)
    shown = (MaterialReport.from_documents([document]) for document in (crystal, glass))
    assert conductivity_ratio(*shown).value == pytest.approx(1.0), "the report's is the same"


def test_what_is_missing_is_left_out_and_the_rest_goes_through_json():
    glass = Estimate(value=2.0, relative_error=0.1, degrees_of_freedom=math.inf)
    document = ComparisonDoc.from_documents(
        {"conductivity": None, "landscape": None},
        {"conductivity": conductivity("amorphous", glass), "landscape": None},
    )
    assert document.ratios == []
    assert document.claims == []
    assert ComparisonDoc.model_validate_json(document.model_dump_json()) == document
    with pytest.raises(InputError, match="Nothing to compare"):
        ComparisonDoc.from_documents({}, {"conductivity": None})
