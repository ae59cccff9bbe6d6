"""Quantities that stand in a list of their document, such as the first ratio of a comparison."""

import json

import pytest
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.comparison.document import ComparisonDoc, ConductivityRatio
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import load_documents
from vitrion.store.job_store import open_job_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    ratios = [
        ConductivityRatio(temperature_K=t, extrapolated=False, lower_bound=v)
        for t, v in ((300.0, 5.0), (500.0, 2.0))
    ]
    with open_job_store(folder) as store:
        load_documents(store, [ComparisonDoc(ratios=ratios)])
    return folder


def test_they_are_returned_as_fields(folder):
    with VitrionClient(folder) as client:
        (found,) = client.comparison.search(fields="ratio_300K_bound")
        (raw,) = client.comparison.raw(fields=["ratios.1.temperature_K"])
    assert found.ratio_300K_bound == 5.0
    assert raw["ratios"] == [{"temperature_K": 300.0}, {"temperature_K": 500.0}]


def test_a_table_shows_them(folder):
    words = ["query", "-k", "comparison", "--fields", "ratio_300K_bound", "--store", str(folder)]
    assert CliRunner().invoke(app, words).output.split()[-1] == "5"


def test_the_service_returns_them(folder):
    pytest.importorskip("fastapi", reason="needs the extra 'serve'")
    from fastapi.testclient import TestClient

    from vitrion.service.rest import make_app

    with VitrionClient(folder) as client:
        web = TestClient(make_app(client.collections), base_url="http://localhost")
        answer = web.get("/comparison/", params={"_fields": "ratio_300K_bound"})
    (document,) = json.loads(answer.text)["data"]
    assert document["ratios"][0] == {"lower_bound": 5.0}
