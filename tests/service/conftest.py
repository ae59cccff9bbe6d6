"""The web service on documents that the function ``fill`` of a test module writes to a store."""

import pytest

from vitrion.database.builders import build
from vitrion.database.collections import Collections
from vitrion.store.job_store import open_job_store


@pytest.fixture(scope="module")
def collections(request, tmp_path_factory):
    with open_job_store(tmp_path_factory.mktemp("served")) as store:
        request.module.fill(store)
        with Collections(store) as collections:
            build(collections)
            yield collections


@pytest.fixture(scope="module")
def web(collections):
    from fastapi.testclient import TestClient

    from vitrion.service.rest import make_app

    return TestClient(make_app(collections), base_url="http://127.0.0.1:8000")
