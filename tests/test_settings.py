import os
from pathlib import Path

import pytest

from vitrion.errors import InputError
from vitrion.settings import CONFIG_FILE_VARIABLE, get_settings


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch, tmp_path):
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, str(tmp_path / "vitrion.yaml"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_environment_wins_over_file_and_file_over_default(monkeypatch, tmp_path):
    (tmp_path / "vitrion.yaml").write_text("store: /from/file\nworkers: 3\n")
    monkeypatch.setenv("VITRION_WORKERS", "5")
    settings = get_settings()
    assert settings.store == Path("/from/file")
    assert settings.workers == 5
    assert settings.device == "auto"


@pytest.mark.parametrize("content", ["stoer: here\n", "workers: 0\n"])
def test_a_wrong_file_is_one_sentence(tmp_path, content):
    (tmp_path / "vitrion.yaml").write_text(content)
    with pytest.raises(InputError, match=r"but must be|is not a setting") as caught:
        get_settings()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["store: [here\n", "- store\n", "store\n"])
def test_a_file_that_is_not_a_mapping_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "vitrion.yaml").write_text(content)
    with pytest.raises(InputError, match=r"vitrion\.yaml cannot be read") as caught:
        get_settings()
    assert "\n" not in str(caught.value)


def test_a_variable_that_is_not_json_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setenv("VITRION_ROUTES", "gpu")
    with pytest.raises(InputError, match=r'must be JSON is not: .*"routes"'):
        get_settings()


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("VITRION_ROOT_DIR", "")
    monkeypatch.setenv("VITRION_WALLTIME_S", "")
    assert get_settings().root_dir is None, "not the working directory"
    assert get_settings().walltime_s is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux only")
def test_a_job_of_a_queue_uses_its_own_cores_alone():
    """A node has more cores than a job on it may use."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert get_settings().workers == 1
    finally:
        os.sched_setaffinity(0, before)
