"""The commands about results, as a user types them."""

import csv
import io
import json

import pytest
from jobflow import Flow, run_locally
from rich.console import Console
from typer.testing import CliRunner

from helpers.sample_documents import make_density, make_hopping
from vitrion.cli import app
from vitrion.cli import database as cli_database
from vitrion.cli.database import parse_conditions
from vitrion.database.table_rows import FieldValue, with_bound
from vitrion.errors import InputError, StoreError
from vitrion.store.job_store import open_job_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    with open_job_store(folder) as store:
        jobs = [make_hopping(["Li", "F"], b, "amorphous", material_id=f"m{b}") for b in (0.2, 0.3)]
        jobs += [make_hopping(["Li", "O", "Li"], 0.5, "crystalline")]
        jobs += [make_density(["Li", "F"], "amorphous")]
        run_locally(Flow(jobs), store=store, ensure_success=True)
    return folder


def run(*words, folder=None):
    result = CliRunner().invoke(app, [*words, *(["--store", str(folder)] if folder else [])])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_query_shows_formulas_as_people_write_them(tmp_path, monkeypatch):
    monkeypatch.setattr(cli_database.console, "width", 200)
    ions = ["Li", "P", "O", "O", "F", "F"]
    with open_job_store(tmp_path) as store:
        run_locally(make_hopping(ions, 0.4, "amorphous"), store=store, ensure_success=True)
    table = run("query", "-k", "test_hopping", folder=tmp_path)
    assert "LiPO2F2" in table
    assert "LiP(OF)2" not in table
    for output in ("jsonl", "csv"):
        written = run("query", "-k", "test_hopping", "--format", output, folder=tmp_path)
        assert "LiPO2F2" in written
        assert "LiP(OF)2" not in written


def test_query_prints_a_table(folder, monkeypatch):
    monkeypatch.setattr(cli_database.console, "width", 200)
    text = run("query", "--kind", "test_hopping", "--sort", "-barrier_eV", folder=folder)
    lines = [line for line in text.splitlines() if "LiF" in line or "Li2O" in line]
    assert [line.split()[0] for line in lines] == ["Li2O", "LiF", "LiF"]
    assert "0.5" in lines[0]
    assert "barrier_eV" in text
    assert "test_hopping" in run("query", "--kind", "list", folder=folder)
    shown = run(
        "query", "--fields", "formula_pretty,rate_300K", "--sort", "-rate_300K", folder=folder
    )
    assert "rate_300K" in shown, "the name that sorts can be shown"
    assert "No documents found" in run("query", "--formula", "NaCl", folder=folder)


def test_a_wide_table_is_broken_turned_or_cut_and_never_torn(folder, monkeypatch):
    fields = "formula_pretty,phase,material_id,barrier_eV,measured"
    words = ("query", "-k", "test_hopping", "--fields", fields)
    heads = {}
    for width in (200, 60, 55, 40):
        monkeypatch.setattr(cli_database, "console", Console(width=width, markup=False))
        lines = run(*words, folder=folder).splitlines()
        assert all(len(line) <= width for line in lines if not line.startswith("Columns not shown"))
        assert not any("\u2026" in line for line in lines), "a name is torn"
        heads[width] = [line.split() for line in lines[: 2 if width < 200 else 1]]
        assert ("Columns not shown: barrier_eV, measured." in lines[-1]) == (width == 40)
    assert heads[200] == [fields.split(",")]
    assert heads[60] == heads[55]
    assert heads[55] == [
        ["formula_", "material_", "barrier_"],
        ["pretty", "phase", "id", "eV", "measured"],
    ]


def test_a_bound_is_shown_in_the_place_of_the_value():
    value, none, limit = FieldValue(0.2, (0.1, 0.4)), FieldValue(None), FieldValue(3.0)
    known = with_bound({"sigma_300K": value, "sigma_300K_bound": none})
    assert {name: cell.text for name, cell in known.items()} == {
        "sigma_300K": "0.20 (0.10 to 0.40)"
    }
    bounded = with_bound({"sigma_300K": none, "sigma_300K_bound": limit})
    assert {name: cell.text for name, cell in bounded.items()} == {"sigma_300K": "below 3.00"}
    assert with_bound({"sigma_300K_bound": limit}) == {"sigma_300K_bound": limit}


def test_query_exports(folder):
    words = (
        "query",
        "-k",
        "test_hopping",
        "barrier_eV<0.4",
        "measured=true",
        "--sort",
        "barrier_eV",
    )
    lines = run(*words, "-f", "jsonl", folder=folder).splitlines()
    documents = [json.loads(line) for line in lines]
    assert [document["barrier_eV"] for document in documents] == [0.2, 0.3]
    assert len(documents[0]["rates"]) == 51
    text = run(*words, "-f", "csv", "--fields", "barrier_eV,rate_300K.value", folder=folder)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["barrier_eV"]) for row in rows] == [0.2, 0.3]
    assert float(rows[0]["rate_300K.value"]) > float(rows[1]["rate_300K.value"])
    named = run(*words, "-f", "csv", "--fields", "barrier_eV,rate_300K", folder=folder)
    shown = list(csv.DictReader(io.StringIO(named)))
    assert [row["rate_300K"] for row in shown] == [row["rate_300K.value"] for row in rows]
    summary = run("query", "phase=amorphous", "elements=Li,F", "-f", "jsonl", folder=folder)
    assert len(summary.splitlines()) == 3


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_a_part_of_the_documents_is_never_taken_for_all(folder, form):
    words = ["query", "-k", "test_hopping", "-f", form, "--store", str(folder), "--limit"]
    part = CliRunner().invoke(app, [*words, "2"])
    assert "2 of 3 documents; --limit 0 returns all." in part.stderr
    assert "--limit" not in part.stdout
    for limit in ("0", "3"):
        assert not CliRunner().invoke(app, [*words, limit]).stderr


def test_build_says_what_it_did(folder):
    assert "up to date" in run("build", folder=folder)


def test_config_init_writes_files_once(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    text = run("config", "init", str(tmp_path / "c"), "--store", "embedded", "--queue", "pbs")
    assert "written  jobflow.yaml" in text
    assert f"export FW_CONFIG_FILE={tmp_path}/c/FW_config.yaml" in text
    assert "SQLiteJobStore" in (tmp_path / "c" / "jobflow.yaml").read_text()
    assert "kept     jobflow.yaml" in run("config", "init", str(tmp_path / "c"))


def test_conditions():
    assert parse_conditions(["a>=1", "b <= 2e-3", "c=x", "material_id=12", "d=false"]) == {
        "a_min": 1.0,
        "b_max": 2e-3,
        "c": "x",
        "material_id": ["12"],
        "d": False,
    }
    strict = parse_conditions(["a>1", "b < 0"])
    assert 1.0 < strict["a_min"] < 1.0 + 1e-15
    assert -1e-300 < strict["b_max"] < 0.0
    for wrong in ("a", "=3", "a=", ">1", "LiPO2F2"):
        with pytest.raises(InputError, match=r"not a condition: .*such as 'formula=LiPO2F2'"):
            parse_conditions([wrong])
    with pytest.raises(InputError, match="not a number"):
        parse_conditions(["a>b"])


def test_bad_input_is_one_sentence(folder, tmp_path):
    with pytest.raises(StoreError, match="no results"):
        run("query", folder=tmp_path)
    with pytest.raises(InputError, match="format"):
        run("query", "-f", "xml", folder=folder)
    with pytest.raises(InputError, match="must be one of"):
        run("query", "--phase", "plasma", folder=folder)
    file = tmp_path / "file"
    file.touch()
    for words in (
        ("schema", "--write", file),
        ("search", "LiF", "--output", file, "--store", tmp_path / "data"),
        ("report", "LiF", "--figures", file, "--store", tmp_path),
    ):
        with pytest.raises(InputError, match=r"cannot be created|is a file"):
            run(*map(str, words))
    assert not (tmp_path / "data").exists()
    with pytest.raises(InputError, match="leave out 'conductivity' or --write"):
        run("schema", "conductivity", "--write", str(tmp_path / "schemas"))
    with pytest.raises(InputError, match="Unknown kind of document 'nothing'"):
        run("query", "-k", "nothing", folder=folder)
    with pytest.raises(InputError, match="launchpad"):
        run("status", "-l", str(tmp_path / "my_launchpad.yaml"))
