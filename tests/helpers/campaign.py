"""Workers and ``lpad`` on a launchpad of a test, most of them real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fireworks import FWorker, LaunchPad
from fireworks.core.rocket_launcher import rapidfire
from jobflow import SETTINGS, JobStore
from pymongo.uri_parser import parse_uri

PING_S, LOST_AFTER_S = 1, 4
LAUNCHPAD = """\
host: {uri}
uri_mode: true
name: {database}
"""
FW_CONFIG = """\
LAUNCHPAD_LOC: {folder}/my_launchpad.yaml
FWORKER_LOC: {folder}/my_fworker.yaml
PING_TIME_SECS: {ping}
RUN_EXPIRATION_SECS: {lost}
"""
FWORKER = """\
name: {name}
category: {category}
query: '{{}}'
"""


def server_of(uri, database):
    """Return a database of a server as arguments of maggma's stores, old versions or new."""
    parts = parse_uri(uri)
    host, port = parts["nodelist"][0]
    options = dict(parts["options"])
    return {
        "database": database,
        "host": host,
        "port": port,
        "username": parts["username"] or "",
        "password": parts["password"] or "",
        "auth_source": options.pop("authsource", None),
        "mongoclient_kwargs": options,
    }


class Campaign:
    """A folder with the files of a user, a launchpad and the processes on it."""

    def __init__(self, folder, uri, database):
        self.folder, self.uri, self.database = folder, uri, database
        values = {"folder": folder, "uri": uri, "database": database}
        for name, text in {
            "my_launchpad.yaml": LAUNCHPAD.format(**values),
            "my_fworker.yaml": FWORKER.format(name="cpu", category="__none__"),
            "gpu_fworker.yaml": FWORKER.format(name="gpu", category="gpu"),
            "FW_config.yaml": FW_CONFIG.format(**values, ping=PING_S, lost=LOST_AFTER_S),
            "jobflow.yaml": yaml.safe_dump({"JOB_STORE": self.stores()}),
        }.items():
            (folder / name).write_text(text)
        self.launches = folder / "launches"
        self.launches.mkdir(exist_ok=True)
        self.launchpad = LaunchPad.from_file(str(folder / "my_launchpad.yaml"))
        self.launchpad.reset("", require_password=False)
        self.environment = {
            **os.environ,
            "FW_CONFIG_FILE": str(folder / "FW_config.yaml"),
            "JOBFLOW_CONFIG_FILE": str(folder / "jobflow.yaml"),
            "OMP_NUM_THREADS": "1",
        }

    def command(self, name, *arguments, **options):
        """Start one of FireWorks' programs."""
        program = str(Path(sys.executable).with_name(name))
        log = (self.folder / "log.txt").open("a")
        options = {"stdout": log, "stderr": subprocess.STDOUT, **options}
        return subprocess.Popen(
            [program, *arguments], cwd=self.launches, env=self.environment, text=True, **options
        )

    def worker(self, fworker="my_fworker.yaml"):
        """Start a worker that runs all there is and ends when nothing is left."""
        file = str(self.folder / fworker)
        return self.command("rlaunch", "-w", file, "rapidfire", "--nlaunches", "0", "--sleep", "1")

    def work(self, fworker="my_fworker.yaml"):
        """Do in this process what a worker does: its program takes seconds to import."""
        worker = FWorker.from_file(str(self.folder / fworker))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.launches)
            patch.setattr(SETTINGS, "JOB_STORE", self.job_store())
            rapidfire(self.launchpad, worker, nlaunches=0, sleep_time=1, strm_lvl="CRITICAL")

    def job_store(self):
        """Return the connected store that the workers write to."""
        store = JobStore.from_dict_spec(self.stores())
        store.connect()
        return store

    def stores(self):
        """Return the stores of the outputs as in a jobflow.yaml."""
        common = server_of(self.uri, self.database)
        large = {"type": "GridFSStore", "collection_name": "outputs_blobs", **common}
        return {
            "docs_store": {"type": "MongoStore", "collection_name": "outputs", **common},
            "additional_stores": {"data": large},
        }

    def log(self):
        """Return what the processes have said."""
        return (self.folder / "log.txt").read_text()
