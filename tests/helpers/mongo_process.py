"""A MongoDB for tests and benchmarks: the server of ``TEST_MONGODB_URI``, or the test server."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

SERVER = Path(__file__).with_name("mongo_wire.py")
TESTS = SERVER.parents[1]


class MongoProcess:
    """The test server in a process of its own, which can be killed and started again."""

    def __init__(self, state_file=None):
        self.state_file = state_file
        self.port = 0
        self.start()

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self):
        state = [] if self.state_file is None else [str(self.state_file)]
        paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(self.port), *state],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self.port = int(self.process.stdout.readline())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def mongodb():
    """Return the address of a MongoDB; the test server is started if needed."""
    if "TEST_MONGODB_URI" in os.environ:
        yield os.environ["TEST_MONGODB_URI"]
        return
    server = MongoProcess()
    try:
        yield server.uri
    finally:
        server.kill()
