"""A store that is moved brings its large objects and its trajectories along."""

import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MongoStore
from maggma.stores.gridfs import GridFSStore

from helpers.campaign import server_of
from helpers.sample_documents import make_hopping
from vitrion.database import file_archive
from vitrion.database.builders import build
from vitrion.database.collections import Collections, find_job_store
from vitrion.database.file_archive import fetch_file
from vitrion.database.move import copy_store
from vitrion.errors import StoreError
from vitrion.potentials.spec import sha256_of
from vitrion.store.job_store import FILES_STORE, open_job_store


def on_server(uri, database):
    common = server_of(uri, database)
    grids = {
        name: GridFSStore(collection_name=f"{name}_blobs", key="blob_uuid", **common)
        for name in ("data", FILES_STORE)
    }
    return JobStore(MongoStore(collection_name="outputs", **common), grids)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A store with outputs, large objects and a trajectory of several parts."""
    monkeypatch.setattr(file_archive, "PART_BYTES", 1000)
    path = tmp_path / "run" / "a.h5"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * 20)
    reference = {
        "path": str(path),
        "host": "here",
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }
    with open_job_store(tmp_path / "old") as store:
        jobs = [make_hopping(["Li", "F"], b, "amorphous") for b in (0.2, 0.3)]
        run_locally(Flow(jobs), store=store, ensure_success=True)
        store.update(
            {"uuid": "run", "index": 1, "output": {"trajectory": reference}, "completed_at": "x"}
        )
        file_archive.put_file(reference, store.additional_stores[FILES_STORE])
    path.unlink()
    return find_job_store(tmp_path / "old"), reference


@pytest.mark.parametrize("kind", ["embedded", "server"])
def test_a_moved_store_is_whole(source, kind, tmp_path, request):
    old, reference = source
    if kind == "embedded":
        new = open_job_store(tmp_path / "new")
    else:
        names = ("mongo_uri", "mongo_database")
        new = on_server(*(request.getfixturevalue(name) for name in names))
    with old, new:
        report = copy_store(old, new)
        assert (report.outputs, report.large_objects, report.files) == (3, 2, 1)
        assert report.damaged == report.not_archived == []
        again = copy_store(old, new)
        assert (again.outputs, again.large_objects, again.files) == (3, 0, 0)
        loaded = list(new.query({"name": "make_hopping"}, load=True))
        assert sorted(doc["output"]["barrier_eV"] for doc in loaded) == [0.2, 0.3]
        for doc in loaded:
            (before,) = old.query({"uuid": doc["uuid"]}, load=True)
            assert str(doc["output"]["rates"]) == str(before["output"]["rates"]), "one is NaN"
            assert len(doc["output"]["rates"]) > 10
        kept = fetch_file(reference, new.additional_stores[FILES_STORE], tmp_path / "cache")
        assert kept.stat().st_size == 5120
    with Collections(new) as collections:
        assert build(collections).written["test_hopping"] == 2


def test_what_is_damaged_is_named_and_not_copied(source, tmp_path):
    old, reference = source
    with old, open_job_store(tmp_path / "new") as new:
        files = old.additional_stores[FILES_STORE]
        part = files.query_one({"blob_uuid": f"{reference['sha256']}-1"})
        files.update({**part, "data": "AAAA"}, key="blob_uuid")
        old.update({"uuid": "b", "index": 1, "output": {**reference, "sha256": "1" * 64}})
        report = copy_store(old, new)
        assert report.damaged == report.not_archived == [reference["path"]]
        assert new.additional_stores[FILES_STORE].count() == 0
        assert new.count() == 4


def test_a_target_without_a_store_is_refused(source):
    old, _ = source
    from maggma.stores import MemoryStore

    with old, JobStore(MemoryStore()) as new, pytest.raises(StoreError, match="no store 'data'"):
        copy_store(old, new)


def test_missing_large_objects_are_named(source, tmp_path):
    old, _ = source
    with old, open_job_store(tmp_path / "new") as new:
        names = sorted(old.additional_stores["data"].distinct("blob_uuid"))
        assert sorted(copy_store(JobStore(old.docs_store), new).damaged) == names
        old.additional_stores["data"].remove_docs({})
        assert sorted(copy_store(old, new).damaged) == names
