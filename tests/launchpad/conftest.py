"""A MongoDB for the tests: the one that ``TEST_MONGODB_URI`` names, or the test server."""

import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest
from pymongo import MongoClient

from helpers import mongo_wire


class MongoProcess:
    """The test server in a process of its own, which can be killed and started again."""

    def __init__(self, state_file):
        self.state_file = state_file
        self.port = 0
        self.start()

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, mongo_wire.__file__, str(self.port), str(self.state_file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def mongo_process(tmp_path_factory):
    """The test server; tests that kill it need it and are skipped on a real MongoDB."""
    if "TEST_MONGODB_URI" in os.environ:
        pytest.skip("a real MongoDB is not ours to kill")
    server = MongoProcess(tmp_path_factory.mktemp("mongo") / "state.sqlite")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def mongo_uri(request):
    """Address of a MongoDB server."""
    if "TEST_MONGODB_URI" in os.environ:
        return os.environ["TEST_MONGODB_URI"]
    return request.getfixturevalue("mongo_process").uri


@pytest.fixture
def mongo_database(mongo_uri):
    """Name of a database that is dropped after the test."""
    name = f"vitrion_test_{uuid4().hex[:12]}"
    yield name
    with MongoClient(mongo_uri) as client:
        client.drop_database(name)
