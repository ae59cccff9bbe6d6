"""Discard what a package prints, in one thread."""

from __future__ import annotations

import io
import sys
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

# All threads share the standard streams: overlapping redirections would not be undone.
_lock = threading.RLock()


@contextmanager
def discard_output() -> Iterator[None]:
    """Discard standard output and standard error of this thread in the block.

    Other threads print as usual; those that enter such a block wait for the end of this one.
    """
    with (
        _lock,
        redirect_stdout(_OtherThreads(sys.stdout)),
        redirect_stderr(_OtherThreads(sys.stderr)),
    ):
        yield


class _OtherThreads(io.TextIOBase):
    """A stream that passes on what other threads write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._silent = threading.get_ident()

    def write(self, text: str) -> int:
        """Write a text, unless this is the silent thread."""
        if threading.get_ident() == self._silent:
            return len(text)
        return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()
