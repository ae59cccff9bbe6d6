"""Abandoned, long and slow requests do not hold up the service."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from jobflow import run_locally

from helpers.sample_documents import make_hopping
from vitrion.database.collections import Collections
from vitrion.runtime.work_limit import WorkStoppedError, check_limit
from vitrion.store.job_store import open_job_store

for package in ("fastapi", "httpx", "uvicorn"):
    pytest.importorskip(package, reason="needs the extra 'serve'")

import httpx  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import FastAPI, Response  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402

from vitrion.service.connections import TimedProtocol  # noqa: E402
from vitrion.service.limits import RequestLimits  # noqa: E402
from vitrion.service.refresh import Refresher  # noqa: E402
from vitrion.service.rest import make_app  # noqa: E402

PATIENCE_S = 120


class Impatient(TimedProtocol):
    request_timeout_s = 0.3
    response_timeout_s = 0.3
    look_every_s = 0.1
    lost = threading.Semaphore(0)

    def connection_lost(self, exc):
        super().connection_lost(exc)
        self.lost.release()


class Endless:
    """An application with a request that works until it is stopped."""

    def __init__(self, **limits):
        self.app = FastAPI()
        self.started, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.app.get("/endless")(self.work)
        self.app.get("/large")(lambda: Response(b"x" * 50_000_000))
        self.app.get("/heartbeat")(self.beat)
        self.app.add_exception_handler(WorkStoppedError, lambda *_: Response(status_code=503))
        self.app.add_middleware(RequestLimits, **limits)

    def work(self):
        self.started.release()
        try:
            while True:
                check_limit()
                time.sleep(0.005)
        finally:
            self.stopped.release()

    async def beat(self):
        return "OK"


@contextmanager
def served(app, **options):
    """Serve an application in a thread, and return its port."""
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def ask(port, path):
    """Send a request without reading the response."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def test_an_abandoned_request_stops():
    endless = Endless(seconds=1000.0)
    with served(endless.app) as port:
        connection = ask(port, "/endless")
        assert endless.started.acquire(timeout=PATIENCE_S)
        connection.close()
        assert endless.stopped.acquire(timeout=PATIENCE_S)


def test_an_abandoned_request_that_waits_is_never_started():
    endless = Endless(seconds=1000.0, at_once=1)
    with served(endless.app) as port:
        first, second = ask(port, "/endless"), None
        assert endless.started.acquire(timeout=PATIENCE_S)
        second = ask(port, "/endless")
        second.close()
        assert (
            httpx.get(f"http://127.0.0.1:{port}/heartbeat", timeout=PATIENCE_S).status_code == 200
        )
        first.close()
        assert endless.stopped.acquire(timeout=PATIENCE_S)
        third = ask(port, "/endless")
        assert endless.started.acquire(timeout=PATIENCE_S), "the place is free again"
        third.close()
        assert endless.stopped.acquire(timeout=PATIENCE_S)
    assert not endless.started.acquire(blocking=False)


def test_a_long_request_is_stopped_and_says_so():
    endless = Endless(seconds=0.1)
    with served(endless.app) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/endless", timeout=PATIENCE_S)
    assert answer.status_code == 503


def test_heartbeat_is_answered_while_all_places_are_taken_and_more_is_refused():
    endless = Endless(seconds=1000.0, at_once=2, max_waiting=48)
    with served(endless.app) as port:
        connections = [ask(port, "/endless") for _ in range(50)]
        for _ in range(2):
            assert endless.started.acquire(timeout=PATIENCE_S)
        assert httpx.get(f"http://127.0.0.1:{port}/heartbeat", timeout=PATIENCE_S).json() == "OK"
        large = f"http://127.0.0.1:{port}/large"
        while (busy := httpx.get(large, timeout=PATIENCE_S)).status_code != 503:
            time.sleep(0.05)  # until all 50 have arrived
        assert busy.headers["Retry-After"]
        assert not endless.started.acquire(blocking=False), "two at a time"
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_an_incomplete_request_is_disconnected(beginning):
    with (
        served(Endless().app, http=Impatient) as port,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as slow,
    ):
        slow.sendall(beginning)
        with suppress(ConnectionResetError):
            assert slow.recv(100) == b""


def test_a_client_that_does_not_read_is_disconnected(monkeypatch):
    monkeypatch.setattr(Impatient, "lost", threading.Semaphore(0))
    with served(Endless().app, http=Impatient) as port, ask(port, "/large"):
        assert Impatient.lost.acquire(timeout=PATIENCE_S)


def test_a_patient_client_gets_a_large_response_over_one_connection():
    with (
        served(Endless().app, http=TimedProtocol) as port,
        httpx.Client(timeout=PATIENCE_S) as client,
    ):
        for _ in range(2):
            assert len(client.get(f"http://127.0.0.1:{port}/large").content) == 50_000_000


def test_new_results_are_served_without_a_restart(tmp_path):
    with open_job_store(tmp_path) as store, Collections(store) as collections:
        web = TestClient(make_app(collections), base_url="http://127.0.0.1:8000")
        assert web.get("/test_hopping/").json()["meta"]["total_doc"] == 0
        with Refresher(collections, every_seconds=0.05):
            run_locally(make_hopping(["Li", "F"], 0.3, "amorphous"), store=store)
            end = time.monotonic() + PATIENCE_S
            while "/report/LiF" not in web.get("/").text:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert web.get("/test_hopping/").json()["meta"]["total_doc"] == 1
