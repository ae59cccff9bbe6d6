"""A conductivity asks for further systems, because the spread of the first ones dominates."""

from helpers.gases import BUDGET_PS, differing_gases
from vitrion.conductivity.document import ConductivityDoc
from vitrion.launchpad.submission import Submission, submit


def test_a_worker_makes_them_and_the_job_keeps_its_uuid(campaign):
    """They run as long as the first ones, within the budget."""
    measured = differing_gases(campaign.folder / "runs")
    store = campaign.job_store()
    submit([Submission(measured, "gases")], campaign.launchpad, store=store)
    campaign.work()
    states = [fw["state"] for fw in campaign.launchpad.fireworks.find()]
    assert set(states) == {"COMPLETED"}
    criteria = {"output.property_name": "conductivity"}
    found = list(store.query(criteria, sort={"index": 1}, load=True))
    store.close()
    assert {output["uuid"] for output in found} == {measured.uuid}
    documents = [ConductivityDoc.model_validate(output["output"]) for output in found]
    n_systems = [document.results[0].n_replicas for document in documents]
    assert n_systems[:2] == [3, 5]  # 21 ps are left, and one more takes 1 + 2 * (4 + 0.25) ps
    first, last = documents[0], documents[-1]
    assert first.plan.more_systems == 2
    assert first.plan.reason.endswith(": adding 2 systems, because they differ.")
    made = sum(document.plan.more_systems > 0 for document in documents)
    assert len(states) == len(documents) + made
    assert not last.plan.goes_on
    assert last.remarks == ["2 more"]
    spent_ps = sum(result.duration_ps for result in last.results) + 2 * (1.0 + 2 * 0.25)
    assert spent_ps <= BUDGET_PS + 1e-6
    assert last.plan.relative_error < first.plan.relative_error
