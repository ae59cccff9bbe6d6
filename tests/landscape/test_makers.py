"""The jobs of defects, with the shipped potential."""

import pytest
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, jsanitize
from pymatgen.core import Lattice, Structure

from vitrion.comparison.cautions import cautions_of
from vitrion.defects.document import DefectDoc
from vitrion.errors import InputError, SimulationError
from vitrion.landscape.command import read_structure, run_defects
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.landscape.makers import DefectMaker, LandscapeMaker, join_landscape
from vitrion.landscape.study_settings import BarrierSettings, DefectSettings
from vitrion.materials.material import MaterialReport
from vitrion.report.draw import draw_figure
from vitrion.report.figures.site_energy_levels import landscape_figure

POTENTIAL = "vitrion-lipof"
SETTINGS = DefectSettings(
    kinds=("interstitial", "vacancy", "far"),
    max_sites=1,
    min_radius_A=1.6,
    supercell_side_A=7.5,
    fmax_eV_per_A=0.05,
    chemical_potential_eV=-1.95,
    barriers=BarrierSettings(n_between=1, fmax_eV_per_A=0.1),
)


@pytest.fixture
def lif() -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.06), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def store() -> JobStore:
    return JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})


def test_a_landscape_flow_runs_and_its_figure_is_drawn(lif, tmp_path):
    maker = LandscapeMaker(defect_maker=DefectMaker(potential=POTENTIAL, settings=SETTINGS))
    maker = MontyDecoder().process_decoded(jsanitize(maker, strict=True, enum_values=True))
    flow = maker.make(lif)
    memory = store()
    output = run_locally(flow, root_dir=tmp_path, create_folders=True, store=memory, log=False)
    defects = output[flow.jobs[0].uuid][1].output
    assert isinstance(defects, DefectDoc)
    assert defects.provenance.potential.name == POTENTIAL
    assert defects.provenance.job_uuids == [flow.jobs[0].uuid]
    stored = memory.docs_store.query_one({"uuid": flow.jobs[0].uuid})
    assert "blob_uuid" in stored["output"]["relaxed_structures"]
    network = defects.networks[0]
    # One kind of hop between the 4 Li of the cell, each with 12 neighbors.
    assert [hop.multiplicity for hop in network.hops] == [24]
    assert network.hops[0].length_A == pytest.approx(4.06 / 2**0.5, abs=1e-3)
    assert 0.1 < network.percolation[-1].barrier_eV < 1.5
    doc = output[flow.jobs[-1].uuid][1].output
    assert isinstance(doc, SiteEnergyLandscapeDoc)
    far = next(r for r in defects.records if r.separation == "far")
    assert doc.landscape_gap_eV.mean == pytest.approx(far.energy_eV)
    assert doc.percolating_barrier_eV.mean == network.percolation[0].barrier_eV
    assert doc.landscape_overlap.mean == 0
    draw_figure(landscape_figure([doc, doc], titles=["one", "two"]), tmp_path / "flat.png")
    assert (tmp_path / "flat.png").stat().st_size > 10_000


@job
def given(structures):
    return structures


@pytest.mark.parametrize("referred", [False, True])
def test_a_replica_that_fails_does_not_cost_the_landscape(lif, tmp_path, referred):
    """The landscape is of the others, and states which one is missing."""
    settings = SETTINGS.model_copy(update={"kinds": ("far",), "barriers": None})
    maker = LandscapeMaker(defect_maker=DefectMaker(potential=POTENTIAL, settings=settings))
    unknown = lif.copy()
    unknown.replace_species({"F": "Cl"})
    made = given([lif, unknown, lif])
    flow = maker.make(made.output if referred else [lif, unknown, lif])
    output = run_locally(
        Flow([made, flow]), root_dir=tmp_path, create_folders=True, store=store(), log=False
    )
    document = output[flow.jobs[-1].uuid][1].output
    assert (document.n_replicas, document.missing_replicas) == (2, [2])
    cautions = cautions_of([MaterialReport.from_documents([document])])
    assert [c.text for c in cautions if c.kind == "partial_landscape"] == [
        "The landscape is of 2 of 3 replicas: the defects of replica 2 failed."
    ]


@pytest.mark.parametrize(
    ("documents", "trajectories", "reason"),
    [
        ([None, None], ["run.vtraj.h5"], "the defects of all replicas failed"),
        (None, None, "an earlier step failed"),
    ],
)
def test_without_any_replica_the_reason_is_stated(documents, trajectories, reason):
    """With trajectories it was "list index out of range"."""
    with pytest.raises(SimulationError, match=f"There is no landscape, because {reason}"):
        join_landscape.original(documents, trajectories)


def test_settings_can_be_changed_on_a_flow(lif):
    flow = LandscapeMaker(defect_maker=DefectMaker(potential=POTENTIAL)).make([lif, lif])
    assert isinstance(flow, Flow)
    assert [job.name for job in flow.jobs] == ["defects 1", "defects 2", "join landscape"]
    flow.update_maker_kwargs({"root_dir": "/elsewhere"}, class_filter=DefectMaker)
    assert flow.jobs[0].maker.root_dir == "/elsewhere"


def test_a_landscape_without_far_pairs_is_refused(lif):
    maker = LandscapeMaker(
        defect_maker=DefectMaker(potential=POTENTIAL, settings=DefectSettings(kinds=("vacancy",)))
    )
    with pytest.raises(InputError, match="far"):
        maker.make(lif)


def test_the_command_writes_its_document_and_resumes(lif, tmp_path):
    lif.to(str(tmp_path / "LiF.cif"))
    structure = read_structure(str(tmp_path / "LiF.cif"))
    settings = DefectSettings(kinds=("vacancy",), supercell_side_A=7.5, chemical_potential_eV=-1.95)
    request = {"settings": settings, "directory": tmp_path / "out", "potential": POTENTIAL}
    report = run_defects(structure, **request)
    copy = DefectDoc.model_validate_json(report.path.read_text())
    assert copy.records == report.document.records
    assert dict(report.rows)["vacancy at 0 V"].endswith("1 distinct")
    cache = tmp_path / "out" / "defects.jsonl"
    before = cache.read_bytes()
    assert run_defects(structure, **request).document.records == report.document.records
    assert cache.read_bytes() == before


def test_bad_requests_are_refused_in_a_sentence(lif, tmp_path):
    with pytest.raises(InputError, match="neither a structure file"):
        read_structure("mp-0", find=lambda name: None)
    (tmp_path / "x.cif").write_text("nonsense")
    with pytest.raises(InputError, match="could not be read"):
        read_structure(str(tmp_path / "x.cif"))
    with pytest.raises(InputError, match="kinds is 'colour'"):
        DefectSettings(kinds=("frenkel", "colour"))
    assert DefectSettings(kinds=("frenkel", "vacancy")).kinds == ("near", "far", "vacancy")
    sodium = Structure(Lattice.cubic(4), ["Na", "F"], [[0, 0, 0], [0.5] * 3])
    with pytest.raises(InputError, match="does not know Na"):
        run_defects(sodium, directory=tmp_path, potential=POTENTIAL)


def test_carriers_of_barriers_are_computed(lif):
    """The sites of a mechanism come from its defects; interstitials that do not relax have none."""
    barriers = BarrierSettings(
        mechanisms=("vacancy", "interstitial"), n_between=1, fmax_eV_per_A=0.1, max_steps=1
    )
    settings = SETTINGS.model_copy(update={"kinds": ("far",), "barriers": barriers, "max_steps": 0})
    document = DefectMaker(potential=POTENTIAL, settings=settings).run(lif)
    assert {record.kind for record in document.records} >= {"vacancy", "interstitial"}
    assert [network.mechanism for network in document.networks] == ["vacancy"]


def test_a_job_that_runs_out_of_time_is_continued_to_the_same_result(lif, tmp_path):
    """Each job finishes what it began, and replaces itself; nothing is computed twice."""
    settings = SETTINGS.model_copy(update={"kinds": ("vacancy",), "barriers": None})
    maker = DefectMaker(potential=POTENTIAL, settings=settings)
    whole = maker.run(lif, tmp_path / "whole")
    short = DefectMaker(potential=POTENTIAL, settings=settings, walltime_s=1e-9)
    job = short.make(lif)
    output = run_locally(job, root_dir=tmp_path, create_folders=True, store=store(), log=False)
    answers = output[job.uuid]
    caches = list(tmp_path.glob(f"*/defects-{job.uuid}/defects.jsonl"))
    assert len(caches) == 1
    lines = caches[0].read_text().splitlines()
    assert len(answers) == len(lines) + 1  # one result a job, and one that puts them together
    assert len(lines) == len((tmp_path / "whole" / "defects.jsonl").read_text().splitlines())
    document = max(answers.items())[1].output
    assert document.records == whole.records
    assert document.reservoir == whole.reservoir
