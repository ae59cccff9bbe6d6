import pytest

from vitrion.errors import InputError
from vitrion.flows.request import RunRequest


def make(**options):
    return RunRequest(**{"formula": "LiPO2F2", "preset": "quick", **options})


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
        ({"temperatures_K": (-300,)}, "makes no sense"),
        ({"temperatures_K": (1e6,)}, "makes no sense"),
        ({"timestep_fs": 50}, "outside"),
        ({"timestep_fs": -1}, "outside"),
        ({"volume_per_atom_A3": 1.0}, "absurd"),
        ({"preset": "fast"}, "There is no preset"),
        ({"potential": "magic"}, "There is no potential"),
        ({"phase": "plasma"}, "phase"),
        ({"n_replicas": 0}, "n_replicas"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_starts(options, words):
    with pytest.raises(InputError, match=words) as caught:
        make(**options).checked()
    assert "\n" not in str(caught.value)
