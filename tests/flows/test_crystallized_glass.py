"""A replica of a glass that crystallized takes no part, and says so."""

from dataclasses import replace

import pytest

from vitrion.amorphous.document import glass_document
from vitrion.amorphous.makers import GlassReplicasMaker
from vitrion.amorphous.pack import pack
from vitrion.amorphous.start_cell import melt_start
from vitrion.cli.results import _glass_table, caution_lines, phase_reports
from vitrion.comparison.cautions import cautions_of
from vitrion.comparison.document import ComparisonDoc
from vitrion.comparison.side_by_side import compare
from vitrion.conductivity.document import ConductivityDoc
from vitrion.database.kinds import document_classes
from vitrion.database.summary import SummaryDoc
from vitrion.errors import InputError, SimulationError
from vitrion.flows.glass_set import MoreGlassesMaker, choose_glasses, choose_more_glasses
from vitrion.flows.run_recipe import RunResult
from vitrion.landscape.makers import DefectMaker, LandscapeMaker
from vitrion.materials.material import MaterialReport
from vitrion.materials.quantities import density
from vitrion.polymorphs.hull import shipped_crystals
from vitrion.runtime.runner import RunReport

choose = choose_glasses.original
choose_more = choose_more_glasses.original


@pytest.fixture(scope="module")
def glass(crystal):
    return glass_document(pack("Li2CO3", n_atoms=crystal.nsites, seed=1).structure)


@pytest.fixture(scope="module")
def crystal():
    cell = next(
        found
        for found in shipped_crystals().values()
        if found.composition.reduced_formula == "Li2CO3"
    )
    return glass_document(melt_start(cell, n_atoms=60).structure)


def test_the_two_are_what_their_verdicts_say(glass, crystal):
    assert glass.is_amorphous
    assert not glass.crystallized
    assert crystal.crystallized


def test_a_crystallized_replica_is_excluded_with_its_reason(glass, crystal):
    found = choose([glass, crystal.model_dump(), glass])
    assert found["structures"] == [glass.structure, glass.structure]
    assert found["remarks"] == [f"Glass 2 is crystalline ({crystal.order_text}) and is excluded."]
    assert choose([glass])["remarks"] == []


def test_a_run_without_a_glass_ends_in_one_sentence(crystal):
    with pytest.raises(SimulationError, match=r"^None of 2 glass replicas is amorphous: cool"):
        choose([crystal, crystal])


def test_a_small_cell_is_kept_and_reported(crystal):
    small = crystal.model_copy(update={"nsites": 24})
    found = choose([small])
    assert len(found["structures"]) == 1
    assert found["remarks"] == [
        f"Glass 1 is crystalline ({crystal.order_text}), but 24 atoms are too "
        "few for a reliable verdict; it is kept."
    ]


def test_the_comparison_and_the_averages_know(glass, crystal):
    remarks = choose([crystal, glass])["remarks"]
    measured = ConductivityDoc.from_results(glass.structure, {}, phase="amorphous", remarks=remarks)
    compared = ComparisonDoc.from_documents({}, {"conductivity": measured})
    assert compared.remarks == remarks
    report = MaterialReport.from_documents([glass, crystal])
    assert len(report.glasses) == 2
    assert report.amorphous_replicas == (glass,)
    assert density(report).value == pytest.approx(glass.density_relaxed_g_per_cm3)


def test_a_summary_takes_its_figures_from_the_glass(glass, crystal):
    keys = {name: cls.key_fields for name, cls in document_classes().items()}
    stored = [
        {**document.model_dump(mode="json"), "document_id": name}
        for name, document in (("a", glass), ("b", crystal))
    ]
    summary = SummaryDoc.from_documents(stored, keys)
    assert summary.values["is_amorphous"] is True
    assert summary.document_ids["amorphous"] == ["a", "b"]


def test_further_glasses_continue_the_seeds_of_the_set():
    """A glass is the same one whichever set makes it."""
    maker = GlassReplicasMaker(n_replicas=4)
    seeds = [job.function_kwargs["settings"].seed for job in _last_jobs(maker.make("LiF"))]
    more = MoreGlassesMaker(glass_maker=replace(maker, n_replicas=2)).make("LiF", n_before=1, n=1)
    (job,) = _last_jobs(more)
    assert job.function_kwargs["settings"].seed == seeds[3]
    assert job.name == "characterize 4"
    assert [job.name for job in more.jobs[-1:]] == ["choose more glasses"]
    with pytest.raises(InputError, match="first replica 0 must be at least 1"):
        replace(maker, first=0).make("LiF")


def _last_jobs(flow):
    return [job for job, _ in flow.iterflow() if job.name.startswith("characterize")]


def test_further_glasses_may_crystallize_or_fail(glass, crystal):
    found = choose_more([glass, None, crystal], 9)
    assert len(found["structures"]) == 1
    assert found["remarks"][0] == "Glass 10 failed and is excluded."
    assert found["remarks"][1].startswith("Glass 11 is crystalline")
    assert choose_more([None], 9)["structures"] == []


def test_a_landscape_is_laid_out_for_as_many_glasses_as_there_are(glass, crystal):
    """The flow does not know how many replicas crystallize: their jobs are made as it runs."""
    maker = LandscapeMaker(defect_maker=DefectMaker())
    chosen = choose_glasses([glass, crystal, glass])
    flow = maker.make(chosen.output["structures"])
    assert [job.name for job in flow.jobs] == ["prepare defects", "join landscape"]
    response = LandscapeMaker.prepare.original(maker, [glass.structure] * 2)
    assert [job.name for job in response.detour.jobs] == ["defects 1", "defects 2"]
    assert response.output == [job.output for job in response.detour.jobs]


def test_people_read_the_same_numbers_of_the_glasses_everywhere(glass, crystal):
    """The table and the remarks of the command line, and the report: from 1 on."""
    odd = glass.model_copy(update={"remarks": ["It is odd."]})
    result = RunResult(documents={"amorphous": [glass, odd]}, report=RunReport())
    shown = _glass_table([glass, crystal]).columns[0].cells
    assert list(shown) == ["1", "2"]
    lines = caution_lines(compare(*phase_reports(result)))
    assert "caution: Li2CO3 glass 2: It is odd." in lines
    report = MaterialReport.from_documents([glass, odd])
    about = [found.about for found in cautions_of([report]) if found.text == "It is odd."]
    assert about == ["Li2CO3 glass 2"]
