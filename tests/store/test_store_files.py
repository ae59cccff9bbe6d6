"""The file of the embedded store: copied, full, damaged, on a disk that may only be read."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from bson import Decimal128

from vitrion.database.client import VitrionClient
from vitrion.errors import StoreError
from vitrion.store.job_store import FILE_NAME, open_job_store
from vitrion.store.sqlite_store import SQLiteStore

FILL = """
import sys
from vitrion.store.job_store import open_job_store
store = open_job_store(sys.argv[1])
for i in range(300):
    output = {"data": [i] * 500}
    store.update({"uuid": f"u{i}", "index": 1, "output": output}, save={"data": "data"})
if sys.argv[2] == "close":
    store.close()
"""


def documents(folder):
    with open_job_store(folder) as store:
        found = list(store.query({}, load=True))
    assert all(doc["output"]["data"][0] == int(doc["uuid"][1:]) for doc in found)
    return len(found)


@pytest.mark.parametrize("end", ["close", "exit"])
def test_the_file_alone_is_the_whole_store_after_a_run(tmp_path, end):
    subprocess.run([sys.executable, "-c", FILL, str(tmp_path / "a"), end], check=True)
    log = tmp_path / "a" / f"{FILE_NAME}-wal"
    assert not log.exists() or log.stat().st_size == 0
    (tmp_path / "b").mkdir()
    shutil.copy(tmp_path / "a" / FILE_NAME, tmp_path / "b" / FILE_NAME)
    assert documents(tmp_path / "b") == 300


def test_the_log_is_brought_in_while_another_reads(tmp_path):
    path = str(tmp_path / "s.sqlite")
    with SQLiteStore(path) as first:
        first.update([{"task_id": str(i), "text": "x" * 5000} for i in range(200)])
        first.file.checkpoint()
        assert os.stat(f"{path}-wal").st_size == 0
        first.update({"task_id": "late"})
        assert first.count() == 201


def test_a_full_disk_is_one_sentence_and_harms_nothing(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        store.update([{"task_id": str(i)} for i in range(50)])
        pages = store.file.rows("PRAGMA page_count")[0][0]
        store.file.rows(f"PRAGMA max_page_count = {pages + 5}")
        noise = np.random.default_rng(0).bytes(10**6)
        with pytest.raises(StoreError, match="make room on its disk"):
            store.update([{"task_id": "51"}, {"task_id": "big", "data": noise}])
        assert store.count() == 50
        store.file.rows("PRAGMA max_page_count = 1000000")
        store.update({"task_id": "big", "data": noise})
        assert store.count() == 51


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=1777", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only an administrator can mount a disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_store_on_a_full_disk_is_read(small_disk):
    with open_job_store(small_disk) as store:
        store.update([{"uuid": f"u{i}", "index": 1, "output": {"n": i}} for i in range(5)])
    junk = small_disk / "junk"
    with junk.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(small_disk).free == 0
    with open_job_store(small_disk) as store:
        assert store.count({"output.n": {"$gte": 3}}) == 2
        with pytest.raises(StoreError, match="the disk is full"):
            store.update({"uuid": "new", "index": 1, "output": {}})
    with pytest.raises(StoreError, match="make room on its disk"):
        open_job_store(small_disk / "another")
    with VitrionClient(small_disk) as client:
        assert client.summary.count() == 0
    os.truncate(junk, junk.stat().st_size - 60_000)  # enough to open the store, too little to build
    with VitrionClient(small_disk) as client:
        assert client.summary.count() == 0
    junk.unlink()
    with open_job_store(small_disk) as store:
        store.update({"uuid": "new", "index": 1, "output": {}})
        assert store.count() == 6


@pytest.mark.parametrize(
    "damage", [b"not a database at all, " * 100, b"", b"SQLite format 3\0" * 50]
)
def test_a_damaged_file_is_one_sentence(tmp_path, damage):
    path = tmp_path / "s.sqlite"
    path.write_bytes(damage)
    if not damage:  # SQLite takes an empty file for a new database
        with SQLiteStore(str(path)) as store:
            assert store.count() == 0
        return
    with pytest.raises(StoreError, match="restore it from a copy"), SQLiteStore(str(path)):
        pass


def in_another_user(task):
    """Run a function as somebody who may write nowhere here; return what it returns as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            answer = task()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, str(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as handle:
        text = handle.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def barred():
    """A store in a folder that may be read by all and written by nobody else."""
    folder = Path(tempfile.mkdtemp())
    with open_job_store(folder) as store:
        store.update([{"uuid": f"u{i}", "index": 1, "output": {"n": i}} for i in range(5)])
    (folder / FILE_NAME).chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_store_that_may_not_be_written_is_read(barred):
    def read():
        with open_job_store(barred) as store:
            found = [
                doc["uuid"] for doc in store.query({"output.n": {"$gte": 3}}, sort={"uuid": 1})
            ]
            return found, store.docs_store.file.is_read_only

    assert in_another_user(read) == "(['u3', 'u4'], True)"

    def write():
        with open_job_store(barred) as store:
            store.update({"uuid": "new", "index": 1, "output": {}})

    assert "StoreError: The store" in (said := in_another_user(write))
    assert "can be read but not written" in said

    VitrionClient(barred)  # imports all kinds of documents: another user may not read the package

    def search():
        with VitrionClient(barred) as client:
            return client.summary.count()

    assert in_another_user(search) == "0"


class Color(Enum):
    RED = "red"


class Opaque:
    def __str__(self):
        return "something"


@pytest.mark.parametrize(
    "value",
    [Opaque(), {1, 2}, [Opaque()], {"a": {"b": Opaque()}}, 2**70, Decimal("0.1"), 1j, "\ud800"],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_stored_is_refused(tmp_path, value):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        with pytest.raises(StoreError, match="cannot be stored"):
            store.update([{"task_id": "a"}, {"task_id": "b", "value": value}])
        assert store.count() == 0


def nested(levels):
    content = {}
    for _ in range(levels):
        content = {"a": [content]}
    return content


@pytest.mark.parametrize(
    "document",
    [
        {"$set": 1},
        {"value": Decimal128("0.1")},
        {"value": {"inner": Decimal128("0.1")}},
        nested(100),
        nested(250),
    ],
    ids=lambda document: str(document)[:30],
)
def test_what_would_be_compared_wrongly_is_refused(tmp_path, document):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        with pytest.raises(StoreError, match="cannot be stored"):
            store.update({"task_id": "a", **document})
        assert store.count() == 0


def test_what_monty_knows_is_stored(tmp_path):
    with SQLiteStore(str(tmp_path / "s.sqlite")) as store:
        store.update({"task_id": "a", "color": Color.RED, "path": tmp_path, "array": np.eye(2)})
        found = store.query_one({})
        assert found["path"] == str(tmp_path)
        assert found["array"] == [[1.0, 0.0], [0.0, 1.0]]
        assert found["color"]["value"] == "red"
