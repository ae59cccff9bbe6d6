"""Atomic file writes and locks on folders."""

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


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder for results, which need not exist yet.

    Raises
    ------
    InputError
        If it is a file, or would be in a file.
    """
    path = Path(folder)
    there = next((place for place in (path, *path.absolute().parents) if place.exists()), path)
    if there.exists() and not there.is_dir():
        raise InputError(f"{there} is a file: name a folder for the results.")
    return path


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder for results, created if needed.

    Raises
    ------
    InputError
        If a file of that name exists, or the folder cannot be created.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"The folder {path} cannot be created: {exc.strerror}.") from exc
    return path


def replace_durably(temporary: Path, path: Path) -> None:
    """Rename a written file atomically: a crash leaves the old or the new file."""
    with temporary.open("rb+") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Sync the directory entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: str | bytes) -> None:
    """Write a file atomically: a crash leaves the old or the new file."""
    temporary = path.with_name(f"{path.name}.tmp")
    if isinstance(content, str):
        temporary.write_text(content)
    else:
        temporary.write_bytes(content)
    replace_durably(temporary, path)


def copy_durably(source: Path, path: Path) -> None:
    """Copy a file atomically: a crash leaves the old or the new file."""
    write_durably(path, source.read_bytes())


@contextmanager
def only_process(file: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock between processes; a kill releases it.

    Parameters
    ----------
    file : Path
        Lock file in the folder to protect; created with its folder if needed.
    wait_s : float
        Maximum time in s to wait for another process.

    Raises
    ------
    BusyError
        If another process holds the lock.
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
                raise BusyError(f"Another process is using {file.parent}: wait for it or stop it.")
            time.sleep(0.2)
        yield


def try_lock(handle: TextIO) -> bool:
    """Lock an open file if it is not locked; closing the file or a kill releases the lock."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
