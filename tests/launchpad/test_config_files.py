"""Each file that ``vitrion config init`` writes is loaded by the program that it is for."""

import json
import os
import stat
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from fireworks import FWorker, LaunchPad, fw_config
from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter
from maggma.stores import MongoStore, S3Store
from maggma.stores.gridfs import GridFSStore

from vitrion.errors import InputError, StoreError
from vitrion.launchpad.config_files import QUEUES, STORES, render, write_config
from vitrion.settings import VitrionSettings, get_settings

LAUNCHERS = Path(__file__).parents[2] / "launchers"
RENDERED = [*STORES.values(), *QUEUES.values(), "sge_template.txt", "FW_config.yaml"]
RENDERED += ["my_launchpad.yaml", "my_fworker.yaml", "gpu_fworker.yaml", "vitrion.yaml"]
RENDERED += ["docker-compose.yaml"]


@pytest.mark.parametrize("name", RENDERED)
def test_the_launchers_folder_shows_what_is_written(name):
    assert (LAUNCHERS / name).read_text() == render(name, "/path/to/config")


@pytest.mark.parametrize("name", [name for name in RENDERED if name.endswith("yaml")])
def test_each_file_is_commented_plain_yaml(name):
    text = render(name, "/x")
    assert text.startswith("# ")
    assert isinstance(yaml.safe_load(text), dict)


def test_init_keeps_what_is_there_and_hides_passwords(tmp_path):
    (tmp_path / "my_launchpad.yaml").write_text("mine")
    report = write_config(tmp_path, store="gridfs", queue="sge")
    assert report.kept == ["my_launchpad.yaml"]
    assert (tmp_path / "my_launchpad.yaml").read_text() == "mine"
    assert set(report.written) >= {"jobflow.yaml", "my_qadapter.yaml", "sge_template.txt"}
    for name in report.written:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert "@FOLDER@" not in (tmp_path / name).read_text()
    assert write_config(tmp_path).written == []
    assert f"export FW_CONFIG_FILE={tmp_path}/FW_config.yaml" in report.shell_lines
    with pytest.raises(InputError, match="use one of slurm, pbs, sge"):
        write_config(tmp_path, queue="condor")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        write_config(tmp_path / "file" / "below")


@pytest.mark.parametrize("queue", QUEUES)
def test_the_last_job_ends_before_the_queue_kills_its_worker(tmp_path, monkeypatch, queue):
    write_config(tmp_path, queue=queue)
    adapter = CommonAdapter.from_file(str(tmp_path / "my_qadapter.yaml"))
    hours, minutes, seconds = map(int, adapter["walltime"].split(":"))
    begun_last_s = int(adapter["rocket_launch"].rpartition("--timeout ")[2])
    monkeypatch.setenv("VITRION_CONFIG_FILE", str(tmp_path / "vitrion.yaml"))
    settings = VitrionSettings()
    spare_s = 1800  # to load the potential before, to analyze after
    assert begun_last_s + settings.walltime_s + spare_s <= 3600 * hours + 60 * minutes + seconds
    assert settings.root_dir == tmp_path / "runs"


def test_launchpad_and_workers_load(tmp_path):
    write_config(tmp_path)
    launchpad = LaunchPad.from_file(str(tmp_path / "my_launchpad.yaml"))
    assert launchpad.name == "vitrion"
    assert (launchpad.username, launchpad.authsource) == ("vitrion", "admin")
    cpu = FWorker.from_file(str(tmp_path / "my_fworker.yaml"))
    gpu = FWorker.from_file(str(tmp_path / "gpu_fworker.yaml"))
    assert cpu.query["spec._category"] == {"$exists": False}
    assert gpu.query["spec._category"] == "gpu"


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_adapters_write_a_whole_script(queue, tmp_path):
    write_config(tmp_path, queue=queue)
    adapter = CommonAdapter.from_dict(yaml.safe_load((tmp_path / "my_qadapter.yaml").read_text()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # FireWorks warns of values that its template lacks
        script = adapter.get_script_str(str(tmp_path))
    assert f"rlaunch -c {tmp_path} rapidfire" in script
    assert f"export JOBFLOW_CONFIG_FILE={tmp_path}/jobflow.yaml" in script
    assert "24:00:00" in script
    assert "8" in script
    assert "$" not in script.replace("#$", "")


def test_fireworks_knows_each_of_its_settings():
    for name in yaml.safe_load(render("FW_config.yaml", "/x")):
        assert hasattr(fw_config, name), name


@pytest.mark.skipif(
    tuple(map(int, version("monty").split("."))) < (2026, 7, 16),
    reason="the file needs a newer monty, as it states",
)
def test_jobflow_loads_its_stores_in_a_process_of_its_own(tmp_path):
    code = (
        "import json; from jobflow import SETTINGS; s = SETTINGS.JOB_STORE;"
        "print(json.dumps([type(s).__name__, type(s.docs_store).__name__,"
        "{k: type(v).__name__ for k, v in s.additional_stores.items()}]))"
    )
    write_config(tmp_path, store="embedded")
    environment = {**os.environ, "JOBFLOW_CONFIG_FILE": str(tmp_path / "jobflow.yaml")}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    stores = {"data": "SQLiteStore", "files": "SQLiteStore"}
    expected = ["SQLiteJobStore", "SQLiteStore", stores]
    assert json.loads(said.stdout.splitlines()[-1]) == expected


@pytest.mark.parametrize(("name", "kind"), [("gridfs", GridFSStore), ("s3", S3Store)])
def test_mongodb_stores_load(name, kind, tmp_path):
    from vitrion.database.collections import find_job_store

    write_config(tmp_path, store=name)
    store = find_job_store(tmp_path / "jobflow.yaml")
    assert isinstance(store.docs_store, MongoStore)
    assert {type(part) for part in store.additional_stores.values()} == {kind}
    assert set(store.additional_stores) == {"data", "files"}
    assert all(part.key == "blob_uuid" for part in store.additional_stores.values())
    shown = [store.name, store.docs_store.name, *(p.name for p in store.additional_stores.values())]
    assert not any("CHANGE_ME" in text for text in shown), "a name goes into logs"


def test_vitrion_reads_its_settings(tmp_path, monkeypatch):
    write_config(tmp_path)
    monkeypatch.setenv("VITRION_CONFIG_FILE", str(tmp_path / "vitrion.yaml"))
    get_settings.cache_clear()
    try:
        settings = get_settings()
    finally:
        get_settings.cache_clear()
    assert settings.store == tmp_path / "store"
    assert settings.routes[0].jobs == "molecular dynamics"


def test_the_server_asks_for_a_login_and_listens_to_this_machine():
    service = yaml.safe_load(render("docker-compose.yaml", "/x"))["services"]["mongodb"]
    assert "--auth" in service["command"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "?set MONGO_PASSWORD" in service["environment"]["MONGO_INITDB_ROOT_PASSWORD"]
