"""Files of documents: written, read and loaded into a store."""

import gzip
import json

import pytest
from jobflow import run_locally
from typer.testing import CliRunner

from helpers.sample_documents import hopping, make_hopping
from vitrion.cli import app
from vitrion.database.client import VitrionClient
from vitrion.database.document_file import load_documents, read_documents, write_documents
from vitrion.documents.provenance import utc_now
from vitrion.errors import InputError, StoreError
from vitrion.runtime import text_files
from vitrion.store.job_store import SQLiteJobStore, open_job_store

DOCUMENTS = [hopping(["Li", "F"], 0.3, "crystalline"), hopping(["Li", "Cl"], 0.4, "amorphous")]


@pytest.mark.parametrize("name", ["some.jsonl", "some.jsonl.gz"])
def test_documents_come_back_equal(tmp_path, name):
    write_documents(tmp_path / name, DOCUMENTS)
    found = read_documents(tmp_path / name)
    assert [one.model_dump_json() for one in found] == [d.model_dump_json() for d in DOCUMENTS]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_document_written_as_json_is_read(tmp_path):
    file = tmp_path / "defects.json"
    file.write_text(DOCUMENTS[0].model_dump_json(indent=1))
    assert [one.model_dump_json() for one in read_documents(file)] == [
        DOCUMENTS[0].model_dump_json()
    ]


def test_equal_documents_give_equal_files(tmp_path):
    write_documents(tmp_path / "a.jsonl.gz", DOCUMENTS)
    write_documents(tmp_path / "b.jsonl.gz", DOCUMENTS)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_folder_is_loaded_once_and_queried(tmp_path):
    files, folder = tmp_path / "files", tmp_path / "store"
    files.mkdir()
    for number, document in enumerate(DOCUMENTS):
        write_documents(files / f"{number}.jsonl.gz", [document])
    result = CliRunner().invoke(app, ["load", str(files), "--store", str(folder)])
    assert result.exit_code == 0, result.output
    assert "2 documents added, 0 already" in result.output
    again = CliRunner().invoke(app, ["load", str(files), "--store", str(folder)])
    assert "0 documents added, 2 already" in again.output
    for name in ("jobs.yaml", "jobs.json"):
        absent = tmp_path / name
        for words in (["load", str(files)], ["query"]):
            missing = CliRunner().invoke(app, [*words, "--store", str(absent)])
            assert isinstance(missing.exception, StoreError)
            assert "does not describe a JobStore" in str(missing.exception)
            assert not absent.exists()
    with VitrionClient(folder) as client:
        found = client["test_hopping"].search(sort="barrier_eV")
    assert [one.barrier_eV for one in found] == [0.3, 0.4]
    assert found[0].structure == DOCUMENTS[0].structure


def test_all_characters_of_a_text_come_back(tmp_path):
    document = hopping(["Li", "F"], 0.3, "crystalline", additional_fields={"by": "a\u2028b\x85c"})
    write_documents(tmp_path / "one.jsonl", [document])
    (found,) = read_documents(tmp_path / "one.jsonl")
    assert found.additional_fields == document.additional_fields


def export(folder, file, kind="test_hopping"):
    words = ["query", "-k", kind, "-f", "jsonl", "--store", str(folder)]
    file.write_text(CliRunner().invoke(app, words).stdout)


def test_a_document_that_comes_back_from_another_store_is_known(tmp_path):
    """It was a second document: independent runs could no longer be combined."""
    here, there = tmp_path / "here", tmp_path / "there"
    with open_job_store(here) as store:
        run_locally(make_hopping(["Li", "F"], 0.3, "crystalline"), store=store)
    export(here, tmp_path / "first.jsonl")
    with open_job_store(there) as store:
        assert load_documents(store, read_documents(tmp_path / "first.jsonl") * 2) == 1
    export(there, tmp_path / "second.jsonl")
    with open_job_store(here) as store:
        assert load_documents(store, read_documents(tmp_path / "second.jsonl")) == 0
    with VitrionClient(here) as client, VitrionClient(there) as other:
        (own,), (found,) = client.test_hopping.search(), other.test_hopping.search()
    assert found.document_id == own.document_id


def test_a_newer_version_of_a_loaded_document_replaces_it(tmp_path):
    versions = [DOCUMENTS[0], DOCUMENTS[0].model_copy(update={"last_updated": utc_now()})]
    for number, version in enumerate(versions):
        line = {**json.loads(version.model_dump_json()), "document_id": "a"}
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(line) + "\n")
    for expected, number in ((1, 0), (1, 1), (0, 0)):
        with open_job_store(tmp_path / "store") as store:
            assert load_documents(store, read_documents(tmp_path / f"{number}.jsonl")) == expected
    with VitrionClient(tmp_path / "store") as client:
        (found,) = client.test_hopping.search()
    assert found.last_updated == versions[1].last_updated


def test_summaries_are_not_loaded(tmp_path):
    with open_job_store(tmp_path / "store") as store:
        load_documents(store, DOCUMENTS)
    export(tmp_path / "store", tmp_path / "all.jsonl", "summary")
    with pytest.raises(InputError, match="is a summary, which is made from other documents"):
        read_documents(tmp_path / "all.jsonl")
    single = tmp_path / "one.json"
    single.write_text((tmp_path / "all.jsonl").read_text().splitlines()[0])
    with pytest.raises(InputError, match="is a summary, which is made from other documents"):
        read_documents(single)


def test_damaged_files_are_refused_in_one_sentence(tmp_path):
    file = tmp_path / "some.jsonl"
    write_documents(file, DOCUMENTS)
    file.write_text(file.read_text() + '{"property_name": "unheard of"}\n')
    with pytest.raises(InputError, match="is not a document of vitrion"):
        read_documents(file)
    zipped = tmp_path / "some.jsonl.gz"
    write_documents(zipped, DOCUMENTS)
    zipped.write_bytes(zipped.read_bytes()[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        read_documents(zipped)
    zipped.write_bytes(gzip.compress(b"[1, 2]\n"))
    with pytest.raises(InputError, match="Line 1"):
        read_documents(zipped)
    with pytest.raises(InputError, match=r"cannot be read: No such file or directory\.$"):
        read_documents(tmp_path / "none.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no"):
        read_documents(tmp_path / "empty")


def test_files_that_are_too_deep_or_too_large_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "deep.jsonl"
    file.write_text("[" * 100_000 + "\n")
    with pytest.raises(InputError, match="Line 1"):
        read_documents(file)
    monkeypatch.setattr(text_files, "MOST_CHARACTERS", 1000)
    packed = tmp_path / "large.jsonl.gz"
    packed.write_bytes(gzip.compress(b"{" * 2000))
    with pytest.raises(InputError, match="split it"):
        read_documents(packed)


def test_nothing_is_added_if_one_file_is_damaged(tmp_path):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    write_documents(good, DOCUMENTS)
    bad.write_text("no JSON\n")
    result = CliRunner().invoke(app, ["load", str(good), str(bad), "--store", str(tmp_path / "s")])
    assert result.exit_code == 1
    assert not (tmp_path / "s").exists()


def test_loading_counts_documents(tmp_path):
    store = SQLiteJobStore(str(tmp_path))
    store.connect()
    assert load_documents(store, DOCUMENTS) == 2
    assert load_documents(store, DOCUMENTS) == 0
    store.close()
