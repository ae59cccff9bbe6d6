"""Results folder, embedded store, number of workers and device of a command."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from vitrion.errors import InputError
from vitrion.runtime.atomic import check_folder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jobflow import JobStore


MAX_WORKERS = 1024


def results_folder(store: Path | None) -> Path:
    """Return the absolute path of the named folder, or of the folder in the settings.

    Raises
    ------
    InputError
        If it names a file, or is in a file.
    """
    from vitrion.database.store_file import names_store_file
    from vitrion.settings import get_settings

    folder = (store or get_settings().store).expanduser().absolute()
    if names_store_file(folder):
        raise InputError(
            f"{folder} is not a folder: runs on this machine need a folder for their results; only "
            "'vitrion submit' uses the store of a jobflow.yaml."
        )
    return check_folder(folder)


def worker_count(workers: int | None) -> int:
    """Return the requested number of processes, or the number in the settings.

    Raises
    ------
    InputError
        If it is out of range.
    """
    from vitrion.settings import get_settings

    count = get_settings().workers if workers is None else workers
    if not 1 <= count <= MAX_WORKERS:
        raise InputError(f"The number of workers must be 1 to {MAX_WORKERS}, not {count}.")
    return count


def use_device(device: str | None) -> None:
    """Use a device in this process and its workers; None for the device in the settings.

    Raises
    ------
    InputError
        If there is no such device.
    """
    from vitrion.potentials.devices import AUTO, torch_device
    from vitrion.settings import get_settings

    chosen = get_settings().device if device is None else device
    if chosen != AUTO:
        torch_device(chosen)
    if device is not None:
        os.environ["VITRION_DEVICE"] = device
        get_settings.cache_clear()


def open_store(folder: Path) -> AbstractContextManager[JobStore]:
    """Return a context manager with the embedded store of a folder."""
    from vitrion.store.job_store import open_job_store

    return closing(open_job_store(folder))
