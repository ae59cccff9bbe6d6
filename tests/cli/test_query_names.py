"""The names that filter and sort can be shown, too."""

import csv
import io
import json

import pytest
from jobflow import Flow, run_locally
from typer.testing import CliRunner

from helpers.sample_documents import make_hopping
from vitrion.cli import app
from vitrion.cli.database import parse_conditions
from vitrion.database.client import VitrionClient
from vitrion.errors import InputError
from vitrion.store.job_store import open_job_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with open_job_store(folder) as store:
        jobs = [
            make_hopping(["Li", "F"], 0.3, "amorphous"),
            make_hopping(["Na", "F"], 0.4, "amorphous"),
        ]
        run_locally(Flow(jobs), store=store, ensure_success=True)
    return folder


def query(folder, *words):
    result = CliRunner().invoke(app, ["query", "--store", str(folder), *words])
    assert result.exception is None, result.exception
    return result.stdout


def test_figures_are_shown_under_their_short_names(folder):
    fields = "formula_pretty,rate_300K"
    text = query(folder, "--formula", "LiF", "--fields", fields, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row.keys() == {"document_id", "formula_pretty", "rate_300K"}
    assert float(row["rate_300K"]) > 0
    words = ("--sort=-rate_300K", "--format", "jsonl", "--fields", fields)
    rows = [json.loads(line) for line in query(folder, *words).splitlines()]
    assert [row["formula_pretty"] for row in rows] == ["LiF", "NaF"]
    assert rows[0]["rate_300K"] > rows[1]["rate_300K"]
    assert "rate_300K" in query(folder, "--fields", fields)


def test_the_client_takes_them_too(folder):
    with VitrionClient(folder) as client:
        names = ["formula_pretty", "barrier_eV", "rate_300K"]
        (found,) = client.summary.search(formula="LiF", fields=names)
        assert (found.formula_pretty, found.barrier_eV) == ("LiF", 0.3)
        assert found.rate_300K == client.summary.search(formula="LiF")[0].values["rate_300K"]
        with pytest.raises(InputError, match="did you mean 'barrier_eV'"):
            client.summary.search(fields=["barier_eV"])
        with pytest.raises(InputError, match="by 'barier_eV'; did you mean 'barrier_eV'"):
            client.summary.search(**parse_conditions(["barier_eV>0.1"]))
