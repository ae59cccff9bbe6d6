import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.documents.comparison import ComparisonDoc, conductivity_ratios
from vitrion.documents.conductivity import ConductivityDoc
from vitrion.errors import InputError
from vitrion.transport.result import Estimate


def salt():
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def conductivity(phase, estimate=None, bound=None):
    document = ConductivityDoc.from_results(salt(), {}, phase=phase)
    document.conductivity_300K, document.conductivity_bound_300K = estimate, bound
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


def test_what_is_missing_is_left_out_and_the_rest_goes_through_json():
    glass = Estimate(value=2.0, relative_error=0.1, degrees_of_freedom=math.inf)
    document = ComparisonDoc.from_documents(
        {"conductivity": None, "landscape": None},
        {"conductivity": conductivity("amorphous", glass), "landscape": None},
    )
    assert document.ratios == []
    assert document.claims == []
    assert ComparisonDoc.model_validate_json(document.model_dump_json()) == document
    with pytest.raises(InputError, match="nothing to compare"):
        ComparisonDoc.from_documents({}, {"conductivity": None})
