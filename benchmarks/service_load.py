"""Load on ``vitrion serve``: time and memory of each kind of request, alone and 50 at once.

    python benchmarks/large_store.py FOLDER
    python benchmarks/service_load.py FOLDER [--clients 50]

Starts the service on the store and prints: the time of each request, the CPU time of the service,
which other programs hardly change, and the growth of its memory; the times of many requests at
once, and of ``/heartbeat`` meanwhile; the CPU time that abandoned requests still use; the time
until a slow client is disconnected; the time until a new output is served.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PATHS = {
    "heartbeat": "/heartbeat",
    "list of materials": "/",
    "its 20th page": "/?page=20",
    "its search": "/?search=LiF&sort=-sigma_300K",
    "report of a material": "/report/m-7",
    "report of a formula with many materials": "/report/LiF",
    "default page": "/conductivity/",
    "filtered and sorted": "/conductivity/?chemsys=F-Li&phase=amorphous&_sort_fields=-last_updated",
    "all that contain Li": "/conductivity/?elements=Li&_limit=1000",
    "all without P": "/conductivity/?exclude_elements=P&_sort_fields=-last_updated",
    "the last page": "/conductivity/?_skip=29000&_limit=1000",
    "100 whole documents": "/conductivity/?_fields=_all",
    "1000 whole documents": "/conductivity/?_fields=_all&_limit=1000",
    "1000 summaries": "/summary/?_fields=_all&_limit=1000",
    "description": "/openapi.json",
}


class Service:
    """A running service."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process, self.port = process, port

    def get(self, path: str, timeout: float = 120.0) -> tuple[float, int, int]:
        """Return seconds, status and size of a response."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        connection.request("GET", path)
        response = connection.getresponse()
        size = len(response.read())
        connection.close()
        return time.perf_counter() - began, response.status, size

    def memory_MB(self, name: str = "VmRSS") -> float:
        """Return the memory of the service; ``VmHWM`` for the largest since the last reset."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        raise ValueError(name)

    def reset_peak(self) -> None:
        """Forget the largest memory so far."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-c", "from vitrion.cli import main; main()", "serve"]
    process = subprocess.Popen(
        [*program, "--store", str(folder), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    service = Service(process, port)
    try:
        while True:
            try:
                service.get("/heartbeat")
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("The service did not start.") from None
                time.sleep(0.2)
        yield service
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def measure_alone(service: Service) -> None:
    for path in PATHS.values():
        service.get(path)  # imports and caches
    print(f"{'request':42} {'status':>6} {'s':>6} {'CPU s':>6} {'MB sent':>8} {'MB more':>8}")
    for name, path in PATHS.items():
        before, cpu = service.memory_MB(), service.cpu_seconds()
        service.reset_peak()
        seconds, status, size = service.get(path)
        more, cpu = service.memory_MB("VmHWM") - before, service.cpu_seconds() - cpu
        print(
            f"{name:42} {status:6} {seconds:6.2f} {cpu:6.2f} {size / 1e6:8.2f} {more:8.0f}",
            flush=True,
        )


def measure_together(service: Service, clients: int) -> None:
    beats: list[float] = []
    end = threading.Event()

    def beat() -> None:
        while not end.wait(0.1):
            beats.append(service.get("/heartbeat")[0])

    paths = [path for path in PATHS.values() if path != "/heartbeat"]
    watch = threading.Thread(target=beat)
    watch.start()
    before = service.memory_MB()
    service.reset_peak()
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(service.get, [paths[k % len(paths)] for k in range(clients)]))
    end.set()
    watch.join()
    times = [seconds for seconds, _, _ in found]
    wall = time.perf_counter() - began
    print(
        f"{clients} at once: {wall:.1f} s in all, {max(times):.1f} s at most, "
        f"statuses {sorted({status for _, status, _ in found})}, "
        f"{service.memory_MB('VmHWM') - before:.0f} MB more; heartbeat {max(beats):.2f} s at most"
    )


def measure_abandoned(service: Service, clients: int) -> None:
    connections = [http.client.HTTPConnection(HOST, service.port) for _ in range(clients)]
    for connection in connections:
        connection.request("GET", PATHS["report of a formula with many materials"])
    time.sleep(0.1)
    for connection in connections:
        connection.close()
    before = service.cpu_seconds()
    time.sleep(5)
    print(f"{clients} abandoned reports: {service.cpu_seconds() - before:.1f} s of CPU time after")


def measure_slow(service: Service) -> None:
    with socket.create_connection((HOST, service.port)) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        began = time.perf_counter()
        slow.settimeout(120)
        try:
            while slow.recv(1000):
                pass
        except ConnectionResetError:
            pass
    print(f"an incomplete request was disconnected after {time.perf_counter() - began:.0f} s")


def measure_new(service: Service, folder: Path) -> None:
    from large_store import outputs
    from vitrion.store.job_store import open_job_store

    (output,) = outputs(1, 1.0, 10**6)
    output["output"]["material_id"] = f"new-{output['uuid'][:8]}"
    with open_job_store(folder) as store:
        store.update(output)
    began = time.perf_counter()
    path = f"/report/{output['output']['material_id']}"
    while service.get(path)[1] != 200:
        time.sleep(0.5)
    print(f"a new output was served after {time.perf_counter() - began:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    asked = parser.parse_args()
    with running(asked.folder) as service:
        measure_alone(service)
        measure_together(service, asked.clients)
        measure_abandoned(service, asked.clients)
        measure_slow(service)
        measure_new(service, asked.folder)


if __name__ == "__main__":
    main()
