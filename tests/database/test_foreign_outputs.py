"""Our documents are found, whatever the jobs of other packages leave in the JobStore."""

import json
import math
from datetime import datetime
from uuid import uuid4

import bson
import pytest
from bson import Code, MaxKey, Regex
from jobflow import JobStore
from maggma.stores import MemoryStore, MongoURIStore
from monty.json import jsanitize
from pymatgen.core import Lattice, Structure
from pymongo import MongoClient

from helpers.mongo_process import mongodb
from helpers.sample_documents import hopping
from vitrion.cli.database import build as build_command
from vitrion.cli.database import query as query_command
from vitrion.database.admission import RESERVED, NotADocumentError, admit
from vitrion.database.builders import build, build_if_changed
from vitrion.database.client import VitrionClient
from vitrion.database.collections import Collections, find_job_store
from vitrion.database.move import copy_store
from vitrion.defects.document import DefectDoc
from vitrion.errors import DamagedDocumentsError, StoreError
from vitrion.store.criteria import MAX_BYTES
from vitrion.store.job_store import FILE_NAME, open_job_store
from vitrion.store.sqlite_store import SQLiteStore


def output(**changes):
    return {**hopping(["Li", "F"], 0.3, "amorphous").model_dump(), **changes}


REFERENCE = {"blob_uuid": "missing", "store": "data", "@class": "", "@module": ""}
NESTED: dict = {}
for _ in range(150):
    NESTED = {"a": NESTED}

LEFT_OUT = {  # they say that they are one of our documents
    "a list": [output()],
    "two in a list": [output(), {"property_name": "test_density"}],
    "nothing else": {"property_name": "test_hopping"},
    "last_updated is a word": output(last_updated="today"),
    "last_updated is a list": output(last_updated=[1]),
    "last_updated is a document": output(last_updated={"$date": 0}),
    "no last_updated": output(last_updated=None),
    "a time after the last one": output(last_updated="9999-12-31T23:59:59-12:00"),
    "a barrier that is a word": output(barrier_eV="high"),
    "a barrier that is a list": output(barrier_eV=[0.3]),
    "no barrier": {k: v for k, v in output().items() if k != "barrier_eV"},
    "a phase that does not exist": output(phase="gaseous"),
    "a phase that is a number": output(phase=3),
    "a formula that is none": output(formula_pretty="not a formula"),
    "a formula of brackets": output(formula_pretty="(" * 5000),
    "an infinite formula": output(formula_pretty="Li1e400"),
    "a formula that is a number": output(formula_pretty=5),
    "a null character": output(formula_pretty="Li\0F"),
    "a null character in an identifier": output(material_id="mp\0-1"),
    "a line break in an identifier": output(material_id="mp-1\n"),
    "an identifier that is a list": output(material_id=["mp-1"]),
    "elements that are a number": output(elements=3),
    "elements that do not exist": output(elements=["Xx"]),
    "provenance that is a word": output(provenance="mine"),
    "a potential that is a list": output(provenance={"potential": [1]}),
    "deprecated is a word": output(deprecated="perhaps"),
    "a structure that is a word": output(structure="LiF"),
    "a structure that is empty": output(structure={}),
    "a structure of nothing": output(structure={"lattice": {}, "sites": []}),
    "a quantity that is a list": output(rate_300K=[1]),
    "a potential of nothing": {"property_name": "potential"},
    "a potential in a list": [{"property_name": "potential", "name": "a"}],
    "nested": output(rate_300K=NESTED),
    "a barrier that is the text of a number": output(barrier_eV="0.3"),
    "a barrier that is a flag": output(barrier_eV=True),
    "deprecated is a number": output(deprecated=0),
    "a field with the name of an operator": output(**{"$set": {"barrier_eV": 1}}),
    "a barrier that is bytes": output(barrier_eV=b"0.3"),
    "a very long identifier": output(material_id="m" * 201),
    "a reference as identifier": output(material_id=REFERENCE),
    "a reference as barrier": output(barrier_eV=REFERENCE),
    "a reference as time": output(last_updated=REFERENCE),
    "half a reference as phase": output(phase={"blob_uuid": "x"}),
}
UNRESOLVED = {  # documents, of which a part is missing
    "half a reference": output(additional_fields={"note": {"blob_uuid": ["x"]}}),
    "a reference to nothing": output(structure=REFERENCE),
    "a reference to no store": output(structure={**REFERENCE, "store": "nowhere"}),
}
IGNORED = {  # nobody asks for them
    "another kind": {"property_name": "theirs", "formula_pretty": "LiF", "phase": "amorphous"},
    "the kind outputs": {"property_name": "outputs", "uuid": "x"},
    "the kind blobs": output(property_name="blobs"),
    "the kind builds": output(property_name="builds"),
    "the kind fireworks": output(property_name="fireworks"),
    "the kind summary": output(property_name="summary", document_id="LiF:amorphous"),
    "a kind that is a list": output(property_name=["test_density"] * 2 + ["x"]),
    "a kind that is a number": output(property_name=3),
    "a kind that is empty": output(property_name=""),
    "a kind with a null character": output(property_name="a\0b"),
    "a kind with a dollar": output(property_name="$where"),
    "a kind of a path": output(property_name="../../etc/passwd"),
    "nothing": None,
    "a number": 5,
    "a word": "conductivity",
    "bytes": b"\x00\x01",
    "an empty list": [],
    "an empty document": {},
}


def entry(name, content, **changes):
    stamp = {"uuid": name, "index": 1, "completed_at": "2026-01-01", "name": "job"}
    return {**stamp, "output": content, **changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with open_job_store(folder) as store:
        entries = [entry(name, content) for name, content in {**LEFT_OUT, **IGNORED}.items()]
        entries += [
            entry("index is a word", output(), index="one"),
            entry("no index", output(), index=None),
            entry("uuid is a list", output(), uuid=["a"]),
            entry("uuid with a line break", output(), uuid="a\n\x1b[31m"),
            entry("a very long uuid", output(), uuid="u" * 10**6),
            entry("completed_at is a number", output(barrier_eV=0.7), completed_at=5),
            entry("time as a text", output(barrier_eV=0.8, last_updated="2026-01-01T00:00:00Z")),
            entry("good", output()),
        ]
        store.docs_store.update(entries, key=["uuid", "index"])
    return folder


def test_ours_are_found_and_the_others_are_named(folder, capsys):
    with Collections(find_job_store(folder)) as collections:
        before = collections.job_store.docs_store.count()
        report = build(collections)
        found = {doc["document_id"]: doc for doc in collections.store("test_hopping").query({})}
        assert set(found) == {"good", "completed_at is a number", "time as a text"}
        assert found["time as a text"]["last_updated"] == datetime(2026, 1, 1)
        (summary,) = collections.store("summary").query({})
        assert len(summary["document_ids"]["test_hopping"]) == 3
        named = set(report.skipped["test_hopping"]) | set(report.skipped["potential"])
        assert named >= set(LEFT_OUT)
        assert not named & (set(IGNORED) | {"good"})
        assert all(
            len(reason) < 400 for kind in report.skipped.values() for reason in kind.values()
        )
        assert collections.job_store.docs_store.count() == before
        assert build_if_changed(collections).written == {}
        rows = collections.job_store.docs_store.file.rows("SELECT DISTINCT collection FROM docs")
        assert {row[0] for row in rows} == {"outputs", "test_hopping", "summary", "builds"}
    build_command(folder)
    said = capsys.readouterr().out
    assert "a barrier that is a word: its field 'barrier_eV' is wrong" in said
    assert "\x1b" not in said
    assert len(max(said.splitlines(), key=len)) < 700


def test_an_empty_search_counts_outputs_that_are_not_documents(tmp_path, capsys):
    with open_job_store(tmp_path) as store:
        wrong = entry("a barrier that is a word", output(barrier_eV="high"))
        store.docs_store.update([wrong], key=["uuid", "index"])
    query_command(kind="test_hopping", store=tmp_path)
    said = capsys.readouterr().out
    assert "No documents found. Skipped: 1 output of this kind, not valid as a document" in said


def test_the_client_opens_and_finds_ours(folder):
    with VitrionClient(folder) as client:
        assert {doc.barrier_eV for doc in client.test_hopping.search()} == {0.3, 0.7, 0.8}
        assert client.summary.count() == 1


def test_documents_with_missing_parts_hide_no_others(tmp_path, capsys):
    with open_job_store(tmp_path / "a") as store:
        entries = [entry(name, content) for name, content in UNRESOLVED.items()]
        store.docs_store.update([*entries, entry("good", output())], key=["uuid", "index"])
    with VitrionClient(tmp_path / "a") as client:
        found: list[dict] = []
        with pytest.raises(StoreError, match="document a reference to no"):
            found.extend(client.test_hopping.raw())
        assert {document["document_id"] for document in found} == {"good", "half a reference"}
        assert client.test_hopping.get("half a reference").additional_fields["note"]
        assert client.test_hopping.search(document_id="good")
    query_command(kind="test_hopping", store=tmp_path / "a", fields="document_id,barrier_eV")
    said = capsys.readouterr().out
    assert all(name in said for name in [*UNRESOLVED, "good"])
    with open_job_store(tmp_path / "a") as source, open_job_store(tmp_path / "b") as target:
        assert copy_store(source, target).outputs == 4


@pytest.mark.parametrize("name", sorted(RESERVED - {"builds"}))
def test_reserved_names_are_not_kinds(folder, name):
    with (
        Collections(find_job_store(folder)) as collections,
        pytest.raises(StoreError, match="has that name"),
    ):
        collections.store(name)


def test_a_collection_of_somebody_else_is_left_alone(tmp_path):
    with open_job_store(tmp_path) as store:
        store.docs_store.update(entry("good", output()))
    with SQLiteStore(str(tmp_path / FILE_NAME), "test_hopping") as theirs:
        theirs.update({"task_id": "mine", "n": 1})
    with (
        Collections(find_job_store(tmp_path)) as collections,
        pytest.raises(StoreError, match="own"),
    ):
        build(collections)
    with SQLiteStore(str(tmp_path / FILE_NAME), "test_hopping") as theirs:
        assert list(theirs.query({})) == [{"task_id": "mine", "n": 1}]
        assert "barrier_eV" not in theirs._fields(), "no index of ours"


def damage(folder, collection, key):
    with SQLiteStore(str(folder / FILE_NAME), collection, key=key[0]) as store:
        (number,) = store._select({key[0]: key[1]}, {}, 0, 0)
        body = store.file.rows("SELECT body FROM docs WHERE id = ?", (number,))[0][0]
        broken = body[:1] + b"\xff" * (len(body) - 1)
        store.file.rows("UPDATE docs SET body = ? WHERE id = ?", (broken, number))


def test_a_damaged_document_is_named_and_hides_no_other(tmp_path):
    with open_job_store(tmp_path) as store:
        store.docs_store.update([entry(f"job-{i}", output(barrier_eV=i / 10)) for i in range(5)])
    with VitrionClient(tmp_path) as client:
        assert client.test_hopping.count() == 5
    damage(tmp_path, "outputs", ("uuid", "job-2"))
    with open_job_store(tmp_path) as store:
        for criteria in ({}, {"output.barrier_eV": {"$lt": 9}}):
            read: list[dict] = []
            with pytest.raises(DamagedDocumentsError, match="job-2"):
                read.extend(store.docs_store.query(criteria))
            assert len(read) == 4
        assert store.docs_store.count({"output.barrier_eV": {"$lt": 9}}) == 4
        store.docs_store.remove_docs({"output.barrier_eV": 99})
        assert store.docs_store.count() == 5, "what cannot be read is not removed"
        store.docs_store.update(entry("job-9", output(barrier_eV=0.9)))
    with VitrionClient(tmp_path) as client:
        assert client.test_hopping.count() == 6, "the document of the damaged output stays"
    damage(tmp_path, "test_hopping", ("document_id", "job-3"))
    with VitrionClient(tmp_path, build=False) as client:
        seen: list[dict] = []
        with pytest.raises(DamagedDocumentsError, match="job-3"):
            seen.extend(client.test_hopping.raw())
        assert len(seen) == 5
    with Collections(find_job_store(tmp_path)) as collections:
        assert build(collections).written["test_hopping"] == 1, "written again from its output"
        assert build(collections).skipped == {
            "test_hopping": {"job-2": "its stored content is damaged"}
        }
    with open_job_store(tmp_path) as store:
        store.docs_store.update(entry("job-2", output(barrier_eV=0.2)))
        assert store.docs_store.count({"output.barrier_eV": {"$lt": 9}}) == 6


@pytest.mark.parametrize("number", range(3))
def test_potentials_are_listed_beside_a_damaged_document(tmp_path, number):
    names = ["vitrion-lipof", "vitrion-lipof", "chgnet"]
    documents = [hopping(["Li", "F"], 0.3, "amorphous", name).model_dump() for name in names]
    with open_job_store(tmp_path) as store:
        store.docs_store.update([entry(f"job-{i}", one) for i, one in enumerate(documents)])
    with VitrionClient(tmp_path) as client:
        assert client.potential.count() == 2
    for collection, key in (("outputs", "uuid"), ("test_hopping", "document_id")):
        damage(tmp_path, collection, (key, f"job-{number}"))
    with open_job_store(tmp_path) as store:
        store.docs_store.update(entry("job-9", documents[0]))
    with VitrionClient(tmp_path) as client:
        assert client.potential.count() == (1 if names[number] == "chgnet" else 2)
        seen: list[dict] = []
        with pytest.raises(DamagedDocumentsError, match=f"job-{number}"):
            seen.extend(client.test_hopping.raw())
        assert len(seen) == 3


def test_a_store_in_memory_is_treated_alike():
    outputs = MemoryStore(key="uuid")
    store = JobStore(outputs)
    with store:
        outputs.update([entry(n, c) for n, c in LEFT_OUT.items() if n != "nested"], key="uuid")
        outputs.update(entry("good", output()))
        with Collections(store) as collections:
            report = build(collections)
            assert report.written == {"test_hopping": 1, "summary": 1}


def test_a_reference_to_structures_by_name_is_a_document(tmp_path):
    """Its large object is a mapping, and validation would read the reference as one."""
    host = Structure(Lattice.cubic(4.0), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    document = DefectDoc.from_structure(
        host,
        phase="crystalline",
        mobile_species="Li",
        host_energy_eV=-1.0,
        host_max_force_eV_per_A=0.01,
        sites=[],
        records=[],
        relaxed_structures={"vacancy 1": host},
    )
    reference = {"@class": "", "@module": "", "blob_uuid": "1", "store": "data"}
    content = {**jsanitize(document.model_dump(), strict=True), "relaxed_structures": reference}
    output = {"uuid": "u", "index": 1, "output": content}
    assert admit(output, DefectDoc)["relaxed_structures"] == reference
    wrong = {**content, "records": [reference, {"kind": "nonsense"}]}
    with pytest.raises(NotADocumentError, match=r"records\.1"):
        admit({**output, "output": wrong}, DefectDoc)


def test_a_document_that_cannot_be_stored_prevents_no_other(tmp_path):
    """With its name and its job it is larger than the store takes."""
    large = entry("a" * 150, output(additional_fields={"note": ""}))
    large["output"]["additional_fields"]["note"] = "x" * (MAX_BYTES - 10 - len(bson.encode(large)))
    with open_job_store(tmp_path) as store:
        store.docs_store.update([large, entry("good", output())], key=["uuid", "index"])
        with Collections(store) as collections:
            report = build(collections)
            assert report.written["test_hopping"] == 1
            assert "larger than the 16 MB" in report.skipped["test_hopping"]["a" * 150]
            assert build(collections).written == {}


def test_an_output_with_an_identifier_of_a_database_is_a_document():
    """MongoDB takes each ``_id`` once, and never a list."""
    name = f"vitrion_test_{uuid4().hex[:12]}"
    contents = {"a": "same", "b": "same", "c": [1], "d": {"a": 1}}
    entries = [entry(uuid, output(_id=value)) for uuid, value in contents.items()]
    entries.append(entry("e", output(), completed_at=math.nan))
    with mongodb() as uri, MongoClient(uri) as client:
        client[name].outputs.insert_many(entries)
        with Collections(JobStore(MongoURIStore(uri, "outputs", database=name))) as collections:
            assert build(collections).written["test_hopping"] == 5
            assert build(collections).written == {}
        client.drop_database(name)


def test_values_without_json_are_exported_as_text(tmp_path, capsys):
    values = {"bytes": b"\xff", "code": Code("f()"), "largest": MaxKey(), "pattern": Regex("a")}
    with open_job_store(tmp_path) as store:
        store.docs_store.update(entry("a", output(additional_fields=values)))
    query_command(kind="test_hopping", store=tmp_path, output="jsonl")
    fields = json.loads(capsys.readouterr().out)["additional_fields"]
    assert fields["bytes"] == "ff"
    assert fields["code"] == "f()"
