"""Text files, packed or not, line by line; one that cannot be read is reported in a sentence."""

from __future__ import annotations

import lzma
import zlib
from collections import deque
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from monty.io import zopen

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

PACKED = (".gz", ".bz2", ".xz", ".lzma")
"""Endings of packed files that are read as they are."""

BROKEN = (
    ValueError,  # of which those of encoding and of JSON are kinds
    LookupError,
    EOFError,
    OSError,
    RuntimeError,
    ParseError,
    zlib.error,
    lzma.LZMAError,
)
"""What readers raise over a file that is not what its name says."""


def open_text(path: Path) -> AbstractContextManager[Any]:
    """Open a text file, packed or not."""
    return zopen(path, "rt", encoding="utf-8")


def open_bytes(path: Path) -> AbstractContextManager[Any]:
    """Open a file of bytes, packed or not."""
    return zopen(path, "rb")


def unpacked_name(path: Path) -> str:
    """Return the name of a file in lower case, without the ending of what it is packed by."""
    name = path.name.lower()
    return name.rsplit(".", 1)[0] if name.endswith(PACKED) else name


class Lines:
    """Lines of a file that can be looked at before they are taken.

    Attributes
    ----------
    number : int
        Of the line taken last, counted from 1.
    """

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._ahead: deque[str] = deque()
        self.number = 0

    def take(self) -> str:
        """Return the next line with its end; an empty string at the end of the file."""
        self.number += 1
        if self._ahead:
            return self._ahead.popleft()
        return next(self._file, "")

    def take_many(self, count: int) -> list[str]:
        """Return the next `count` lines, or as many as there are."""
        lines = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        lines += islice(self._file, count - len(lines))
        self.number += len(lines)
        return lines

    def peek(self, ahead: int = 0) -> str:
        """Return a line without taking it: 0 is the next one."""
        while len(self._ahead) <= ahead:
            self._ahead.append(next(self._file, ""))
        return self._ahead[ahead]

    def put_back(self, lines: Iterable[str]) -> None:
        """Return lines, the last ones taken, in their order."""
        lines = list(lines)
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)


def beginning(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file, unpacked; what was read of a packed file that is cut."""
    with open_bytes(path) as file:
        return bytes(file.read(size))


@contextmanager
def as_input_error(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file into an `InputError` that names it."""
    try:
        yield
    except InputError as exc:
        if str(path) in str(exc):
            raise
        raise InputError(f"{path}: {exc}") from exc
    except BROKEN as exc:
        why = str(exc).strip().rstrip(".") or type(exc).__name__
        raise InputError(f"{path} is not a trajectory that can be read: {why}.") from exc
