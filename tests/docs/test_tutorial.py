"""The tutorial runs: every cell, in order, on shorter runs than in the documentation."""

import re

import pytest

from helpers.pages import DOCS, blocks

SHORTER = 0.2


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """Return the names that the cells leave behind."""
    folder = tmp_path_factory.mktemp("tutorial")
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(folder))
        patch.setenv("MPLBACKEND", "agg")
        for number, body in enumerate(blocks(DOCS / "tutorial.md", "{code-cell} python")):
            code = re.sub(r"^:tags:.*\n", "", body)
            exec(compile(code, f"tutorial cell {number}", "exec"), names)
            if "scale" in names:
                names["scale"] = min(names["scale"], SHORTER)
    return names


def test_whole_ions_stay_whole_through_the_toy_glass(tutorial):
    glass = tutorial["glass"]
    assert glass.formula_pretty == "LiPO2F2"
    assert glass.speciation.fraction("PO2F2") > 0.8
    assert glass.melt.equilibrated is False, "a melt this short does not equilibrate"


def test_so_little_dynamics_gives_values_with_intervals_or_bounds(tutorial):
    document = tutorial["document"]
    assert document.temperatures_K == [1000, 1300]
    for result in document.results:
        if result.diffusive:
            low, high = result.self_diffusivity.interval_95
            assert low < result.self_diffusivity.value < high
        else:
            assert result.diffusivity_bound_cm2_s > 0
    assert document.provenance.potential.name == "vitrion-lipof"


def test_intervals_of_known_walkers_cover(tutorial):
    assert 88 <= tutorial["hits"] <= 100


def test_results_are_found_again(tutorial):
    assert tutorial["found"].is_amorphous == tutorial["glass"].is_amorphous
