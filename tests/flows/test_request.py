import pytest
from jobflow import Flow, job, run_locally
from pymatgen.core import Lattice, Structure

from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.errors import InputError
from vitrion.flows.presets import PRESETS
from vitrion.flows.request import RunRequest, find_documents, label_run, read_crystal
from vitrion.store.job_store import SQLiteJobStore

HALF = {"Li": 0.5}
DISORDERED = Structure(
    Lattice.cubic(4), [HALF, HALF, "F"], [[0, 0, 0], [0.2, 0, 0], [0.5] * 3]
).as_dict()


def make(**options):
    return RunRequest(**{"formula": "LiPO2F2", "preset": "quick", **options})


@job(output_schema=ConductivityDoc)
def conductivity(structure, bound):
    document = ConductivityDoc.from_results(structure, {}, phase="crystalline")
    document.sigma_300K_bound = bound
    return document


def test_defaults_are_written_out_and_name_the_run():
    request = make().checked()
    assert request.formula == "LiPO2F2"
    assert request.mobile == "Li"
    assert request.temperatures_K
    assert request.potential == "vitrion-lipof"
    assert request.potential_sha256
    assert request.run_id == make(mobile="Li").checked().run_id
    assert request.run_id != make(seed=1).checked().run_id
    assert request.run_id.startswith("LiPO2F2-both-")


def test_the_jobs_know_the_run_they_belong_to():
    request = make().checked()
    jobs = [job for job, _ in request.make_flow().iterflow()]
    assert {job.metadata["vitrion_request"] for job in jobs} == {request.run_id}
    assert len({job.name for job in jobs}) == len(jobs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"formula": "Nonsense"}, "not a chemical formula"),
        ({"formula": "LiPO2F3"}, "balance"),
        ({"formula": "P2O5"}, "mobile"),
        ({"formula": "NaPO2F2"}, "does not know Na"),
        ({"mobile": "K"}, "is not in LiPO2F2"),
        ({"mobile": "lithium"}, "is not in LiPO2F2"),
        ({"temperatures_K": (-300,)}, "makes no sense"),
        ({"temperatures_K": (1e6,)}, "makes no sense"),
        ({"timestep_fs": 50}, "outside"),
        ({"timestep_fs": -1}, "outside"),
        ({"volume_per_atom_A3": 1.0}, "absurd"),
        ({"preset": "fast"}, "There is no preset"),
        ({"potential": "magic"}, "There is no potential"),
        ({"phase": "plasma"}, "phase"),
        ({"n_replicas": 0}, "n_replicas"),
        ({"duration_ps": 0}, "duration_ps"),
        ({"formula": "LiF", "crystal": DISORDERED}, "partial occupancies: order it first"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_starts(options, words):
    with pytest.raises(InputError, match=words) as caught:
        make(**options).checked()
    assert "\n" not in str(caught.value)


def test_a_duration_is_kept_to():
    flow = make(preset="standard", duration_ps=20, phase="both").make_flow()
    makers = [job.maker for job, _ in flow.iterflow()]
    budgets = {
        maker.phase: (maker.first_ps, maker.budget_ps)
        for maker in makers
        if isinstance(maker, ConductivityMaker)
    }
    assert budgets == {"crystalline": (20, 20 * 4), "amorphous": (20, 20 * 4 * 3)}


def test_a_crystal_from_a_file_is_free_to_move(tmp_path):
    """Flags of a file would hold its atoms fixed in the relaxation, and name another run."""
    plain = "LiF\n1.0\n4 0 0\n0 4 0\n0 0 4\nLi F\n4 4\n{}Direct\n{}"
    places = ["0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0", ".5 0 0", "0 .5 0", "0 0 .5", ".5 .5 .5"]
    names = set()
    for flags, ends in (("", ""), ("Selective dynamics\n", " F F F")):
        file = tmp_path / "POSCAR"
        file.write_text(plain.format(flags, "".join(f"{place}{ends}\n" for place in places)))
        request = make(formula="LiF", crystal=read_crystal(str(file), "LiF"), phase="crystalline")
        names.add(request.checked().run_id)
    assert len(names) == 1


def test_a_preset_that_says_something_else_is_another_run(monkeypatch):
    before = make().checked().run_id
    changed = PRESETS["quick"].model_copy(update={"first_ps": 1.0})
    monkeypatch.setitem(PRESETS, "quick", changed)
    assert make().checked().run_id != before


def test_a_run_begun_afresh_is_told_once(tmp_path):
    salt = Structure(Lattice.cubic(4), ["Li", "F"], [[0, 0, 0], [0.5] * 3])
    with SQLiteJobStore(str(tmp_path)) as store:
        for bound in (1.0, 2.0):
            jobs = [conductivity(salt, bound), conductivity(salt, bound)]
            flow = Flow(jobs)
            label_run(flow, "LiF-both-0123456789")
            run_locally(flow, store=store, ensure_success=True)
        found = find_documents(store, "LiF-both-0123456789")["conductivity"]
        assert [document.sigma_300K_bound for document in found] == [2.0, 2.0]
        assert not find_documents(store, "LiF-both-other")
        assert "metadata.vitrion_request" in store.outputs._fields(), "others are not read for it"
