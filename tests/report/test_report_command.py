"""The command report, on a store and on files, and how documents find their report."""

import pytest
from jobflow import Flow, job, run_locally
from typer.testing import CliRunner

from vitrion.amorphous.melt_quench_settings import MeltQuenchSettings
from vitrion.cli import app
from vitrion.comparison.report_search import find_reports
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import read_document
from vitrion.documents.base import VitrionDoc
from vitrion.errors import InputError
from vitrion.materials.material import MaterialReport, add_documents
from vitrion.store.job_store import open_job_store


@job
def store_document(document: VitrionDoc):
    """Store a document that is at hand."""
    return document


@pytest.fixture(scope="module")
def folder(reports, tmp_path_factory):
    """Return a store with the crystal under an identifier, the glass under its formula alone."""
    folder = tmp_path_factory.mktemp("results")
    crystal, glass = reports
    named = crystal.conductivity.model_copy(update={"material_id": "mp-77"})
    later = named.last_updated.replace(year=2100)
    newer = named.model_copy(update={"last_updated": later, "sigma_300K_bound": 1.5})
    jobs = [store_document(d) for d in (named, newer, glass.conductivity, glass.glasses[0])]
    with open_job_store(folder) as store:
        run_locally(Flow(jobs), store=store, ensure_success=True)
    return folder


@pytest.fixture(scope="module")
def client(folder):
    with VitrionClient(folder) as client:
        yield client


def run(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_formula_and_identifier_find_crystal_and_glass(client):
    for name in ("LiPO2F2", "Li2P2O4F4", "mp-77"):
        found = find_reports(client, name)
        assert [(report.phase, report.material_id) for report in found] == [
            ("crystalline", "mp-77"),
            ("amorphous", None),
        ]
    crystal, glass = found
    assert crystal.conductivity.sigma_300K_bound == 1.5
    assert len(crystal.older) == 1
    assert len(glass.glasses) == 1


def test_phase_and_document_narrow_the_report(client):
    assert [r.phase for r in find_reports(client, "LiPO2F2", "amorphous")] == ["amorphous"]
    old = next(
        found["document_id"]
        for found in client.conductivity.raw(phase="crystalline", sort="last_updated", limit=1)
    )
    crystal = find_reports(client, old)[0]
    assert crystal.conductivity.sigma_300K_bound != 1.5
    assert crystal.older[0].sigma_300K_bound == 1.5


@pytest.mark.parametrize(
    ("name", "phase", "message"),
    [
        ("LiF", None, "nothing of 'LiF'"),
        ("no such thing", None, "nothing of"),
        ("LiPO2F2", "liquid", "in the phase 'liquid'"),
        ("LiPO2F2", "frozen", "must be one of"),
    ],
)
def test_what_is_not_there_is_said(client, name, phase, message):
    with pytest.raises(InputError, match=message):
        find_reports(client, name, phase)


def test_documents_of_files_join_their_material(client, reports, tmp_path):
    path = tmp_path / "polymorphs.json"
    path.write_text(reports[0].polymorphs.model_dump_json())
    found = add_documents(find_reports(client, "LiPO2F2"), [read_document(path)])
    assert [report.phase for report in found] == ["crystalline", "amorphous"]
    assert found[0].polymorphs.n_relaxations == 16
    assert found[0].conductivity.sigma_300K_bound == 1.5
    alone = add_documents([], [read_document(path)])
    assert [report.name for report in alone] == ["LiPO2F2 crystal"]


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"property_name": "amorphous"}'])
def test_a_file_that_is_not_a_document_is_refused(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(InputError, match="contains no document"):
        read_document(path)


def test_the_command_writes_page_and_figures(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("LiPO2F2", "--store", folder, "--figures", "figures", "-f", "png")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "LiPO2F2.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"arrhenius.png", "msd.png"} <= names
    assert all((tmp_path / "figures" / name).read_bytes()[:4] == b"\x89PNG" for name in names)


def test_two_names_of_one_material_show_it_once(folder, tmp_path):
    path = tmp_path / "page.html"
    done = run("LiPO2F2", "mp-77", "Li2P2O4F4", "-o", path, "--store", folder)
    assert done.output.split(": ")[0] == "LiPO2F2 crystal, LiPO2F2 glass"


def test_the_command_refuses_before_it_writes(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (("LiF",), ("LiPO2F2", "-f", "gif"), ("LiPO2F2", "-o", tmp_path)):
        done = run(*words, "--store", folder)
        assert isinstance(done.exception, InputError)
    assert list(tmp_path.iterdir()) == []
    done = run("glass.json", "--store", tmp_path / "nothing")
    assert str(done.exception) == "The file glass.json does not exist.", "and not: no store"
    (tmp_path / "file").write_text("")
    done = run("LiPO2F2", "-o", tmp_path / "file" / "page.html", "--store", folder)
    assert isinstance(done.exception, InputError)
    assert "cannot be written" in str(done.exception)


def test_replicas_are_made_in_one_way(reports):
    glasses = reports[1].glasses

    def made(glass, seed, rate, year):
        settings = MeltQuenchSettings(seed=seed, quench_rate_K_per_ps=rate)
        time = glass.last_updated.replace(year=year)
        return glass.model_copy(update={"settings": settings, "last_updated": time})

    old, other = made(glasses[0], 1, 10.0, 2001), made(glasses[1], 1, 100.0, 2002)
    again, second = made(glasses[0], 1, 100.0, 2003), made(glasses[1], 2, 100.0, 2004)
    report = MaterialReport.from_documents([old, second, again, other])
    assert [id(glass) for glass in report.glasses] == [id(again), id(second)]
    assert {id(glass) for glass in report.older} == {id(old), id(other)}
    asked = MaterialReport.from_documents([old, second, again, other], preferred=[old])
    assert [id(glass) for glass in asked.glasses] == [id(old)]
