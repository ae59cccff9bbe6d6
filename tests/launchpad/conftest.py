"""A MongoDB and a campaign on it: the server of ``TEST_MONGODB_URI``, or the test server."""

import os
from uuid import uuid4

import pytest
from pymongo import MongoClient

from helpers.campaign import Campaign
from helpers.mongo_process import MongoProcess


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


@pytest.fixture
def campaign(mongo_uri, mongo_database, tmp_path):
    return Campaign(tmp_path, mongo_uri, mongo_database)
