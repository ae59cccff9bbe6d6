"""A database that does not answer ends every command in one sentence."""

import socket
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from vitrion.cli import app
from vitrion.database import servers
from vitrion.database.servers import with_timeouts
from vitrion.errors import StoreError

STORE = {
    "docs_store": {"type": "MongoStore", "collection_name": "o"},
    "additional_stores": {"data": {"type": "GridFSStore", "collection_name": "b"}},
}
AWAY = {"database": "x", "host": "127.0.0.1", "port": 1}
COMMANDS = [
    ["query"],
    ["query", "--kind", "conductivity", "--format", "jsonl"],
    ["build"],
    ["archive"],
    ["report", "LiF"],
    ["compare", "LiF"],
    ["defects", "6b0337"],
    ["load", str(Path(__file__).parents[2] / "docs/results/paper/glass-1.jsonl.gz")],
    ["serve"],
]


@pytest.fixture
def files(tmp_path):
    described = {
        "docs_store": {**STORE["docs_store"], **AWAY},
        "additional_stores": {"data": {**STORE["additional_stores"]["data"], **AWAY}},
    }
    (tmp_path / "jobflow.yaml").write_text(yaml.safe_dump({"JOB_STORE": described}))
    return tmp_path


def refusal(words):
    """Return the sentence with which a command ends."""
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, StoreError), result.exception
    assert "127.0.0.1" not in str(result.exception)
    return str(result.exception)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_store_that_is_away_is_one_sentence(files, words, monkeypatch):
    monkeypatch.setattr(servers, "_LIMITS", {"serverSelectionTimeoutMS": 200})
    sentence = refusal([*words, "--store", str(files / "jobflow.yaml")])
    assert "The store does not answer" in sentence


@pytest.mark.parametrize(
    "words", [["status"], ["status", "LiF"], ["repair"], ["submit", "LiF"]], ids=" ".join
)
@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "accepts and is silent"])
def test_a_launchpad_that_is_away_is_one_sentence(tmp_path, words, answers, monkeypatch):
    limits = {"serverSelectionTimeoutMS": 200, "connectTimeoutMS": 200}
    monkeypatch.setattr(servers, "_LIMITS", limits)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen(8)
        pad = {"host": "127.0.0.1", "port": server.getsockname()[1], "name": "x"}
        (tmp_path / "pad.yaml").write_text(yaml.safe_dump(pad))
        assert "does not answer" in refusal([*words, "--launchpad", "pad.yaml"])
    assert [path.name for path in tmp_path.iterdir()] == ["pad.yaml"]  # no folder is left behind


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "accepts and is silent"])
def test_an_s3_store_that_is_away_is_one_sentence(tmp_path, monkeypatch, answers):
    monkeypatch.setattr(servers, "ANSWER_WITHIN_MS", 200)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen(8)  # connections wait in the queue; nothing is ever sent
        described = {
            "docs_store": {"type": "MemoryStore"},
            "additional_stores": {
                "data": {
                    "type": "S3Store",
                    "bucket": "b",
                    "endpoint_url": f"http://127.0.0.1:{server.getsockname()[1]}",
                    "s3_profile": {"aws_access_key_id": "a", "aws_secret_access_key": "b"},
                    "index": {"type": "MemoryStore"},
                }
            },
        }
        (tmp_path / "jobflow.yaml").write_text(yaml.safe_dump({"JOB_STORE": described}))
        words = ["query", "--store", str(tmp_path / "jobflow.yaml")]
        assert "The S3 store does not answer" in refusal(words)


def test_a_database_that_accepts_and_is_silent_is_one_sentence(tmp_path, monkeypatch):
    limits = {"serverSelectionTimeoutMS": 200, "connectTimeoutMS": 200}
    monkeypatch.setattr(servers, "_LIMITS", limits)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        place = {**AWAY, "port": server.getsockname()[1]}
        described = {"docs_store": {**STORE["docs_store"], **place}}
        (tmp_path / "jobflow.yaml").write_text(yaml.safe_dump({"JOB_STORE": described}))
        words = ["query", "--store", str(tmp_path / "jobflow.yaml")]
        assert "The store does not answer" in refusal(words)


def test_the_wait_is_bounded_unless_it_is_set():
    assert max(servers._LIMITS.values()) <= 5000
    assert with_timeouts(None)["serverSelectionTimeoutMS"] == servers.ANSWER_WITHIN_MS
    assert with_timeouts({"serverSelectionTimeoutMS": 1})["serverSelectionTimeoutMS"] == 1
    assert "serverSelectionTimeoutMS" not in with_timeouts(
        {}, "mongodb://h/?serverSelectionTimeoutMS=9"
    )
