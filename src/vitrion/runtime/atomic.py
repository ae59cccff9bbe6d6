"""Files that a kill leaves whole, and folders that one process at a time works in."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vitrion.errors import BusyError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder for results, made where it is missing.

    Raises
    ------
    InputError
        If there is a file of that name, or it cannot be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"{path} cannot be made a folder: {exc.strerror}.") from exc
    return path


def replace_durably(temporary: Path, path: Path) -> None:
    """Rename a written file into place so that a crash leaves the old or the new one, whole."""
    with temporary.open("rb+") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, text: str) -> None:
    """Write a file of text so that a crash leaves the old or the new one, whole."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(text)
    replace_durably(temporary, path)


@contextmanager
def only_process(file: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock that one process at a time can have; a kill releases it.

    Parameters
    ----------
    file : Path
        The lock, in the folder that is to be worked in; made with the folder where it is missing.
    wait_s : float
        How long to wait for another process in s.

    Raises
    ------
    BusyError
        If another process has it.
    InputError
        If the folder cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError as exc:
        raise InputError(f"The folder {file.parent} cannot be written: {exc.strerror}.") from exc
    deadline = time.monotonic() + wait_s
    with handle:
        while not try_lock(handle):
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"Another process is at work in {file.parent}: wait for it or stop it."
                )
            time.sleep(0.2)
        yield


def try_lock(handle: TextIO) -> bool:
    """Lock an open file if nobody else has; closing it, as a kill does too, releases it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
