"""Connections that read an SQLite file while another connection writes it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from vitrion.runtime.work_limit import check_limit, current_limit

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

_IDLE = 8
_STEPS = 20_000  # of SQLite's virtual machine between two checks of the limit, about a millisecond


class ReaderPool:
    """Read with one connection per concurrent statement; thread-safe.

    A statement sees what was committed before it began. The limit of the current work
    (:mod:`vitrion.runtime.work_limit`) interrupts it.

    Parameters
    ----------
    connect
        Opens a connection.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._is_closed = False

    def rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple]:
        """Run a SELECT statement and return all rows of its result.

        Raises
        ------
        sqlite3.Error
            If the statement fails.
        WorkStoppedError
            If the current work must stop.
        """
        check_limit()
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        limit = current_limit()
        try:
            if limit is not None:
                connection.set_progress_handler(lambda: limit.is_over, _STEPS)
            return connection.execute(sql, parameters).fetchall()
        except Exception:
            check_limit()  # an interrupted statement raises OperationalError
            raise
        finally:
            connection.set_progress_handler(None, 0)
            self._return(connection)

    def close(self) -> None:
        """Close all connections, busy ones after their statement."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _return(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._is_closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()
