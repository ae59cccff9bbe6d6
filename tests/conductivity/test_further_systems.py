"""Further systems that cannot be made; `launchpad/test_further_systems.py` has some that can."""

import pytest

from helpers.gases import differing_gases
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.segments import Schedule
from vitrion.runtime.runner import run_flow
from vitrion.store.job_store import SQLiteJobStore


@pytest.mark.parametrize(
    ("fails", "completed", "errors"),
    [
        ("empty", ["conductivity", "make_gases"], {}),
        ("error", ["conductivity"], {"make_error": "no gas"}),
    ],
)
def test_systems_that_cannot_be_made_are_not_asked_for_again(tmp_path, fails, completed, errors):
    measured = differing_gases(tmp_path / "runs", fails=fails)
    store = SQLiteJobStore(str(tmp_path / "store"))
    store.connect()
    report = run_flow(measured, store, tmp_path / "flow")
    assert report.errors == errors
    assert report.completed.count("make_gases") == completed.count("make_gases")
    assert set(report.completed) == set(completed)
    found = store.query({"uuid": measured.uuid}, sort={"index": 1}, load=True)
    documents = [ConductivityDoc.model_validate(each["output"]) for each in found]
    asked = [document.plan.more_systems for document in documents]
    assert asked == [2] + [0] * (len(asked) - 1)
    assert documents[-1].results[0].n_replicas == 3
    assert not documents[-1].plan.goes_on


def test_a_job_that_is_run_again_forgets_what_was_asked_for_after_it():
    schedule = Schedule(n_systems=3, iterations=[])
    schedule.request(3, 2)
    schedule.request(5, 3)
    assert schedule.n_requested(8) == 5
    schedule.request(3, 3)
    assert schedule.n_requested(6) == 3
