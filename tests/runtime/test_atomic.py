"""What is left behind on the disk after faults, and who may work where."""

import subprocess
import sys

import pytest

from vitrion.errors import BusyError, InputError
from vitrion.runtime.atomic import only_process, write_durably

HOLDER = """
import sys, time
from pathlib import Path
from vitrion.runtime.atomic import only_process
with only_process(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.json"
    write_durably(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "new \ud800")
    assert path.read_text() == "old"
    write_durably(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
    assert path.read_text() == "new"


def test_a_lock_keeps_another_process_out_and_a_kill_releases_it(tmp_path):
    file = tmp_path / "run" / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, file], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(InputError, match="Another process"), only_process(file):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with only_process(file, wait_s=5):
        assert file.exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"), only_process(tmp_path / "file/lock"):
        pass


def test_a_busy_folder_has_an_error_of_its_own(tmp_path):
    assert issubclass(BusyError, InputError)
    with (
        only_process(tmp_path / "lock"),
        pytest.raises(BusyError, match="is using"),
        only_process(tmp_path / "lock"),
    ):
        pass
