"""Where a command works: the folder of results, the store in it, and how many processes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from vitrion.errors import InputError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jobflow import JobStore


def results_folder(store: Path | None) -> Path:
    """Return the folder that is named, or the one of the settings, as an absolute path.

    Raises
    ------
    InputError
        If it is a file, or looks like the name of one.
    """
    from vitrion.settings import get_settings

    folder = (store or get_settings().store).expanduser().absolute()
    if folder.suffix in (".yaml", ".yml"):
        raise InputError(
            f"{folder} is not a folder: runs on this machine keep their results in one, and those "
            "of 'vitrion submit' go to the store of a jobflow.yaml."
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder for the results.")
    return folder


def worker_count(workers: int | None) -> int:
    """Return the requested number of processes, or the one of the settings.

    Raises
    ------
    InputError
        If it is less than one.
    """
    from vitrion.settings import get_settings

    count = get_settings().workers if workers is None else workers
    if count < 1:
        raise InputError(f"There must be at least one worker, not {count}.")
    return count


def open_store(folder: Path) -> AbstractContextManager[JobStore]:
    """Open the embedded store of a folder; it is closed at the end of the ``with``."""
    from vitrion.store.job_store import SQLiteJobStore

    job_store = SQLiteJobStore(str(folder))
    job_store.connect()
    return closing(job_store)
