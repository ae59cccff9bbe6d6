"""Stop work that exceeds its time or whose result is no longer needed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from vitrion.errors import VitrionError

if TYPE_CHECKING:
    from collections.abc import Iterator


class WorkStoppedError(VitrionError):
    """The work was cancelled or exceeded its time."""


class WorkLimit:
    """A deadline, and a flag that cancels the work earlier; thread-safe.

    Parameters
    ----------
    seconds
        Time until the deadline.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._is_cancelled = False
        self.restart()

    def restart(self) -> None:
        """Start the time now."""
        self._deadline = time.monotonic() + self.seconds

    def cancel(self) -> None:
        """Stop the work at its next check."""
        self._is_cancelled = True

    @property
    def is_over(self) -> bool:
        """Whether the work must stop."""
        return self._is_cancelled or time.monotonic() > self._deadline


_current: ContextVar[WorkLimit | None] = ContextVar("work_limit", default=None)


@contextmanager
def limited(limit: WorkLimit) -> Iterator[WorkLimit]:
    """Apply a limit to the work in the block, also in threads that inherit its context."""
    token = _current.set(limit)
    try:
        yield limit
    finally:
        _current.reset(token)


def current_limit() -> WorkLimit | None:
    """Return the limit of the current work; None if unlimited."""
    return _current.get()


def check_limit() -> None:
    """Raise if the current work must stop; called by long loops.

    Raises
    ------
    WorkStoppedError
        If the work was cancelled or exceeded its time.
    """
    limit = _current.get()
    if limit is not None and limit.is_over:
        raise WorkStoppedError(
            f"The request was stopped after {limit.seconds:g} s: ask for fewer documents or fields."
        )
