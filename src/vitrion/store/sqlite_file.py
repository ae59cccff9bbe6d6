"""One SQLite file that several stores, threads and processes share."""

from __future__ import annotations

import atexit
import contextlib
import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrion.errors import DiskFullError, StoreError
from vitrion.store.reader_pool import ReaderPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BUSY_SECONDS = 120
_ROOM = 1_000_000  # bytes of a disk for the log of SQLite; with fewer, a store is only read
_TABLES = """
CREATE TABLE IF NOT EXISTS docs(id INTEGER PRIMARY KEY, collection TEXT NOT NULL, body BLOB);
CREATE INDEX IF NOT EXISTS docs_by_collection ON docs(collection);
CREATE TABLE IF NOT EXISTS fields(
  id INTEGER PRIMARY KEY, collection TEXT NOT NULL, path TEXT NOT NULL, UNIQUE(collection, path));
CREATE TABLE IF NOT EXISTS entries(
  field INTEGER, key BLOB, doc INTEGER, PRIMARY KEY(field, key, doc)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_doc ON entries(doc, field, key);
"""
_UNIQUE = "ALTER TABLE fields ADD COLUMN is_unique INTEGER NOT NULL DEFAULT 0"
_STEPS = (_TABLES, _UNIQUE)  # from each version of the file to the next
SCHEMA_VERSION = len(_STEPS)

_open_files: dict[tuple[int, str], SQLiteFile] = {}
_registry_lock = threading.Lock()


class SQLiteFile:
    """Thread-safe access to an SQLite file, one object per process.

    Writers are one at a time, over all processes, and readers never wait for them (write-ahead
    log, and connections of their own). A committed transaction survives a kill of the process and
    a loss of power; one that was not committed leaves nothing. The file must lie on a disk of this
    machine: network file systems do not lock reliably; use a database server there.

    Parameters
    ----------
    path
        The file; its folder is created if needed.

    Raises
    ------
    StoreError
        If the file cannot be created or written, or is not a store of this version.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self.pid = os.getpid()
        self._users = 0
        self._writer: int | None = None  # the thread in a transaction
        with self._errors():
            self.is_read_only = self._is_barred()
            self._connection = self._connect_to_read() if self.is_read_only else self._connect()
        status = os.stat(path)
        self._identity = (status.st_dev, status.st_ino)
        self._readers = ReaderPool(self._connect_to_read)

    @classmethod
    def open(cls, path: str) -> SQLiteFile:
        """Return the connection of this process to a file, opened on first use."""
        handle = (os.getpid(), os.path.realpath(path))  # a connection must not cross a fork
        with _registry_lock:
            file = _open_files.get(handle)
            if file is None or not file._is_current():
                file = _open_files[handle] = cls(path)
            file._users += 1
            return file

    def release(self) -> None:
        """Release the connection; the last release closes it."""
        if self.pid != os.getpid():
            return  # it is the parent's: closing it here could disturb the parent
        with _registry_lock:
            self._users -= 1
            if self._users > 0:
                return
            for handle in [key for key, file in _open_files.items() if file is self]:
                del _open_files[handle]
        self._readers.close()
        self.checkpoint()
        with self._lock:
            self._connection.close()

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, so that the file alone is the whole store.

        What other processes are reading at this moment stays in the log for now.
        """
        with self._lock, contextlib.suppress(sqlite3.Error):
            if not self.is_read_only:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """Run one statement and return all rows of its result.

        Raises
        ------
        StoreError
            If the file is damaged or unavailable.
        WorkStoppedError
            If the current work must stop; see :mod:`vitrion.runtime.work_limit`.
        """
        reads = sql.startswith("SELECT") and self._writer != threading.get_ident()
        with self._errors():
            if reads and self._is_current():
                return self._readers.rows(sql, parameters)
            with self._lock:
                return self._connection.execute(sql, parameters).fetchall()

    def run_many(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run one statement per set of parameters."""
        with self._lock, self._errors():
            self._connection.executemany(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one transaction; may be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            if self.is_read_only:
                raise StoreError(
                    f"The store {self.path} can be read but not written: it is on a disk or in a "
                    "folder that does not let you write, or the disk is full."
                )
            self.rows("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield
                self.rows("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise
            finally:
                self._writer = None

    def _is_current(self) -> bool:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            sentence = f"The store {self.path} cannot be used ({error}): {_remedy(error)}."
            raise (DiskFullError if "full" in str(error) else StoreError)(sentence) from error

    def _is_barred(self) -> bool:
        """Return whether this user may read the file but not write it, or its disk is full."""
        if not os.access(self.path, os.R_OK) or not os.path.getsize(self.path):
            return False
        folder = Path(self.path).parent
        is_writable = os.access(self.path, os.W_OK) and os.access(folder, os.W_OK)
        disk = os.statvfs(folder)
        return not is_writable or disk.f_bavail * disk.f_frsize < _ROOM

    def _connect_to_read(self) -> sqlite3.Connection:
        # Without the right or the room to write in the folder, SQLite reads a database with a log
        # only if the log is empty and the file is declared immutable.
        log = Path(f"{self.path}-wal")
        is_settled = not (log.exists() and log.stat().st_size)
        mode = "immutable=1" if is_settled and self.is_read_only else "mode=ro"
        connection = sqlite3.connect(
            f"{Path(self.path).as_uri()}?{mode}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"The store {self.path} is of another version and cannot be written: copy it to a "
                "folder of yours."
            )
        return connection

    def _connect(self) -> sqlite3.Connection:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")  # fails here, and not later, where writing is barred
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"The store {self.path} was written by a newer version of vitrion: update vitrion."
            )
        for step in _STEPS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        return connection


def _remedy(error: Exception) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return "the file is damaged, restore it from a copy"
    if "full" in text:
        return "make room on its disk, and what was stored before is unharmed"
    return "check that its folder can be written, has space left and lies on a disk of this machine"


@atexit.register
def _checkpoint_all() -> None:
    """Leave whole files behind, even if a store was not closed."""
    for file in list(_open_files.values()):
        if file.pid == os.getpid():
            file.checkpoint()


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    # Changing the mode does not wait for a lock as other statements do, so it is tried again.
    for attempt in range(200):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == 199:
                raise
            time.sleep(0.05)
