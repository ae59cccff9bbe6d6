"""Ratios and differences with their intervals, and the table that shows them."""

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vitrion.cli.results import polymorph_table
from vitrion.comparison.published import published_for
from vitrion.comparison.side_by_side import compare
from vitrion.conductivity.document import ConductivityDoc
from vitrion.errors import InputError, SimulationError
from vitrion.materials.material import MaterialReport, disambiguate, material_formula
from vitrion.report.figures.ion_transport import msd_figure
from vitrion.report.page import render_page
from vitrion.uncertainty import (
    Bound,
    Estimate,
    LinearEstimate,
    ReplicaMean,
    difference,
    number,
    ratio,
)

SPACED = [[x / 2, y / 2, z / 2] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
LIPO2F2 = Structure(Lattice.cubic(6.0), ["Li", "P", "O", "O", "F", "F"], SPACED[:6])


def report(phase, *, sigma=None, bound=None, structure=LIPO2F2):
    document = ConductivityDoc.from_structure(
        structure,
        phase=phase,
        mobile_species={"Li": 1.0},
        temperatures_K=[600.0],
        results=[],
        sigma_300K=sigma,
        sigma_300K_bound=bound,
    )
    return MaterialReport.from_documents([document])


def estimate(value, error, freedom=math.inf):
    return Estimate(value=value, relative_error=error, degrees_of_freedom=freedom)


@pytest.mark.parametrize("freedoms", [(math.inf, math.inf), (4.0, 4.0), (5.0, math.inf)])
def test_the_interval_of_a_ratio_covers_it(freedoms):
    """Of estimates whose logarithms scatter as Student's t says, 92 to 98 % cover the truth."""
    rng = np.random.default_rng(7)
    draws = [
        rng.standard_normal(2000)
        if math.isinf(f)
        else rng.standard_normal(2000) / np.sqrt(rng.chisquare(f, 2000) / f)
        for f in freedoms
    ]
    errors = (0.4, 0.4)
    inside = 0
    for a, b in zip(*draws, strict=True):
        first = estimate(2e-4 * math.exp(errors[0] * a), errors[0], freedoms[0])
        second = estimate(0.2 * math.exp(errors[1] * b), errors[1], freedoms[1])
        change = ratio(second, first)
        inside += change.low <= 1000.0 <= change.high
    assert 0.92 <= inside / 2000 <= 0.98


def test_a_ratio_against_a_bound_is_a_bound():
    glass = estimate(0.2, 0.3)
    at_least = ratio(glass, Bound(limit=1e-4))
    assert at_least.value is None
    assert at_least.low == pytest.approx(0.2 * math.exp(-1.6449 * 0.3) / 1e-4, rel=1e-3)
    at_most = ratio(Bound(limit=1e-4), glass)
    assert at_most.high == pytest.approx(1e-4 / (0.2 * math.exp(-1.6449 * 0.3)), rel=1e-3)
    assert ratio(Bound(limit=2.0), Bound(limit=1.0)) is None
    assert ratio(glass, None) is None


def exact(value):
    return LinearEstimate(value=value, error=0.0)


def test_differences_join_their_errors():
    uncertain = LinearEstimate(value=0.4, error=0.1, degrees_of_freedom=2)
    change = difference(uncertain, exact(1.0))
    assert change.value == pytest.approx(-0.6)
    assert change.high - change.low == pytest.approx(2 * 4.3027 * 0.1, rel=1e-3)
    both = difference(uncertain, uncertain)
    assert both.error == pytest.approx(0.1 * math.sqrt(2))
    assert both.degrees_of_freedom == pytest.approx(4.0)
    assert difference(Bound(limit=1.0), exact(1.0)) is None
    assert difference(exact(3.0), exact(1.0)) == exact(2.0)


def test_mean_over_replicas():
    mean = ReplicaMean.of([1.0, 2.0, 3.0]).estimate
    assert mean.value == 2.0
    assert mean.error == pytest.approx(1 / math.sqrt(3))
    with pytest.raises(InputError, match="at least one"):
        ReplicaMean.of([])
    assert ReplicaMean.of([5.0]).estimate == LinearEstimate(value=5.0)


def test_a_fraction_is_not_said_to_be_below_zero():
    wide = ReplicaMean.of([0.0, 0.16]).estimate
    assert wide.low < 0
    cut = wide.within(0, 1)
    assert (cut.value, cut.low, cut.high) == (wide.value, 0, min(wide.high, 1))
    assert difference(cut, exact(0.0)) == difference(wide, exact(0.0))
    assert exact(0.3).within(0, 1).text == exact(0.3).text == "0.30"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.18, "0.18"), (1000.0, "1000"), (2e-7, "2.0e-7"), (0.0034, "0.0034"), (0, "0"),
     (12.345, "12"), (1.236, "1.24"), (-0.6, "-0.60"), (math.inf, "inf")],
)  # fmt: skip
def test_numbers_have_the_digits_that_a_reader_can_use(value, text):
    assert number(value) == text


def test_crystal_beside_glass_beside_paper():
    crystal = report("crystalline", bound=2e-4)
    glass = report("amorphous", sigma=estimate(0.2, 0.3))
    row = compare(crystal, glass).rows[0]
    title, first, second, change, paper = row.cells()
    assert title == "conductivity at 300 K (mS/cm)"
    assert first == "below 2.0e-4"
    assert second.startswith("0.20 (0.11 to 0.3")
    assert change.startswith("at least x ")
    assert "0.18" in paper
    assert "1000" in paper


def test_the_paper_speaks_of_its_own_composition_alone():
    lif = Structure(Lattice.cubic(4.0), ["Li", "F"], SPACED[:2])
    other = report("crystalline", sigma=estimate(1e-6, 0.5), structure=lif)
    glass = report("amorphous", sigma=estimate(0.2, 0.3))
    assert compare(other, glass).rows[0].paper == ""
    assert published_for("LiP(OF)2").glass_activation_energy_eV == 0.40
    assert published_for("LiF") is None


def test_formulas_are_written_as_chemists_do():
    assert material_formula(report("amorphous", bound=1.0).conductivity) == "LiPO2F2"


def test_documents_of_two_phases_do_not_make_one_report():
    two = [report(phase, bound=1.0).conductivity for phase in ("amorphous", "crystalline")]
    with pytest.raises(InputError, match="one phase"):
        MaterialReport.from_documents(two)
    with pytest.raises(InputError, match="at least one"):
        MaterialReport.from_documents([])


def test_the_newest_document_is_shown_unless_another_is_asked_for():
    old, new = (report("amorphous", bound=b).conductivity for b in (1.0, 2.0))
    new = new.model_copy(update={"last_updated": old.last_updated.replace(year=2100)})
    shown = MaterialReport.from_documents([new, old])
    assert shown.conductivity is new
    assert shown.older == (old,)
    chosen = MaterialReport.from_documents([new, old], preferred=[old])
    assert chosen.conductivity is old
    assert chosen.older == (new,)


def test_a_search_that_found_nothing_is_reported(reports):
    found = reports[0].polymorphs
    nothing = found.model_copy(update={"polymorphs": [], "best_energy_eV_per_atom": [None]})
    (only,) = disambiguate([MaterialReport.from_documents([nothing])])
    assert only.best_crystal is None
    assert compare(only, only).rows == ()
    assert "vitrion search LiPO2F2" in render_page(only), "what to do is said"
    assert polymorph_table(nothing, 5).row_count == 0
    with pytest.raises(SimulationError, match="found no crystal in"):
        nothing.require_crystals()
    lower = found.polymorphs[0].model_copy(update={"energy_above_hull_eV_per_atom": -4e-4})
    shown = polymorph_table(found.model_copy(update={"polymorphs": [lower]}), 5)
    assert [*shown.columns[2].cells] == ["0.000"]
    without = found.polymorphs[0].model_copy(update={"space_groups": []})
    assert polymorph_table(found.model_copy(update={"polymorphs": [without]}), 5).row_count == 1


def test_two_crystals_of_one_formula_are_distinguished(reports):
    documents = reports[0].conductivity
    first, second = (
        MaterialReport.from_documents([documents.model_copy(update={"material_id": name})])
        for name in ("mp-1", "mp-2")
    )
    shown = disambiguate([first, second, reports[1]])
    names = [report.name for report in shown]
    assert names == ["LiPO2F2 crystal (mp-1)", "LiPO2F2 crystal (mp-2)", "LiPO2F2 glass"]
    assert len(msd_figure(shown).rows[0]) == 3
    page = render_page(first, second)
    assert "(mp-1)" in page
    assert "(mp-2)" in page


def test_documents_are_not_compared_without_a_report():
    with pytest.raises(InputError, match=r"A ConductivityDoc cannot be compared: .*from_documents"):
        compare(report("amorphous").conductivity)
