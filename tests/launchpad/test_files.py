"""Files that documents refer to survive in every kind of store, and nothing false comes back."""

import os
import socket
from uuid import uuid4

import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore, MongoStore, S3Store
from maggma.stores.gridfs import GridFSStore
from monty.json import jsanitize

from helpers.campaign import server_of
from helpers.sample_documents import make_conductivity
from vitrion.database import file_archive
from vitrion.database.builders import build
from vitrion.database.client import VitrionClient
from vitrion.database.collections import Collections
from vitrion.database.file_archive import archive, fetch_file, put_file
from vitrion.dynamics.document import FileReference
from vitrion.errors import StoreError
from vitrion.potentials.spec import sha256_of
from vitrion.store.job_store import SQLiteJobStore
from vitrion.store.sqlite_store import SQLiteStore


@pytest.fixture(scope="module")
def s3():
    """A simulated S3, which takes a second to start."""
    moto = pytest.importorskip("moto", reason="S3 is tested against moto")
    boto3 = pytest.importorskip("boto3")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with moto.mock_aws():
            yield boto3.client("s3", region_name="us-east-1")


@pytest.fixture(params=["sqlite", "gridfs", "s3"])
def store(request, tmp_path):
    if request.param == "sqlite":
        store = SQLiteStore(str(tmp_path / "files.sqlite"), key="blob_uuid")
    elif request.param == "gridfs":
        uri = request.getfixturevalue("mongo_uri")
        database = request.getfixturevalue("mongo_database")
        store = GridFSStore(collection_name="files", key="blob_uuid", **server_of(uri, database))
    else:
        bucket = f"files-{uuid4().hex[:12]}"
        request.getfixturevalue("s3").create_bucket(Bucket=bucket)
        store = S3Store(MemoryStore(key="blob_uuid"), bucket, key="blob_uuid")
    JobStore(MemoryStore(), {"files": store})  # sets its fields as jobflow does
    store.connect()
    yield store
    store.close()


def write_file(folder, size, name="md.vtraj.h5"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


def reference_to(path, host=None):
    return FileReference(
        path=str(path),
        host=host or socket.gethostname(),
        size_bytes=path.stat().st_size,
        sha256=sha256_of(path),
    )


@pytest.mark.parametrize("size", [0, 5, 3000, 2500])
def test_a_file_comes_back_as_it_was(store, tmp_path, size, monkeypatch):
    monkeypatch.setattr(file_archive, "PART_BYTES", 1000)
    path = write_file(tmp_path / "run", size)
    content, reference = path.read_bytes(), reference_to(path)
    assert put_file(reference, store) is True
    assert put_file(reference, store) is False
    assert fetch_file(reference, None, tmp_path / "cache") == path, "it is where it was"
    path.unlink()
    kept = fetch_file(reference, store, tmp_path / "cache")
    assert kept.read_bytes() == content
    assert kept.name == path.name
    assert fetch_file(reference, None, tmp_path / "cache") == kept, "fetched once"
    kept.write_bytes(b"damaged")
    assert fetch_file(reference, store, tmp_path / "cache").read_bytes() == content


def test_a_copy_that_was_cut_off_is_made_again(store, tmp_path, monkeypatch):
    monkeypatch.setattr(file_archive, "PART_BYTES", 1000)
    path = write_file(tmp_path / "run", 2500)
    reference = reference_to(path)
    whole = file_archive._put_part

    def cut(store, digest, part, data):
        if part == 2:
            raise KeyboardInterrupt
        whole(store, digest, part, data)

    monkeypatch.setattr(file_archive, "_put_part", cut)
    with pytest.raises(KeyboardInterrupt):
        put_file(reference, store)
    monkeypatch.setattr(file_archive, "_put_part", whole)
    content = path.read_bytes()
    moved = path.rename(tmp_path / "moved")
    with pytest.raises(StoreError, match="not here and in no store"):
        fetch_file(reference, store, tmp_path / "cache")
    moved.rename(path)
    assert put_file(reference, store) is True
    path.unlink()
    assert fetch_file(reference, store, tmp_path / "cache").read_bytes() == content


def test_a_failed_download_leaves_no_file(store, tmp_path, monkeypatch):
    path = write_file(tmp_path / "run", 100)
    reference = reference_to(path)
    put_file(reference, store)
    path.unlink()

    def broken(store, digest):
        yield b"start"
        raise ConnectionError

    monkeypatch.setattr(file_archive, "content_parts", broken)
    with pytest.raises(ConnectionError):
        fetch_file(reference, store, tmp_path / "cache")
    assert [entry for entry in (tmp_path / "cache").rglob("*") if entry.is_file()] == []


def test_false_content_and_references_are_refused(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite"), key="blob_uuid") as store:
        path = write_file(tmp_path / "run", 100)
        reference = reference_to(path)
        put_file(reference, store)
        path.write_bytes(b"changed")
        fake = reference.model_copy(update={"sha256": "0" * 64})
        with pytest.raises(StoreError, match="gone or has changed"):
            put_file(fake, store)
        part = store.query_one({"blob_uuid": f"{reference.sha256}-0"})
        store.update({**part, "data": "AAAA"})
        with pytest.raises(StoreError, match="is damaged"):
            fetch_file(reference, store, tmp_path / "cache")
        assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []
        for digest in ("../../etc", "x" * 64, ""):
            wrong = reference.model_copy(update={"sha256": digest})
            with pytest.raises(StoreError, match="no SHA-256"):
                fetch_file(wrong, store, tmp_path / "cache")


def test_a_document_cannot_choose_where_files_are_written(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite"), key="blob_uuid") as store:
        path = write_file(tmp_path / "run", 100)
        reference = reference_to(path)
        put_file(reference, store)
        path.unlink()
        evil = reference.model_copy(update={"path": str(tmp_path / "cache/../../evil/x.h5")})
        kept = fetch_file(evil, store, tmp_path / "cache")
        assert kept.is_relative_to(tmp_path / "cache")


def test_the_trajectories_of_documents_are_archived(tmp_path):
    job_store = SQLiteJobStore(str(tmp_path / "results"))
    here = write_file(tmp_path / "run", 100, "a.h5")
    gone = write_file(tmp_path / "run", 100, "b.h5")
    shared = write_file(tmp_path / "run", 200, "c.h5")
    trajectories = [
        reference_to(here).model_dump(),
        reference_to(gone).model_dump(),
        {**reference_to(here, host="elsewhere").model_dump(), "sha256": "1" * 64},
        reference_to(shared, host="elsewhere").model_dump(),
    ]
    gone.unlink()
    trajectories = [
        {**reference, "n_frames": 2, "n_atoms": 1, "frame_interval_fs": 1.0}
        for reference in trajectories
    ]
    output = jsanitize(make_conductivity.original(), strict=True, allow_bson=True)
    output["trajectories"] = {"700": trajectories}
    with Collections(job_store) as collections:
        job_store.update({"uuid": "a", "index": 1, "output": output, "completed_at": "x"})
        build(collections)
        report = archive(collections)
        assert (len(report.stored), len(report.elsewhere), len(report.missing)) == (2, 1, 1)
        assert archive(collections).present == [str(here), str(shared)]
        here.unlink()
        client = VitrionClient(job_store)
        assert client.fetch(trajectories[0], tmp_path / "cache").stat().st_size == 100
    without = JobStore(SQLiteStore(str(tmp_path / "other.sqlite"), "outputs"))
    with Collections(without) as without, pytest.raises(StoreError, match="no store for files"):
        archive(without)


def test_mongo_store_is_a_job_store_docs_store(mongo_uri, mongo_database):
    server = server_of(mongo_uri, mongo_database)
    store = JobStore(MongoStore(collection_name="outputs", **server))
    with Collections(store) as collections:
        assert collections.store("conductivity").count() == 0
